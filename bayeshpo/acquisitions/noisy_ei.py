"""Noisy expected improvement: what is best so far is not known either (Letham et al. 2019).

log E[max(min f(X) - f(x), 0)], over draws of the hyperparameters and joint draws of f at those trials X that may be the
best one; given these, f(x) is normal and the improvement over their minimum has its closed form.

Pending trials are among X, so that proposals one after the other are the greedy choice of a batch of largest joint
improvement, E[max(min f(X) - min f(batch), 0)], of which each adds what is written above (Wilson et al. 2018).
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np

from bayeshpo.acquisitions.base import Acquisition, Candidates, Known, check_count, given, log_mean, log_sum
from bayeshpo.acquisitions.normal import log_h
from bayeshpo.acquisitions.outlook import Outlook
from bayeshpo.surrogates.symbolic import pt

# Trials that may be the best one, of each draw.
_MAY_BE_BEST = 16


@dataclass(frozen=True)
class NoisyExpectedImprovement(Acquisition):
    """log of the mean improvement over the lowest f among the trials within all limits; see `constrained_ei`.

    Parameters
    ----------
    paths
        Joint draws of f at the trials, for each draw of the hyperparameters.
    """

    paths: int = 16
    name = "noisy_ei"
    known = MappingProxyType({"best": 2, "pull": 3, "whitening": 3})
    joint = True
    draws_pending = True
    constraints = True
    most_draws = 256

    def __post_init__(self) -> None:
        check_count(self.name, "paths", self.paths)

    def look(self, outlook: Outlook) -> Known:
        """At trials, pending ones too: the lowest f (S, R), K^-1 (f - m) (S, a, R), inverse factors of K (S, a, a)."""
        told = outlook.evidence
        best = outlook.possible(told.data.X[told.counting], _MAY_BE_BEST)
        anchored = outlook.anchored(np.concatenate([best, outlook.pending], axis=1))
        f = anchored.paths(self.paths, outlook.rng)
        tried, pending = np.split(f, [best.shape[1]], axis=2)
        lowest = tried.min(axis=2) if told.eligible.any() else outlook.incumbent(outlook.tried)[:, None]
        lowest = np.minimum(lowest, outlook.where_finishing(pending).min(axis=2, initial=np.inf))
        return Known({"best": lowest, "pull": anchored.pull(f), "whitening": anchored.whitening}, anchored)

    def over_draws(self, at: Candidates, known: Any, weight: Any) -> Any:
        """log improvement (m,)."""
        mean, variance = given(at, known.pull, known.whitening)
        s = pt.sqrt(variance)[:, :, None]
        log_improvement = pt.log(s) + log_h((known.best[:, None, :] - mean) / s)
        return log_mean(log_sum(log_improvement, axis=2) - np.log(self.paths), weight)
