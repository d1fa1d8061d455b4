"""What trials took: work, seconds of evaluating, and the searcher's own seconds; regret against any of these."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from bayeshpo.elapsed import elapsed


@dataclass(frozen=True, eq=False)
class Costs:
    """Sums up to and with each evaluation (P, S, R, T), NaN where there is no trial.

    Attributes
    ----------
    work
        In the problem's own unit.
    evaluating, searching
        Seconds of the objective, those of trials at once counted once (`bayeshpo.elapsed`), and seconds of proposing:
        the searcher's own time.
    """

    work: np.ndarray
    evaluating: np.ndarray
    searching: np.ndarray

    @classmethod
    def empty(cls, shape: tuple[int, ...]) -> Costs:
        """All NaN."""
        return cls(*(np.full(shape, np.nan) for _ in range(3)))

    def fill(self, at: tuple[int, int, int], costs: np.ndarray) -> None:
        """Write the costs (3, n) of one run."""
        for whole, one in zip((self.work, self.evaluating, self.searching), costs, strict=True):
            whole[at][: len(one)] = one

    def at(self, *index: Any) -> Costs:
        """A part of every array."""
        return Costs(self.work[index], self.evaluating[index], self.searching[index])


def costs_of(trials: Sequence[Mapping[str, Any]]) -> np.ndarray:
    """Work, seconds of evaluating and seconds of proposing, summed up to each trial (3, n)."""
    # The small form of results has no seconds of evaluating.
    names = ("work", "seconds_evaluate", "seconds_ask")
    rows = [[np.nan if t.get(name) is None else t[name] for t in trials] for name in names]
    costs = np.cumsum(np.array(rows, dtype=float).reshape(3, -1), axis=1)
    if any("told" in t for t in trials):
        told = [t.get("told") for t in trials]
        costs[1] = elapsed([t["index"] for t in trials], told, np.zeros(len(trials)), rows[1])
    return costs


def against_cost(regret: np.ndarray, cost: np.ndarray, grid: np.ndarray) -> np.ndarray:
    """Regret (R, G) of R runs at costs ``grid`` (G,), from regret and summed cost after each evaluation (R, T).

    An evaluation counts once its cost is spent: NaN before the first is. A run whose trials end keeps its last regret,
    since it would have spent nothing more to have it.
    """
    result = np.full((len(regret), len(grid)), np.nan)
    for row, values, spent in zip(result, regret, cost, strict=True):
        known = ~np.isnan(spent)
        done = np.searchsorted(spent[known], grid, side="right")
        row[done > 0] = values[known][done[done > 0] - 1]
    return result
