"""scikit-learn's searches over parameters: what RandomizedSearchCV and GridSearchCV would try, in their order."""

from __future__ import annotations

from typing import Any

import numpy as np
from ConfigSpace.hyperparameters import CategoricalHyperparameter, OrdinalHyperparameter
from sklearn.model_selection import ParameterGrid, ParameterSampler
from sklearn.utils import check_random_state

from bayeshpo.encoding import Encoding
from bayeshpo.errors import SpaceExhausted
from bayeshpo.experiment.peers.spaces import completed, plain, refuse
from bayeshpo.history import History
from bayeshpo.problem import Capabilities
from bayeshpo.randomness import Streams
from bayeshpo.searchers.base import Searcher, next_index
from bayeshpo.space import Configuration, SearchSpace
from bayeshpo.trial import Suggestion

_LACKING = ("conditions", "forbidden clauses", "weights of choices")


class SklearnRandomSearcher(Searcher):
    """The draws of RandomizedSearchCV (`ParameterSampler`).

    Numbers are distributions, ordinals and categoricals are lists. Where all are lists, configurations come without
    replacement, in the order that `ParameterSampler` has for any ``n_iter`` between 1 % and 99 % of them, and then the
    space is exhausted; else with replacement.
    """

    name = "sklearn_random"

    def __init__(self) -> None:
        self._drawn: list[Configuration] = []
        self._of: tuple[SearchSpace, Streams] | None = None

    def check(self, space: SearchSpace, capabilities: Capabilities) -> None:
        """Refuse conditions, forbidden clauses and weights.

        Raises
        ------
        SpecificationError
            If the space has one.
        """
        refuse(self.name, "scikit-learn's ParameterSampler", space, _LACKING)

    def ask(self, history: History, n: int, rng: Streams) -> list[Suggestion]:
        """The next ``n`` draws, or as many as are left.

        Raises
        ------
        SpaceExhausted
            If none is left.
        """
        first = next_index(history)
        drawn = self._first(first + n, history.space, rng)[first : first + n]
        if not drawn:
            raise SpaceExhausted(f"all {len(self._drawn)} configurations of the lists have been tried")
        return [Suggestion(dict(c), first + i, self.name) for i, c in enumerate(drawn)]

    def _first(self, n: int, space: SearchSpace, rng: Streams) -> list[Configuration]:
        """The first draws; more are drawn at once than are asked for, as the sampler begins anew each time."""
        if self._of is None or self._of[0] is not space or self._of[1] != rng:
            self._of, self._drawn = (space, rng), []
        if len(self._drawn) < n and not (self._drawn and _all_lists(space)):
            found = _draws(space, 2 * n, rng.integer("peer"))
            self._drawn = [completed(space, {k: plain(v) for k, v in values.items()}) for values in found]
        return self._drawn


class SklearnGridSearcher(Searcher):
    """The configurations of GridSearchCV in its own order (`ParameterGrid`): the alphabet's last name runs first."""

    name = "sklearn_grid"

    def check(self, space: SearchSpace, capabilities: Capabilities) -> None:
        """Refuse what is no list, conditions and forbidden clauses.

        Raises
        ------
        SpecificationError
            If the space has one.
        """
        refuse(
            self.name, "scikit-learn's ParameterGrid", space, ("continuous ranges", "conditions", "forbidden clauses")
        )

    def ask(self, history: History, n: int, rng: Streams) -> list[Suggestion]:
        """The next ``n`` configurations, or as many as are left.

        Raises
        ------
        SpaceExhausted
            If none is left.
        """
        space, first = history.space, next_index(history)
        grid = ParameterGrid(_lists(space))
        if first >= len(grid):
            raise SpaceExhausted(f"all {len(grid)} configurations of the grid have been tried")
        last = min(first + n, len(grid))
        return [Suggestion(completed(space, grid[i]), i, self.name) for i in range(first, last)]


class _Distribution:
    """A number's distribution as `ParameterSampler` takes it, with the values of the space."""

    def __init__(self, encoding: Encoding) -> None:
        self._encoding = encoding

    def rvs(self, random_state: np.random.RandomState) -> Any:
        """One draw."""
        return self._encoding.decode(random_state.random_sample(1))[0]


def _draws(space: SearchSpace, n: int, seed: int) -> list[Configuration]:
    if _all_lists(space):
        grid = ParameterGrid(_lists(space))
        return [grid[i] for i in check_random_state(seed).permutation(len(grid))]
    lists = _lists(space)
    wanted = {
        name: lists[name] if _is_list(space, name) else _Distribution(encoding)
        for name, encoding in zip(space.names, space.encodings, strict=True)
    }
    return list(ParameterSampler(wanted, n, random_state=seed))


def _all_lists(space: SearchSpace) -> bool:
    return all(_is_list(space, name) for name in space.names)


def _is_list(space: SearchSpace, name: str) -> bool:
    return isinstance(space.configspace[name], (CategoricalHyperparameter, OrdinalHyperparameter))


def _lists(space: SearchSpace) -> dict[str, list[Any]]:
    """All values of those hyperparameters that have finitely many."""
    finite = ((n, e) for n, e in zip(space.names, space.encodings, strict=True) if e.kind != "continuous")
    return {name: encoding.decode(encoding.points()).tolist() for name, encoding in finite}
