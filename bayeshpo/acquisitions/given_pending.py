"""An improvement while trials are pending: over what they may bring, averaged over functions drawn there.

Under each draw of the hyperparameters one function is drawn jointly at the pending points. Given it, f at a candidate
is normal, its mean has moved and its variance is less, and the pending trials are incumbents at what was drawn.
Proposals one after the other are then the greedy choice of a batch of largest joint improvement (Wilson et al. 2018).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from bayeshpo.acquisitions.base import Acquisition, Candidates, Known, given
from bayeshpo.acquisitions.outlook import Outlook


@dataclass(frozen=True)
class GivenPending(Acquisition):
    """An acquisition of single points, of one objective or of several, given functions drawn at pending trials.

    Parameters
    ----------
    of
        What it is when nothing is pending.
    """

    of: Acquisition
    joint = True
    draws_pending = True

    def __post_init__(self) -> None:
        dimensions = 4 if self.of.objectives else 3
        object.__setattr__(self, "known", {**self.of.known, "pull": dimensions, "whitening": dimensions})
        for name in ("name", "objectives", "constraints", "logarithmic", "most_draws"):
            object.__setattr__(self, name, getattr(self.of, name))

    def look(self, outlook: Outlook) -> Known:
        """What the acquisition looks at, given the functions; and how they move what is said of candidates."""
        anchored = outlook.anchored(outlook.pending)
        f = anchored.paths(1, outlook.rng)
        pull = anchored.pull(f)
        mean, _, covariance = outlook.joint(anchored, outlook.evidence.data.X)
        tried = mean + np.einsum("sna...,sa...->sn...", covariance, pull[:, :, 0])
        incumbents = np.concatenate([tried, outlook.where_finishing(f)[:, 0]], axis=1)
        known = self.of.look(replace(outlook, drawn=incumbents))
        return Known({**known.arrays, "pull": pull, "whitening": anchored.whitening}, anchored)

    def times(self, value: Any, log_factor: Any) -> Any:
        """As the acquisition has it."""
        return self.of.times(value, log_factor)

    def chosen(self, Q: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """As the acquisition has it."""
        return self.of.chosen(Q, rng)

    def over_draws(self, at: Candidates, known: Any, weight: Any) -> Any:
        """Value (m,) of the acquisition for f given the functions."""
        mean, variance = given(at, known.pull, known.whitening)
        return self.of.over_draws(Candidates(mean[:, :, 0], variance), known, weight)
