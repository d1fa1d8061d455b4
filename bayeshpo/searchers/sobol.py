"""Quasi-random search."""

from __future__ import annotations

from bayeshpo.errors import exhausted
from bayeshpo.history import History
from bayeshpo.randomness import Streams
from bayeshpo.searchers.base import Searcher, next_index
from bayeshpo.searchers.initial import sobol_points
from bayeshpo.trial import Suggestion


class SobolSearcher(Searcher):
    """A scrambled Sobol sequence, illegal and repeated configurations passed over.

    The points are those of the Bayesian searcher's initial design for the same problem and seed.
    """

    name = "sobol"

    def ask(self, history: History, n: int, rng: Streams) -> list[Suggestion]:
        """The next ``n`` points of the sequence, or as many as a finite space has left.

        Raises
        ------
        SpaceExhausted
            If every configuration of a finite space has been tried.
        """
        first = next_index(history)
        X = sobol_points(history.space, first + n, rng.generator("initial"))
        if len(X) <= first:
            raise exhausted(len(X))
        configurations = history.space.decode(X[first:])
        return [Suggestion(c, first + i, "sobol") for i, c in enumerate(configurations)]
