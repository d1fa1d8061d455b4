"""Probability that a configuration finishes, from the trials that failed.

A correlated Beta process (Goetschalckx, Poupart and Hoey 2011): each trial is a Bernoulli observation whose weight
falls with its distance, on top of a prior that expects success but counts as one trial only, Beta(0.8, 0.2):
P(x) = (0.8 + sum_ok w) / (1 + sum_all w), w = exp(-|x - x_i|^2 / (2 l^2)), l = 0.15 sqrt(D). Without failures nothing
is known against any place: P = 1.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

from bayeshpo.surrogates.symbolic import UNCOMPILED, function, grad, pt

PRIOR_SUCCESSES, PRIOR_FAILURES = 0.8, 0.2
_LENGTHSCALE = 0.15


def log_feasibility(Z: np.ndarray, finished: np.ndarray, failed: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Log probability (m,) of finishing at Z (m, D) and its gradient (m, D), given finished (n, D), failed (k, D)."""
    if len(failed) == 0:
        return np.zeros(len(Z)), np.zeros(Z.shape)
    value, gradient = _function()(Z, finished, failed)
    return value, gradient


@cache
def _function() -> Any:
    Z, finished, failed = pt.dmatrix("Z"), pt.dmatrix("finished"), pt.dmatrix("failed")
    successes = PRIOR_SUCCESSES + _weights(Z, finished)
    value = pt.log(successes / (successes + PRIOR_FAILURES + _weights(Z, failed)))
    return function([Z, finished, failed], [value, grad(pt.sum(value), Z)], mode=UNCOMPILED)


def _weights(Z: Any, points: Any) -> Any:
    squared = pt.sqr(Z[:, None, :] - points[None, :, :]).sum(axis=2)
    return pt.exp(-0.5 * squared / (_LENGTHSCALE**2 * Z.shape[1])).sum(axis=1)
