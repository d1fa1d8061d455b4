"""Comparisons that promises are made of: they raise what the part under test says, naming the worst place."""

from __future__ import annotations

from typing import Protocol

import numpy as np

# Relative error that rounding may leave in a slope.
_SLOPE = 1e-4
# How many times the error of a difference a slope may be away from it.
_ERRORS = 5.0


class UnderTest(Protocol):
    """A part with its name for an error."""

    def error(self, promise: str, expected: str, got: object, where: str) -> AssertionError:
        """What to raise where a promise is broken."""
        ...


def agree(
    tested: UnderTest, what: str, found: np.ndarray, expected: np.ndarray, where: str, tolerance: float = 1e-6
) -> None:
    """Two arrays of one shape, but for rounding, relative to 1 or what is larger; equal infinities agree."""
    if found.shape != expected.shape:
        raise tested.error(what, f"shape {expected.shape}", found.shape, where)
    same = found == expected
    difference = np.abs(np.where(same, 0.0, found) - np.where(same, 0.0, expected))
    excess = difference - np.where(same, 0.0, tolerance * np.maximum(1.0, np.abs(expected)))
    if not (excess <= 0.0).all():
        i = np.unravel_index(np.argmax(excess), excess.shape)
        raise tested.error(what, f"{expected[i]:.8g}", f"{found[i]:.8g}", where)


def agreeing_slopes(
    tested: UnderTest, what: str, found: np.ndarray, slope: np.ndarray, error: np.ndarray, where: str
) -> None:
    """Slopes (m, D) against central differences and their errors; what is small beside the largest is rounding."""
    if not np.isfinite(found).all():
        raise tested.error(what, "finite values", others(~np.isfinite(found)), where)
    size = np.maximum(1.0, np.abs(slope).max(axis=1, keepdims=True, initial=0.0))
    excess = np.abs(found - slope) - _SLOPE * size - _ERRORS * error.max(axis=1, keepdims=True, initial=0.0)
    if excess.size and not excess.max() <= 0.0:
        i = np.unravel_index(np.argmax(excess), excess.shape)
        raise tested.error(what, f"{slope[i]:.6g} by central differences", f"{found[i]:.6g}", where)


def others(wrong: np.ndarray) -> str:
    """How many values are none of those that were expected."""
    return f"others in {wrong.sum()} of {wrong.size}"
