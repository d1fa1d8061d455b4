"""Learning curves of a history's trials, on the scale of the standardised losses."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bayeshpo.history import History
from bayeshpo.surrogates.scale import Scale

# Points of a curve that are used, its end among them, and the share of its successor's fidelity that one has at most:
# about equally far apart in the logarithm, over the last two and a half doublings of the training.
POINTS, _NEXT = 6, 0.5**0.5


@dataclass(frozen=True)
class Curve:
    """What one training went through.

    Attributes
    ----------
    x
        Its point of the unit cube (D,).
    fidelity, y
        Shares of the training (k,) in (0, 1], increasing, and the standardised losses (k,) after them.
    """

    x: np.ndarray
    fidelity: np.ndarray
    y: np.ndarray

    @property
    def stopped(self) -> bool:
        """Whether the training ended before its end."""
        return bool(self.fidelity[-1] < 1.0)

    @property
    def thinned(self) -> Curve:
        """Read back from its last point, each time on to the latest one of at most 1/sqrt(2) of that fidelity."""
        kept = [len(self.fidelity) - 1]
        while len(kept) < POINTS:
            before = np.flatnonzero(self.fidelity <= _NEXT * self.fidelity[kept[-1]])
            if len(before) == 0:
                break
            kept.append(int(before[-1]))
        return Curve(self.x, self.fidelity[kept[::-1]], self.y[kept[::-1]])


def curves_of(history: History, scale: Scale) -> tuple[Curve, ...]:
    """Curves of the trials that finished with one, or were stopped.

    A loss that is capped is no point of a curve: one that stands at the cap does not stand still. A training that ended
    there has no curve, or if it was stopped only its last point. Of a training that was taken up again the last trial
    has the whole curve.
    """
    found = []
    trials = zip(history.X, history.trials, history.taken_up, history.curves, history.losses, strict=True)
    for x, trial, taken_up, points, loss in trials:
        if taken_up:
            continue
        if trial.finished and len(points):
            points = np.vstack([points, [1.0, loss]])
        elif not trial.stopped:
            continue
        told = points[:, 1] <= scale.highest
        if told[-1]:
            points = points[told]
        elif trial.stopped:
            points = points[-1:]
        else:
            continue
        found.append(Curve(x, points[:, 0], scale(points[:, 1])))
    return tuple(found)
