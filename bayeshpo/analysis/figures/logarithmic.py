"""Log axes on which values of exactly 0 have a place of their own."""

from __future__ import annotations

import math

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import LogLocator, MaxNLocator, NullLocator


def logarithmic(axes: Axes, values: np.ndarray) -> tuple[np.ndarray, bool]:
    """Make the y axis logarithmic; the values with zeros put where the strip for 0 is, and whether there are any.

    To be called before the values are drawn.
    """
    zero = level_of_zero(values)
    drawn = np.where(values == 0, zero, values)
    finite = drawn[np.isfinite(drawn)]
    axes.set_yscale("log")
    if finite.size:
        low, high = finite.min(), finite.max()
        margin = (high / low) ** 0.05 if high > low else 1.3
        axes.set_ylim(low / margin, high * margin)
    there = bool((values == 0).any())
    log_ticks(axes, zero if there else None)
    return drawn, there


def level_of_zero(values: np.ndarray) -> float:
    """Where regrets of exactly 0 are drawn on the log axis: below all positive ones."""
    positive = values[np.isfinite(values) & (values > 0)]
    if not positive.size:
        return 1.0
    span = max(1.0, math.log10(positive.max() / positive.min()))
    return float(positive.min() / 10 ** (0.25 * span))


def log_ticks(axes: Axes, zero: float | None) -> None:
    """Labelled powers of ten, or rounder steps where the axis spans too few; 0 on a strip of its own below."""
    bottom, top = axes.get_ylim()
    ticks: list[float] = []
    labels: list[str] = []
    if zero is not None:
        decades = math.log10(top / zero)
        axes.set_ylim(zero / 10 ** (0.07 * decades), top)
        bottom = zero * 10 ** (0.09 * decades)
        axes.axhspan(axes.get_ylim()[0], bottom, color="#F1F1F1", zorder=0, linewidth=0)
        ticks, labels = [zero], ["0"]
    found, names, minor = _ticks(bottom, top, (1, 2, 5))
    axes.set_yticks(ticks + found, labels + names)
    axes.set_yticks(minor, [""] * len(minor), minor=True)


def logarithmic_along(axes: Axes) -> None:
    """Make the x axis logarithmic, with labelled ticks however few powers of ten it has; after its lines are drawn."""
    axes.set_xscale("log")
    left, right = axes.get_xlim()
    ticks, labels, _ = _ticks(left, right, (1, 3))
    axes.set_xticks(ticks, labels)
    # Minor ticks of many panels take most of the time of drawing.
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xlim(left, right)


def _ticks(low: float, high: float, steps: tuple[int, ...]) -> tuple[list[float], list[str], list[float]]:
    """Ticks, their labels, and minor ticks: powers of ten; where there are too few of these, some steps within them."""
    powers = _inside(LogLocator(numticks=6), low, high)
    if len(powers) > 1:
        labels = [f"$10^{{{round(math.log10(tick))}}}$" for tick in powers]
        return powers, labels, _inside(LogLocator(subs="auto", numticks=12), low, high)
    # A log locator that finds too few ticks gives linear ones, and many: ask for round steps by hand.
    decade = 10.0 ** math.floor(math.log10(low))
    plain = [step * tens * decade for tens in (1, 10, 100) for step in steps if low <= step * tens * decade <= high]
    plain = plain if len(plain) > 1 else _inside(MaxNLocator(4), low, high)
    return plain, [f"{tick:g}" for tick in plain], []


def _inside(locator: LogLocator | MaxNLocator, low: float, high: float) -> list[float]:
    return [float(tick) for tick in locator.tick_values(low, high) if low <= tick <= high]
