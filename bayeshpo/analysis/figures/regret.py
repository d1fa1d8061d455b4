"""Simple regret against evaluations: one panel a problem, all searchers."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from bayeshpo.analysis.compared import unfinished
from bayeshpo.analysis.figures.logarithmic import level_of_zero, log_ticks
from bayeshpo.analysis.figures.style import WIDE, Drawing, Look, guides, in_rows, legend, looks, new_figure, panel_width
from bayeshpo.analysis.regret import Regret
from bayeshpo.analysis.traces import Traces
from bayeshpo.analysis.wording import counted, listed, words

_PANEL_HEIGHT = 1.9


def draw(traces: Traces, width: float) -> list[Drawing]:
    """The regret figure; none if no trial has finished."""
    regrets = [regret for regret in traces.regrets() if np.isfinite(regret.values).any()]
    if not regrets:
        return []
    problems = list(dict.fromkeys(regret.problem for regret in regrets))
    columns = _columns(len(problems), width)
    rows = math.ceil(len(problems) / columns)
    width = width if columns > 1 else panel_width(width)
    figure = new_figure(width, _PANEL_HEIGHT * rows + 0.35)
    grid = in_rows(figure, len(problems), columns)
    style = looks(regret.searcher for regret in regrets)
    for axes, problem in zip(grid, problems, strict=True):
        _panel(axes, [regret for regret in regrets if regret.problem == problem], style)
    legend(figure, style, width)
    caption = [_caption(regrets, early=bool(traces.early.any())), *unfinished(traces, range(len(traces.problems)))]
    return [Drawing("regret", figure, " ".join(caption))]


def _columns(n: int, width: float) -> int:
    if n <= 3:
        return n if width / n >= 1.8 else min(n, 2)
    return 2 if n == 4 or width < WIDE else 3


def _panel(axes: Axes, regrets: Sequence[Regret], style: dict[str, Look]) -> None:
    bands = {regret.searcher: regret.quartiles() for regret in regrets}
    values = np.concatenate([band.ravel() for band in bands.values()])
    zero = level_of_zero(values)
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
    log_ticks(axes, zero if (values == 0).any() else None)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=6))
    guides(axes)
    axes.set_title(words(regrets[0].problem))
    axes.set_xlabel("evaluations")
    axes.set_ylabel("simple regret" if regrets[0].optimum_known else "gap to best found")


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
