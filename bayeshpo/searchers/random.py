"""Random search."""

from __future__ import annotations

from bayeshpo.history import History
from bayeshpo.randomness import Streams
from bayeshpo.searchers.base import Searcher, next_index
from bayeshpo.trial import Suggestion


class RandomSearcher(Searcher):
    """Independent draws from the space's own distribution (Bergstra and Bengio, 2012).

    Draws are independent on finite spaces too: a configuration can come again, as in the textbook method, and the
    space is never exhausted. `SobolSearcher` and `GridSearcher` do not repeat themselves.
    """

    name = "random"

    def ask(self, history: History, n: int, rng: Streams) -> list[Suggestion]:
        """``n`` draws; that of trial i depends on the streams and i alone."""
        first = next_index(history)
        return [drawn(history, i, rng) for i in range(first, first + n)]


def drawn(history: History, index: int, rng: Streams) -> Suggestion:
    """One draw from the space, which depends on the streams and the index alone."""
    X = history.space.sample(1, rng.generator("random", index))
    return Suggestion(history.space.decode(X)[0], index, "random")
