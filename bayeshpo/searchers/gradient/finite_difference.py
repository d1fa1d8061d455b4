"""Gradient search for black boxes, by finite differences."""

from __future__ import annotations

import numpy as np

from bayeshpo.errors import SpecificationError
from bayeshpo.searchers.gradient.base import GradientSearcher
from bayeshpo.searchers.gradient.descent import FAILED, Answer, Conversation

# Two values nearer than this part of the step say more about noise than about slope.
_CLOSEST = 0.1


class FiniteDifferenceSearcher(GradientSearcher):
    """Projected quasi-Newton descents on central differences, restarted from new Sobol points; every probe is a trial.

    Central differences cost 2 D trials a gradient, where simultaneous perturbation (SPSA; Spall, 1992) costs 2. Here D
    is small and trials have little noise: the D-fold cheaper gradient has a D-fold larger variance, which rules out
    both a line search and curvature, and these save more than the probes cost. Differences are taken over a wide step,
    so that the roughness of a validation loss averages out; at bounds the probe is cut, and the slope that of the
    parabola through three unevenly spaced points, exact to second order. Where a probe fails, the slope is one-sided;
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

    def slope(self, x: np.ndarray, answer: Answer) -> Conversation[np.ndarray | None]:
        """The slope (D,) by central differences, from up to 2 D probes."""
        ahead, behind = np.minimum(self.step, 1 - x), np.minimum(self.step, x)
        widths = np.column_stack([ahead, behind]).ravel()
        wide = widths >= _CLOSEST * self.step
        offsets = np.repeat(np.eye(len(x)), 2, axis=0) * (widths * np.tile([1, -1], len(x)))[:, None]
        replies = iter((yield x + offsets[wide]))
        losses = np.array([(next(replies) if ok else FAILED).loss for ok in wide]).reshape(len(x), 2)
        sides = zip(losses, ahead, behind, strict=True)
        return np.array([_derivative(answer.loss, above, below, a, b) for (above, below), a, b in sides])


def _derivative(centre: float, above: float, below: float, ahead: float, behind: float) -> float:
    """Derivative at the centre of the parabola through three points, or of the line through two; infinite = unknown."""
    forward = (above - centre) / ahead if np.isfinite(above) else None
    backward = (centre - below) / behind if np.isfinite(below) else None
    if forward is None or backward is None:
        return forward if forward is not None else (backward or 0.0)
    return (behind * forward + ahead * backward) / (ahead + behind)
