"""Central differences that know how far they can be trusted."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

STEP = 1e-5


def central_differences(f: Callable[[np.ndarray], np.ndarray], points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Slopes (m, D) at points (m, D) of a function from points (k, D) to values (k,), and their errors (m, D).

    The error is how much the slope changes with twice the step: three times what is cut off, and about what rounding
    adds.
    """
    once, twice = (_slopes(f, points, step) for step in (STEP, 2.0 * STEP))
    return once, np.abs(twice - once)


def _slopes(f: Callable[[np.ndarray], np.ndarray], points: np.ndarray, step: float) -> np.ndarray:
    m, D = points.shape
    moved = points[None, :, None, :] + step * np.array([1.0, -1.0])[:, None, None, None] * np.eye(D)
    up, down = f(moved.reshape(-1, D)).reshape(2, m, D)
    return (up - down) / (2.0 * step)
