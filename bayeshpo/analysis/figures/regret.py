"""Simple regret against evaluations: one panel a problem, all searchers."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import LogLocator, MaxNLocator

from bayeshpo.analysis.figures.style import Drawing, Look, counted, guides, listed, looks, new_figure, words
from bayeshpo.analysis.regret import Regret, simple_regret
from bayeshpo.experiment.store import RunRecord

_PANEL_HEIGHT = 1.9


def draw(runs: Sequence[RunRecord], width: float) -> list[Drawing]:
    """The regret figure; none if no trial has finished."""
    regrets = [regret for regret in simple_regret(runs) if np.isfinite(regret.values).any()]
    if not regrets:
        return []
    problems = list(dict.fromkeys(regret.problem for regret in regrets))
    columns = _columns(len(problems), width)
    rows = math.ceil(len(problems) / columns)
    figure = new_figure(width if columns > 1 else 0.64 * width, _PANEL_HEIGHT * rows + 0.35)
    grid = figure.subplots(rows, columns, squeeze=False).ravel()
    style = looks(regret.searcher for regret in regrets)
    for axes, problem in zip(grid, problems, strict=False):
        _panel(axes, [regret for regret in regrets if regret.problem == problem], style)
    for axes in grid[len(problems) :]:
        axes.set_visible(False)
    handles = [
        Line2D([], [], color=look.color, marker=look.marker, linestyle=look.line, label=words(searcher))
        for searcher, look in style.items()
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=min(len(handles), max(2, int(width / 1.1))))
    return [Drawing("regret", figure, _caption(regrets, early=any(run.ended_early for run in runs)))]


def _columns(n: int, width: float) -> int:
    if n <= 3:
        return n if width / n >= 1.8 else 2
    return 2 if n == 4 else 3


def _panel(axes: Axes, regrets: Sequence[Regret], style: dict[str, Look]) -> None:
    bands = {regret.searcher: regret.quartiles() for regret in regrets}
    values = np.concatenate([band.ravel() for band in bands.values()])
    zero = _level_of_zero(values)
    for i, (searcher, band) in enumerate(bands.items()):
        low, median, high = np.where(band == 0, zero, band)
        trials = np.arange(1, len(median) + 1)
        look = style[searcher]
        if any(len(regret.seeds) > 1 for regret in regrets if regret.searcher == searcher):
            axes.fill_between(trials, low, high, step="post", color=look.color, alpha=0.16, linewidth=0)
        stride = max(1, len(trials) // 8)
        axes.plot(
            trials, median, drawstyle="steps-post", color=look.color, linestyle=look.line, marker=look.marker,
            markevery=(min(i * stride // max(1, len(bands)), len(trials) - 1), stride),
        )  # fmt: skip
    axes.set_yscale("log")
    _ticks(axes, zero if (values == 0).any() else None)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=6))
    guides(axes)
    axes.set_title(words(regrets[0].problem))
    axes.set_xlabel("evaluations")
    axes.set_ylabel("simple regret" if regrets[0].optimum_known else "gap to best found")


def _level_of_zero(values: np.ndarray) -> float:
    """Where regrets of exactly 0 are drawn on the log axis: below all positive ones."""
    positive = values[np.isfinite(values) & (values > 0)]
    if not positive.size:
        return 1.0
    span = max(1.0, math.log10(positive.max() / positive.min()))
    return float(positive.min() / 10 ** (0.25 * span))


def _ticks(axes: Axes, zero: float | None) -> None:
    """Labelled powers of ten, or rounder steps where the axis spans too few; 0 on a strip of its own below."""
    bottom, top = axes.get_ylim()
    ticks, labels = [], []
    if zero is not None:
        decades = math.log10(top / zero)
        axes.set_ylim(zero / 10 ** (0.07 * decades), top)
        bottom = zero * 10 ** (0.09 * decades)
        axes.axhspan(axes.get_ylim()[0], bottom, color="#F1F1F1", zorder=0, linewidth=0)
        ticks, labels = [zero], ["0"]
    powers = _inside(LogLocator(numticks=6), bottom, top)
    if len(powers) > 1:
        ticks, labels = ticks + powers, labels + [f"$10^{{{round(math.log10(tick))}}}$" for tick in powers]
        minor = _inside(LogLocator(subs="auto", numticks=12), bottom, top)
    else:
        # A log locator that finds too few ticks gives linear ones, and many: ask for 1, 2 and 5 by hand.
        decade = 10.0 ** math.floor(math.log10(bottom))
        plain = [tick * decade for tick in (1, 2, 5, 10, 20, 50, 100) if bottom <= tick * decade <= top]
        plain = plain if len(plain) > 1 else _inside(MaxNLocator(4), bottom, top)
        ticks, labels = ticks + plain, labels + [f"{tick:g}" for tick in plain]
        minor = []
    axes.set_yticks(ticks, labels)
    axes.set_yticks(minor, [""] * len(minor), minor=True)


def _inside(locator: LogLocator | MaxNLocator, low: float, high: float) -> list[float]:
    return [float(tick) for tick in locator.tick_values(low, high) if low <= tick <= high]


def _caption(regrets: Sequence[Regret], *, early: bool) -> str:
    seeds = [len(regret.seeds) for regret in regrets]
    known = {regret.problem for regret in regrets if regret.optimum_known}
    unknown = {regret.problem for regret in regrets} - known
    parts = []
    if known:
        parts.append("Simple regret: distance of the best value so far from the optimum.")
    if unknown:
        where = f"On {listed(sorted(unknown))} the" if known else "The"
        parts.append(
            f"{where} optimum is unknown, and the figure shows the gap of the best value so far to the best value "
            "found by any searcher in these results."
        )
    if max(seeds) > 1:
        parts.append(f"Lines are medians and bands the quartiles over {counted(seeds, 'seed')}; log axis.")
    else:
        parts.append("One seed; log axis.")
    if any((regret.quartiles() == 0).any() for regret in regrets):
        parts.append("Values on the shaded strip are exactly 0.")
    parts.append("A failed trial leaves the best value as it is.")
    if early:
        parts.append("Runs that ended before their budget was spent are carried on with their last value.")
    return " ".join(parts)
