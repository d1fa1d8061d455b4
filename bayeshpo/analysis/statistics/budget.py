"""Places along the budget at which curves over problems are drawn."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, eq=False)
class Places:
    """Where curves have their points.

    Attributes
    ----------
    at
        Evaluations (G,), or shares of the budget in per cent where problems have different budgets.
    label
        What they are.
    index
        Index of the evaluation on each problem (P, G).
    """

    at: np.ndarray
    label: str
    index: np.ndarray

    def of(self, values: np.ndarray) -> np.ndarray:
        """Values (P, S, R, T) at these places (P, S, R, G)."""
        return np.take_along_axis(values, self.index[:, None, None, :], axis=3)


def places(budgets: np.ndarray, points: int = 50) -> Places:
    """At most ``points`` evaluations from the first to the last; problems' budgets (P,) are at least 1."""
    if (budgets == budgets[0]).all():
        at = np.unique(np.linspace(1, budgets[0], min(points, int(budgets[0]))).round().astype(int))
        return Places(at, "evaluations", np.tile(at - 1, (len(budgets), 1)))
    share = np.arange(1, points + 1) / points
    index = np.ceil(share * budgets[:, None] - 1e-9).astype(int) - 1
    return Places(100.0 * share, "share of the budget (%)", index)
