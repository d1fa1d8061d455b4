"""Quasi-Newton ascent of several points of the unit cube side by side, each with steps of its own.

BFGS with a projection onto the cube and backtracking (Bertsekas 1982; Nocedal and Wright 2006, chapters 3 and 6). All
points that are on their way are evaluated in one call, as that costs little more than one of them; a joint optimiser of
their sum would take the steps of the smoothest hill on all of them.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

ValueAndGradient = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]

# Calls at most.
_MOST = 60
# How far the largest coordinate moves in the first step, and in any.
_FIRST, _FARTHEST = 0.02, 0.3
# The share of the linear gain that a step must bring, and what a step is shortened by that does not.
_ENOUGH, _SHORTER = 1e-4, 0.25
# A point has arrived when its slope promises less gain than this, or it would move less.
_GAIN, _STILL = 1e-8, 1e-7
# Below this share of its largest value, the curvature along a step says nothing.
_CURVED = 1e-8


def ascend(function: ValueAndGradient, start: np.ndarray, moves: np.ndarray) -> np.ndarray:
    """Points (m, D) that are no worse than those at the start (m, D).

    Parameters
    ----------
    function
        Values (k,) and gradients (k, D) at points (k, D). A value or slope that is no number counts as no gain.
    start
        Where each point begins.
    moves
        Which coordinates of each point may move (m, D), within [0, 1]; the others stay what they are.
    """

    def evaluated(Z: np.ndarray, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        value, slope = function(Z)
        finite = np.isfinite(value) & np.isfinite(slope).all(axis=1)
        return np.where(finite, value, -np.inf), np.where(finite[:, None] & moves[rows], slope, 0.0)

    Z, every = start.copy(), np.arange(len(start))
    value, slope = evaluated(Z, every)
    inverse = np.repeat(np.eye(Z.shape[1])[None], len(Z), axis=0)
    begun = np.zeros(len(Z), dtype=bool)
    step = _direction(Z, slope, inverse, begun)
    on = every[np.isfinite(value)]
    for _ in range(_MOST):
        on = on[np.abs(step[on]).max(axis=1, initial=0.0) > _STILL]
        if len(on) == 0:
            break
        there = np.where(moves[on], np.clip(Z[on] + step[on], 0.0, 1.0), Z[on])
        found, rise = evaluated(there, on)
        moved = there - Z[on]
        taken = found - value[on] >= _ENOUGH * np.maximum((slope[on] * moved).sum(axis=1), 0.0)
        step[on[~taken]] *= _SHORTER
        rows = on[taken]
        fallen = slope[rows] - rise[taken]
        inverse[rows], begun[rows] = _updated(inverse[rows], begun[rows], moved[taken], fallen)
        Z[rows], value[rows], slope[rows] = there[taken], found[taken], rise[taken]
        step[rows] = _direction(Z[rows], slope[rows], inverse[rows], begun[rows])
        promised = (slope[rows] * step[rows]).sum(axis=1)
        step[rows[promised <= _GAIN * np.maximum(1.0, np.abs(value[rows]))]] = 0.0
    return Z


def _direction(Z: np.ndarray, slope: np.ndarray, inverse: np.ndarray, begun: np.ndarray) -> np.ndarray:
    """Steps (m, D) along the inverse curvatures (m, D, D), within the faces of the cube that points are held to."""
    free = ~(((Z <= 0.0) & (slope < 0.0)) | ((Z >= 1.0) & (slope > 0.0)))
    along = np.where(free, slope, 0.0)
    step = np.where(free, np.einsum("mij,mj->mi", inverse, along), 0.0)
    uphill = (step * slope).sum(axis=1) > 0.0
    step = np.where(uphill[:, None], step, along)
    length = np.abs(step).max(axis=1, initial=0.0)
    # Nothing is known of the curvature before the first step.
    most = np.where(begun & uphill, np.minimum(length, _FARTHEST), np.where(length > 0.0, _FIRST, 0.0))
    return step * (most / np.where(length > 0.0, length, 1.0))[:, None]


def _updated(
    inverse: np.ndarray, begun: np.ndarray, moved: np.ndarray, change: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """BFGS updates of inverse curvatures (m, D, D) by steps (m, D) and how much slopes have fallen (m, D)."""
    along = (moved * change).sum(axis=1)
    curved = along > _CURVED * np.linalg.norm(moved, axis=1) * np.linalg.norm(change, axis=1)
    along = np.where(curved, along, 1.0)
    scale = along / np.maximum((change * change).sum(axis=1), np.finfo(float).tiny)
    H = np.where(begun[:, None, None], inverse, scale[:, None, None] * np.eye(moved.shape[1]))
    share = moved / along[:, None]
    Hy = np.einsum("mij,mj->mi", H, change)
    outer = np.einsum("mi,mj->mij", share, Hy)
    stretch = (1.0 + (change * Hy).sum(axis=1) / along)[:, None, None] * np.einsum("mi,mj->mij", share, moved)
    new = H - outer - outer.transpose(0, 2, 1) + stretch
    return np.where(curved[:, None, None], new, inverse), begun | curved
