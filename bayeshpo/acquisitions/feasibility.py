"""Probability that a configuration finishes, from the trials that failed.

A correlated Beta process (Goetschalckx, Poupart and Hoey 2011): each trial is a Bernoulli observation whose weight
falls with its distance, on top of a prior that expects success but counts as one trial only, Beta(0.8, 0.2):
P(x) = (0.8 + sum_ok w) / (1 + sum_all w), w = exp(-|x - x_i|^2 / (2 l^2)), l = 0.15 sqrt(D). Without failures nothing
is known against any place: P = 1.
"""

from __future__ import annotations

from typing import Any

PRIOR_SUCCESSES, PRIOR_FAILURES = 0.8, 0.2
_LENGTHSCALE = 0.15


def log_feasibility(xp: Any, Z: Any, finished: Any, failed: Any) -> Any:
    """Log probability (m,) of finishing at Z (m, D), given finished (n, D) and failed (k, D) points.

    ``xp`` is numpy, or pytensor.tensor for the symbolic form.
    """
    successes = PRIOR_SUCCESSES + _weights(xp, Z, finished)
    failures = PRIOR_FAILURES * (failed.shape[0] > 0) + _weights(xp, Z, failed)
    return xp.log(successes / (successes + failures))


def _weights(xp: Any, Z: Any, points: Any) -> Any:
    squared = ((Z[:, None, :] - points[None, :, :]) ** 2).sum(axis=2)
    return xp.exp(-0.5 * squared / (_LENGTHSCALE**2 * Z.shape[1])).sum(axis=1)
