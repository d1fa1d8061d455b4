"""Projected quasi-Newton descent in the unit cube, written as a conversation with whoever evaluates.

The generators here yield points (m, D) to evaluate and are sent their answers. The method is Bertsekas's two-metric
projection (1982) with a BFGS inverse Hessian (Nocedal and Wright, 2006, eq. 6.17) and backtracking along the projected
path with safeguarded quadratic interpolation (eq. 3.58).
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass

import numpy as np

_FIRST_MOVE = 0.1
_LONGEST_MOVE = 0.3
_NEAR_BOUND = 0.01
_SUFFICIENT = 1e-4
_LEAST_CURVATURE = 1e-8
_FLATTEST = 1e-3


@dataclass(frozen=True)
class Answer:
    """What an evaluation gave: the loss, infinite if it failed, and the gradient (D,) by coordinate if it came."""

    loss: float
    gradient: np.ndarray | None = None


FAILED = Answer(np.inf)


@dataclass(frozen=True)
class Slope:
    """The gradient (D,) at a point, and the second derivatives (D,) by coordinate where they come with it."""

    gradient: np.ndarray
    curvatures: np.ndarray | None = None


type Conversation[T] = Generator[np.ndarray, list[Answer], T]
type SlopeAt = Callable[[np.ndarray, Answer], Conversation[Slope | None]]


def descend(start: np.ndarray, slope_at: SlopeAt, tolerance: float) -> Conversation[None]:
    """Descend from a start (D,) until the next move would be shorter than the tolerance.

    Parameters
    ----------
    start
        A point of the unit cube.
    slope_at
        Gives the slope at a point whose answer is known, asking for further evaluations if it needs them; None where
        there is none, which ends the descent.
    tolerance
        Shortest move, as the largest change of a coordinate.
    """
    x, here = start, (yield start[None])[0]
    if not np.isfinite(here.loss):
        return
    slope = yield from slope_at(x, here)
    inverse, reach = None, _FIRST_MOVE
    while slope is not None:
        if inverse is None:
            inverse = diagonal(slope.curvatures)
        move = direction(x, slope.gradient, inverse)
        longest = np.abs(move).max()
        if longest == 0:
            return
        if inverse is None or longest > _LONGEST_MOVE:
            move *= (reach if inverse is None else _LONGEST_MOVE) / longest
        found = yield from _backtrack(x, here, slope.gradient, move, tolerance)
        if found is None:
            return
        there, answer = found
        new_slope = yield from slope_at(there, answer)
        if new_slope is not None:
            inverse = updated(inverse, there - x, new_slope.gradient - slope.gradient)
            reach = min(2 * np.abs(there - x).max(), _LONGEST_MOVE)
        x, here, slope = there, answer, new_slope


def project(x: np.ndarray) -> np.ndarray:
    """The nearest point of the unit cube."""
    return np.clip(x, 0.0, 1.0)


def direction(x: np.ndarray, gradient: np.ndarray, inverse: np.ndarray | None) -> np.ndarray:
    """A direction of descent (D,) at ``x``.

    Coordinates near a bound that the gradient pushes out go onto it; the others take the quasi-Newton step among
    themselves, which keeps the projected path downhill (Bertsekas, 1982).

    Parameters
    ----------
    x, gradient
        The point and the gradient there, each (D,).
    inverse
        Positive definite approximation (D, D) of the inverse Hessian; None for steepest descent.
    """
    low, high = (x < _NEAR_BOUND) & (gradient > 0), (x > 1 - _NEAR_BOUND) & (gradient < 0)
    move = np.where(low, -x, np.where(high, 1 - x, 0.0))
    free = ~(low | high)
    metric = np.eye(len(x)) if inverse is None else inverse
    move[free] = -metric[np.ix_(free, free)] @ gradient[free]
    return move


def diagonal(curvatures: np.ndarray | None) -> np.ndarray | None:
    """An inverse Hessian (D, D) from second derivatives (D,); None unless all are positive.

    Where the loss is concave they say how far it stays so, not where its minimum is.
    """
    if curvatures is None or not (curvatures > 0).all():
        return None
    return np.diag(1 / np.maximum(curvatures, _FLATTEST * curvatures.max()))


def updated(inverse: np.ndarray | None, step: np.ndarray, change: np.ndarray) -> np.ndarray | None:
    """The BFGS inverse Hessian (D, D) after a step (D,) and its change of gradient (D,); None without curvature."""
    curvature = float(step @ change)
    if curvature <= _LEAST_CURVATURE * np.linalg.norm(step) * np.linalg.norm(change):
        return None
    identity = np.eye(len(step))
    if inverse is None:
        inverse = curvature / float(change @ change) * identity
    left = identity - np.outer(step, change) / curvature
    return left @ inverse @ left.T + np.outer(step, step) / curvature


def _backtrack(
    x: np.ndarray, here: Answer, gradient: np.ndarray, move: np.ndarray, tolerance: float
) -> Conversation[tuple[np.ndarray, Answer] | None]:
    """The first point along the projected path that is low enough; None once moves fall below the tolerance."""
    size = 1.0
    while True:
        there = project(x + size * move)
        step = there - x
        if np.abs(step).max() < tolerance:
            return None
        promise = float(gradient @ step)
        if promise >= 0:
            size /= 2
            continue
        answer = (yield there[None])[0]
        if answer.loss <= here.loss + _SUFFICIENT * promise:
            return there, answer
        excess = answer.loss - here.loss - promise
        size *= min(max(-promise / (2 * excess), 0.1), 0.5) if np.isfinite(excess) else 0.25
