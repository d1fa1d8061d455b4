"""What a surrogate is fitted to: finished trials with standardised losses, and what else they brought."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

import numpy as np

from bayeshpo.history import History
from bayeshpo.surrogates.curves import Curve, curves_of
from bayeshpo.surrogates.scale import Scale

# Arrays of outcomes beside the losses, in units of the standardised loss.
_MORE_OUTCOMES = ("slopes", "rise", "stopped_y")


class Reader(Protocol):
    """What a surrogate makes of trials beside the losses of the finished ones, as `Surrogate` says it."""

    expects_outliers: bool
    foresees_trainings: bool


@dataclass(frozen=True)
class TrainingData:
    """What a surrogate is fitted to.

    Attributes
    ----------
    X
        Points of the unit cube (n, D) of the finished trials.
    y
        Their losses, standardised (n,).
    location, scale
        loss = location + scale y; losses that are far off count as less far, see `Scale`.
    failed
        Points (m, D) of the failed trials.
    lowest
        The lowest of the losses that the scale was made of, standardised; 0, their mean, where there are none. Like
        location and scale it stays what it is for trials that are believed or simulated.
    arrays
        What a surrogate computes from the trials once a fit, by name; see `Surrogate.prepared`.
    slopes
        Derivatives (n, D) of y by the continuous coordinates of X, NaN where there is none; None where no trial brought
        any. A loss that was capped has none.
    errors
        Standard errors (n,) of y, 0 where none is known; None where no trial brought any.
    curves
        Learning curves of finished and of stopped trials, for surrogates that read them; of other surrogates' data a
        stopped trial is no part.
    bounds
        Points (m, D) of censored trials, and what their y is at least (m,), for the surrogate that reads them; None
        where there is none.
    """

    X: np.ndarray
    y: np.ndarray
    location: float
    scale: float
    failed: np.ndarray
    lowest: float = 0.0
    arrays: Mapping[str, np.ndarray] = field(default_factory=dict)
    slopes: np.ndarray | None = None
    errors: np.ndarray | None = None
    curves: tuple[Curve, ...] = ()
    bounds: tuple[np.ndarray, np.ndarray] | None = None

    @classmethod
    def none(cls, dimension: int) -> TrainingData:
        """No trials at all, of a space with so many columns."""
        return cls(np.empty((0, dimension)), np.empty(0), 0.0, 1.0, np.empty((0, dimension)))

    @classmethod
    def of(cls, history: History, surrogate: Reader | None = None, *, limits: Sequence[float] = ()) -> TrainingData:
        """The finished trials with standardised losses, see `Scale`.

        The last losses of stopped trials count for the scale too where the surrogate foresees trainings, of which few
        are finished; so do they, and bounds, where fewer than two trials have finished.

        Parameters
        ----------
        history
            All trials.
        surrogate
            What is to read them; where outliers are expected they are told as they are.
        limits
            Losses that matter as such.
        """
        kept = history.finished
        losses = history.losses[kept]
        last = [curve[-1, 1] for curve, stopped in zip(history.curves, history.stopped, strict=True) if stopped]
        censored = np.isfinite(history.bounds)
        bounds = history.bounds[censored]
        few = len(losses) < 2
        foreseen = last if few or (surrogate is not None and surrogate.foresees_trainings) else []
        known = np.array([*losses, *foreseen, *(bounds if few else [])])
        scale = Scale.of(known, outliers=surrogate is not None and surrogate.expects_outliers, limits=limits)
        points = history.X.reshape(-1, history.space.dimension)
        X, flat = points[kept], (losses < scale.lowest) | (losses > scale.highest)
        slopes = np.where(history.space.continuous & ~flat[:, None], history.gradients[kept] / scale.scale, np.nan)
        slopes = np.where(np.isfinite(slopes) & history.space.active(X), slopes, np.nan)
        errors = history.standard_errors[kept] / scale.scale
        y = scale(losses)
        return cls(
            X, y, scale.location, scale.scale, points[history.failed], lowest(y),
            slopes=slopes if np.isfinite(slopes).any() else None,
            errors=np.nan_to_num(errors) if np.isfinite(errors).any() else None,
            curves=curves_of(history, scale),
            bounds=(points[censored], scale(bounds)) if len(bounds) else None,
        )  # fmt: skip

    @property
    def outcomes(self) -> int:
        """How many there are: the losses, and what else the arrays have in their unit."""
        return len(self.y) + sum(len(self.arrays.get(name, ())) for name in _MORE_OUTCOMES)

    @property
    def log_unit(self) -> float:
        """Log of the unit of a density of the outcomes."""
        return self.outcomes * float(np.log(self.scale))

    def extended(self, X: np.ndarray, y: np.ndarray) -> TrainingData:
        """With more points (m, D) and outcomes (m,), and no more known of them; the arrays stay those of the fit."""
        slopes = None if self.slopes is None else np.concatenate([self.slopes, np.full_like(X, np.nan)])
        errors = None if self.errors is None else np.concatenate([self.errors, np.zeros(len(y))])
        X, y = np.concatenate([self.X, X]), np.concatenate([self.y, y])
        return replace(self, X=X, y=y, slopes=slopes, errors=errors)

    def named(self) -> dict[str, np.ndarray]:
        """X, y and the arrays by name, as compiled functions take them: contiguous, in this order."""
        named = {"X": self.X, "y": self.y} | dict(self.arrays)
        return {name: np.ascontiguousarray(a, dtype=np.float64) for name, a in named.items()}


def lowest(y: np.ndarray) -> float:
    """Of standardised losses (n,), of which there may be none: these have the mean 0."""
    return float(np.min(y, initial=0.0))
