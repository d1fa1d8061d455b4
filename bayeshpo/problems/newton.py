"""Damped Newton: inner problems solved so well that hypergradients are exact."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.linalg import solve

_MOST_STEPS = 200


@dataclass(frozen=True)
class Minimum:
    """The weights (k,) of a smooth convex function's minimum, its Hessian (k, k) there, and the passes that it took."""

    weights: np.ndarray
    hessian: np.ndarray
    passes: int


def minimised(
    function: Callable[[np.ndarray], tuple[float, np.ndarray]],
    hessian: Callable[[np.ndarray], np.ndarray],
    dimension: int,
    *,
    tolerance: float,
) -> Minimum:
    """Newton's steps from zero, halved until they go down enough, until the Newton decrement is at the tolerance.

    Parameters
    ----------
    function
        Value and gradient (k,) at weights (k,).
    hessian
        Positive definite (k, k) at weights (k,).
    dimension
        Number of weights k.
    tolerance
        About what the weights may be off by, as the function measures it.

    Raises
    ------
    ArithmeticError
        If it does not converge.
    """
    weights = np.zeros(dimension)
    loss, slope = function(weights)
    passes = 1
    for _ in range(_MOST_STEPS):
        curvature = hessian(weights)
        step = solve(curvature, slope, assume_a="pos")
        decrement = float(slope @ step)
        if decrement <= tolerance**2:
            return Minimum(weights, curvature, passes)
        size = 1.0
        while True:
            new_loss, new_slope = function(weights - size * step)
            passes += 1
            # The slack lets the last steps through, whose gain is below the rounding error of the loss.
            if new_loss <= loss - 0.25 * size * decrement + 1e-15:
                break
            size /= 2
        weights, loss, slope = weights - size * step, new_loss, new_slope
    raise ArithmeticError(f"expected Newton to converge within {_MOST_STEPS} steps from zero")
