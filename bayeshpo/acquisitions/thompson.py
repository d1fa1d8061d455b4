"""Thompson sampling: one function drawn from the posterior, and where it is lowest (Thompson 1933).

The function is drawn exactly, jointly at the points that may be lowest, under one draw of the hyperparameters; between
these points its mean given what was drawn stands for it, m(x) + c(x) K^-1 (f - m), which has a gradient.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np

from bayeshpo.acquisitions.base import Acquisition, Candidates, Known
from bayeshpo.acquisitions.outlook import Outlook
from bayeshpo.surrogates.symbolic import pt


@dataclass(frozen=True)
class ThompsonSampling(Acquisition):
    """Minus a function drawn from the posterior, in standardised losses; another one for each proposal."""

    name = "thompson"
    known = MappingProxyType({"pull": 2})
    joint = True
    # A batch is functions drawn from one posterior: what is pending tells the next one nothing.
    draws_pending = True
    # The one draw is among those that the search sees, so that the choice is made on the same function.
    most_draws = 64

    def chosen(self, Q: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """One at random (1, Q)."""
        return Q[[rng.integers(len(Q))]]

    def look(self, outlook: Outlook) -> Known:
        """K^-1 (f - m) (S, a) at the anchors, the points that may be lowest."""
        anchored = outlook.anchored(outlook.may_be_lowest)
        return Known({"pull": anchored.pull(anchored.paths(1, outlook.rng))[:, :, 0]}, anchored)

    def over_draws(self, at: Candidates, known: Any, weight: Any) -> Any:
        """Minus the function (m,)."""
        return -pt.sum(weight * (at.mean + pt.sum(at.covariance * known.pull[:, None, :], axis=2)), axis=0)
