"""Inference regret beside simple regret, both at the end: what was recommended, and the best that was observed."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from bayeshpo.analysis.figures.logarithmic import logarithmic
from bayeshpo.analysis.figures.style import (
    DATA,
    WIDE,
    Drawing,
    Look,
    guides,
    in_rows,
    legend,
    looks,
    new_figure,
    panel_width,
)
from bayeshpo.analysis.regret import quartiles
from bayeshpo.analysis.traces import Traces
from bayeshpo.analysis.wording import counted, words

NOTHING = "no run has a recommendation whose true value and the optimum are on record"
_PANEL_HEIGHT = 1.7
# Where the recommendation and the incumbent stand beside a searcher's place.
_ASIDE = (-0.17, 0.17)
# By searcher: quartiles of the inference regret, and of the simple one (2, 3).
_Ends = dict[str, np.ndarray]


def draw(traces: Traces, width: float) -> list[Drawing]:
    """The figure; none where no inference regret is known."""
    found, seeds = _known(traces)
    if not found:
        return []
    columns = min(len(found), 3 if width >= WIDE else 2)
    lines = math.ceil(len(found) / columns)
    width = width if columns > 1 else panel_width(width)
    figure = new_figure(width, _PANEL_HEIGHT * lines + 0.5)
    grid = in_rows(figure, len(found), columns)
    style = looks(s for s in traces.searchers if any(s in ends for ends in found.values()))
    zero = [_panel(axes, problem, found[problem], style) for axes, problem in zip(grid, found, strict=True)]
    legend(figure, style, width, _key())
    return [Drawing("inference", figure, _caption(seeds, zero=any(zero)))]


def _known(traces: Traces) -> tuple[dict[str, _Ends], list[int]]:
    """Each problem's regrets, both of the same runs, and how many of these there are of each searcher."""
    found: dict[str, _Ends] = {}
    seeds = []
    for regret in traces.regrets():
        at = traces.problems.index(regret.problem), traces.searchers.index(regret.searcher)
        recommended = traces.recommended[at][[traces.seeds.index(seed) for seed in regret.seeds]]
        known = ~np.isnan(recommended)
        if known.any():
            ends = np.array([quartiles(recommended[known]), quartiles(regret.final[known])])
            found.setdefault(regret.problem, {})[regret.searcher] = ends
            seeds.append(int(known.sum()))
    return found, seeds


def _panel(axes: Axes, problem: str, ends: _Ends, style: dict[str, Look]) -> bool:
    """A problem's searchers side by side; whether a regret is exactly 0."""
    levels, zero = logarithmic(axes, np.array(list(ends.values())))
    for at, (searcher, regrets) in enumerate(zip(ends, levels, strict=True)):
        look = style[searcher]
        for aside, fill, (low, median, high) in zip(_ASIDE, (look.color, "white"), regrets, strict=True):
            axes.plot([at + aside] * 2, [low, high], color=look.color, linewidth=1.0)
            axes.plot(at + aside, median, look.marker, color=look.color, markerfacecolor=fill, markersize=4.5)
    axes.set_xlim(-0.6, len(ends) - 0.4)
    axes.set_xticks([])
    guides(axes)
    axes.set_title(words(problem))
    axes.set_ylabel("regret")
    return zero


def _key() -> list[Line2D]:
    fills = {"recommended": DATA, "best observed": "white"}
    return [
        Line2D([], [], linestyle="none", marker="o", color=DATA, markerfacecolor=fill, label=name)
        for name, fill in fills.items()
    ]


def _caption(seeds: Sequence[int], *, zero: bool) -> str:
    bars = f"bars the quartiles over {counted(seeds, 'seed')}" if max(seeds) > 1 else "one seed"
    parts = [
        "Inference regret (filled): distance of the true value of what is recommended at the end from the optimum. "
        f"Beside it simple regret (hollow), of the best observed trial. Medians, {bars}; log axis."
    ]
    if zero:
        parts.append("Values on the shaded strip are exactly 0.")
    return " ".join(parts)
