"""A hyperparameter's own units along a slice, read off the trials."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bayeshpo.analysis.kept import Slice

# Kept positions may be in single precision.
_TOLERANCE = 1e-4


@dataclass(frozen=True)
class Scale:
    """From positions in the unit cube to a hyperparameter's own units: value, or log(value), = intercept + slope u.

    Attributes
    ----------
    intercept, slope
        Of the line.
    logarithmic
        Whether the line is that of the natural logarithm.
    """

    intercept: float
    slope: float
    logarithmic: bool

    def __call__(self, position: np.ndarray) -> np.ndarray:
        """Values (n,) at positions (n,)."""
        line = self.intercept + self.slope * position
        return np.exp(line) if self.logarithmic else line


def scale_of(cut: Slice) -> Scale | None:
    """The scale of a slice's hyperparameter if it is a float, linear or logarithmic.

    None for other kinds, and where three different values do not show it: these stay in the unit cube. Records hold no
    bounds, but the trials' configurations beside their positions determine the line.
    """
    values = [trial["configuration"].get(cut.hyperparameter) for trial in cut.records]
    known = np.array([isinstance(value, float) for value in values], dtype=bool)
    position = cut.trials[known]
    if len(np.unique(position)) < 3:
        return None
    value = np.array([value for value in values if isinstance(value, float)])
    for logarithmic in (False, True):
        if logarithmic and (value <= 0).any():
            continue
        line = np.log(value) if logarithmic else value
        slope, intercept = np.polyfit(position, line, 1)
        if np.max(np.abs(intercept + slope * position - line)) < _TOLERANCE * np.ptp(line):
            return Scale(float(intercept), float(slope), logarithmic)
    return None
