"""The standardised loss: what location and scale losses have, and how far from the others one counts as at most."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

# How far from the median losses are told apart, in spreads; and where outliers are expected.
_FAR, _FAR_OUT = 3.0, 30.0


def cap(losses: np.ndarray) -> float:
    """What losses (n,) count as at most: the median and three times the spread of the better ones.

    The spread is the distance of the median from the 10 % or from the 75 % quantile, whichever is farther. One huge
    loss would set the scale for all, and leave nothing of the differences between the good ones; that a trial is bad is
    all that the search needs to know of it. Of normal losses one in ten thousand is beyond. Infinite where the losses
    have no scale.
    """
    return _reach(losses, _FAR)[1]


@dataclass(frozen=True)
class Scale:
    """y = (loss - location) / scale, where losses below the lowest or above the highest count as these."""

    lowest: float = -np.inf
    highest: float = np.inf
    location: float = 0.0
    scale: float = 1.0

    @classmethod
    def of(cls, losses: np.ndarray, *, outliers: bool = False, limits: Sequence[float] = ()) -> Scale:
        """That of these losses (n,), if there are any; of constant ones the scale is their own size.

        Losses are capped above. Where outliers are expected they are so for location and scale alone, as are those far
        too low, and told as they are up to ten times as far. Where there are limits, what is beyond one of them is
        told as it is up to twice as far from the median, so that it is seen to be beyond.
        """
        if len(losses) == 0:
            return cls()
        lowest, highest = _reach(losses, _FAR_OUT) if outliers else (-np.inf, cap(losses))
        highest = max([highest, *(2.0 * limit - float(np.median(losses)) for limit in limits)])
        usual = np.clip(losses, *(_reach(losses, _FAR) if outliers else (lowest, highest)))
        # In units of the largest, so that squares neither overflow nor vanish.
        unit = float(np.abs(usual).max()) or 1.0
        location, spread = unit * float((usual / unit).mean()), float((usual / unit).std())
        # Differences below rounding error are no signal to be blown up.
        return cls(lowest, highest, location, unit * spread if spread > 1e-12 else unit)

    def __call__(self, losses: np.ndarray) -> np.ndarray:
        """Standardised losses, of the same shape."""
        return (np.clip(losses, self.lowest, self.highest) - self.location) / self.scale


def _reach(losses: np.ndarray, spreads: float) -> tuple[float, float]:
    """The median less and plus so many spreads; infinite where the losses have no scale."""
    low, median, high = np.quantile(losses, [0.1, 0.5, 0.75])
    spread = max(median - low, high - median)
    # Where most of the losses are the same there is no scale to go by, nor is rounding error one.
    if not spread > 1e-10 * abs(median):
        return -np.inf, np.inf
    with np.errstate(over="ignore"):
        return float(median - spreads * spread), float(median + spreads * spread)
