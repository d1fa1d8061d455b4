"""Knowledge gradient: how much lower the lowest mean is expected to be after a trial (Frazier et al. 2009).

A trial's loss at x is N(m(x), s(x) + noise), and moves the mean at x' by c(x, x') t / sqrt(s(x) + noise), t ~ N(0, 1):

    min m(x') - E[min m(x' | loss)]

of each draw, over x' in a few places where the minimum may be, the best trial, and x itself. Lines in t, of which the
expectation of the lowest is known (`best_line`).
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np

from bayeshpo.acquisitions.base import Acquisition, Candidates, Known, check_count
from bayeshpo.acquisitions.best_line import lower_by
from bayeshpo.acquisitions.outlook import Outlook
from bayeshpo.surrogates.symbolic import pt

# Less than this is what rounding makes of lines that are the same, as of a candidate at one of the places.
_LEAST = 1e-10


@dataclass(frozen=True)
class KnowledgeGradient(Acquisition):
    """log of the mean over draws of how much lower the lowest mean will be, in standardised losses.

    Parameters
    ----------
    places
        Minima of functions that were drawn, for each draw of the hyperparameters, among which a mean may be lowest.
    """

    places: int = 16
    name = "knowledge_gradient"
    known = MappingProxyType({"mean_there": 2})
    joint = True
    noisy = True
    learns_function = True
    most_draws = 256

    def __post_init__(self) -> None:
        check_count(self.name, "places", self.places)

    def look(self, outlook: Outlook) -> Known:
        """Means (S, k) at the places, which are the anchors."""
        best = outlook.evidence.data.X[outlook.tried.argmin(axis=1)]
        places = np.concatenate([outlook.minima(self.places).place, best[:, None, :]], axis=1)
        anchored = outlook.anchored(places)
        return Known({"mean_there": anchored.mean}, anchored)

    def over_draws(self, at: Candidates, known: Any, weight: Any) -> Any:
        """log decrease (m,)."""
        step = pt.sqrt(at.variance + at.noise)[:, :, None]
        there = pt.zeros_like(at.covariance) + known.mean_there[:, None, :]
        level = pt.concatenate([there, at.mean[:, :, None]], axis=2)
        slope = pt.concatenate([at.covariance, at.variance[:, :, None]], axis=2) / step
        return pt.log(pt.sum(weight * lower_by(level, slope), axis=0) + _LEAST)
