"""Grid search."""

from __future__ import annotations

from bayeshpo.errors import exhausted
from bayeshpo.history import History
from bayeshpo.problem import Capabilities
from bayeshpo.randomness import Streams
from bayeshpo.searchers.base import Searcher, next_index
from bayeshpo.space import SearchSpace
from bayeshpo.trial import Suggestion


class GridSearcher(Searcher):
    """Every legal configuration of a finite space, once, in an order shuffled by the seed.

    Shuffled, because a grid in its own order is often stopped before it has left the first value of the first
    hyperparameter.
    """

    name = "grid"

    def check(self, space: SearchSpace, capabilities: Capabilities) -> None:
        """Refuse a space without a finite grid.

        Raises
        ------
        SpecificationError
            If a hyperparameter is continuous, or the grid is too large.
        """
        space.grid()

    def ask(self, history: History, n: int, rng: Streams) -> list[Suggestion]:
        """The next ``n`` configurations, or as many as are left.

        Raises
        ------
        SpaceExhausted
            If none is left.
        """
        X = history.space.grid()
        first = next_index(history)
        if first >= len(X):
            raise exhausted(len(X))
        order = rng.generator("grid").permutation(len(X))[first : first + n]
        return [Suggestion(c, first + i, "grid") for i, c in enumerate(history.space.decode(X[order]))]
