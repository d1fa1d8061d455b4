"""Gradient search for black boxes, by finite differences."""

from __future__ import annotations

import numpy as np

from bayeshpo.errors import SpecificationError
from bayeshpo.searchers.gradient.base import GradientSearcher
from bayeshpo.searchers.gradient.descent import FAILED, Answer, Conversation, Slope

# Two values nearer than this part of the step say more about noise than about slope.
_CLOSEST = 0.1


class FiniteDifferenceSearcher(GradientSearcher):
    """Projected quasi-Newton descents on central differences, restarted from new Sobol points; every probe is a trial.

    Central differences cost 2 D trials a gradient, where simultaneous perturbation (SPSA; Spall, 1992) costs 2. Here D
    is small and trials have little noise: the D-fold cheaper gradient has a D-fold larger variance, which rules out
    both a line search and curvature, and these save more than the probes cost. Differences are taken over a wide step,
    so that the roughness of a validation loss averages out; at bounds the probe is cut, and the slope that of the
    parabola through three unevenly spaced points, exact to second order. The second differences come free, and scale
    the first step of a descent by coordinate. Where a probe fails, the slope is one-sided;
    where both do, the coordinate stays.

    Parameters
    ----------
    step
        Half-width of a central difference, as a part of the unit interval.
    tolerance
        A descent ends, and the next one starts, when its moves fall below this part of the unit interval.
    """

    name = "finite_difference"

    def __init__(self, step: float = 0.02, tolerance: float = 1e-3) -> None:
        if not 0 < step < 0.5:
            raise SpecificationError(f"{self.name}: expected a step in (0, 0.5), got {step}")
        super().__init__(tolerance)
        self.step = step

    def slope(self, x: np.ndarray, answer: Answer) -> Conversation[Slope | None]:
        """Central differences, first and second, from up to 2 D probes."""
        ahead, behind = np.minimum(self.step, 1 - x), np.minimum(self.step, x)
        widths = np.column_stack([ahead, behind]).ravel()
        wide = widths >= _CLOSEST * self.step
        offsets = np.repeat(np.eye(len(x)), 2, axis=0) * (widths * np.tile([1, -1], len(x)))[:, None]
        replies = iter((yield x + offsets[wide]))
        losses = np.array([(next(replies) if ok else FAILED).loss for ok in wide]).reshape(len(x), 2)
        forward = np.array([_quotient(a - answer.loss, w) for a, w in zip(losses[:, 0], ahead, strict=True)])
        backward = np.array([_quotient(answer.loss - b, w) for b, w in zip(losses[:, 1], behind, strict=True)])
        return _parabola(forward, backward, ahead, behind)


def _quotient(difference: float, width: float) -> float:
    return difference / width if np.isfinite(difference) else np.nan


def _parabola(forward: np.ndarray, backward: np.ndarray, ahead: np.ndarray, behind: np.ndarray) -> Slope:
    """Derivatives at the centre of the parabola through three points, from its two difference quotients (D,).

    Where one quotient is NaN, the slope is the other and the curvature the largest that is known; where both are, the
    slope is zero.
    """
    both = np.isfinite(forward) & np.isfinite(backward)
    one = np.where(np.isfinite(forward), forward, np.nan_to_num(backward))
    width = ahead + behind
    gradient = np.where(both, (behind * forward + ahead * backward) / width, one)
    if not both.any():
        return Slope(gradient)
    curvatures = 2 * (forward - backward) / width
    return Slope(gradient, np.where(both, curvatures, np.abs(curvatures[both]).max()))
