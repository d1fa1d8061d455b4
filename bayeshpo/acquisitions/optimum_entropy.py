"""Entropy of the optimum's location: what a trial says of where the function is lowest.

I(y(x); x*) = H[y(x)] - E[H[y(x) | x*]], which is the expected loss of entropy of x* (Villemonteix et al. 2009; Hennig
and Schuler 2012; in this form Hernandez-Lobato et al. 2014), over the function and the hyperparameters together.
Minima of functions drawn under all draws are told apart by which of some places they are closest to; given the place,
y(x) is a mixture over the functions whose minimum is there, of which the variance stands for the entropy:

    1/2 log Var y - sum_i p_i 1/2 log Var(y | x* in cell i).
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np

from bayeshpo.acquisitions.base import Acquisition, Candidates, Known, check_count, contracted
from bayeshpo.acquisitions.outlook import Outlook
from bayeshpo.surrogates.symbolic import pt


@dataclass(frozen=True)
class OptimumEntropy(Acquisition):
    """Information in a trial about the minimum's place, in nats.

    Parameters
    ----------
    minima
        Functions drawn, each for its minimum, for each draw of the hyperparameters.
    cells
        Places that are told apart.
    """

    minima: int = 16
    cells: int = 16
    name = "optimum_entropy"
    logarithmic = False
    known = MappingProxyType({"pull": 3, "whitening": 3, "cell": 3})
    joint = True
    noisy = True
    most_draws = 128

    def __post_init__(self) -> None:
        check_count(self.name, "minima", self.minima)
        check_count(self.name, "cells", self.cells)

    def look(self, outlook: Outlook) -> Known:
        """At the minima K^-1 (f - m) (S, R, R), the inverse factors of K (S, R, R), and each one's cell (S, R, I)."""
        found = outlook.minima(self.minima)
        anchored = outlook.anchored(found.place)
        arrays = {
            "pull": anchored.pull(found.paths),
            "whitening": anchored.whitening,
            "cell": _cells(found.place, self.cells, outlook.rng),
        }
        return Known(arrays, anchored)

    def over_draws(self, at: Candidates, known: Any, weight: Any) -> Any:
        """Information (m,)."""
        weight = weight / self.minima

        def in_cells(values: Any) -> Any:
            """Weighted sums (m, I) of values (S, m, R) over the functions of each cell."""
            return pt.sum(contracted(weight[:, :, None] * values, known.cell), axis=0)

        explained = pt.sqr(contracted(at.covariance, known.whitening)).sum(axis=2)
        variance = pt.maximum(at.variance - explained, 0.0) + at.noise
        mean = at.mean[:, :, None] + contracted(at.covariance, known.pull)
        mean = mean - pt.sum(weight[:, :, None] * mean, axis=(0, 2))[:, None]
        share, first = in_cells(pt.ones_like(mean)), in_cells(mean)
        second = in_cells(pt.sqr(mean) + variance[:, :, None])
        # A cell that none of these draws has counts for nothing.
        there = share > 0.0
        share = pt.switch(there, share, 1.0)
        within = pt.switch(there, second / share - pt.sqr(first / share), 1.0)
        total = second.sum(axis=1) - pt.sqr(first.sum(axis=1))
        return 0.5 * (pt.log(total) - pt.sum(share * pt.log(within), axis=1))


def _cells(place: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    """Indicators (S, R, I) of the closest of ``count`` of the places (S, R, D), drawn as often as they are minima."""
    points = place.reshape(-1, place.shape[2])
    distinct, times = np.unique(points, axis=0, return_counts=True)
    centres = distinct[rng.choice(len(distinct), min(count, len(distinct)), replace=False, p=times / times.sum())]
    distances = np.square(points[:, None, :] - centres).sum(axis=2)
    return np.eye(len(centres))[distances.argmin(axis=1)].reshape(*place.shape[:2], -1)
