"""Probability that a run ends better than one of random search."""

from __future__ import annotations

import numpy as np

from bayeshpo.analysis.aggregates import BASELINE, baseline
from bayeshpo.analysis.compared import comparable, coverage
from bayeshpo.analysis.figures.style import GUIDE, Drawing, looks, new_figure, panel_width
from bayeshpo.analysis.statistics.wins import win_probability
from bayeshpo.analysis.traces import Traces
from bayeshpo.analysis.wording import words

NO_BASELINE = f"no searcher is named '{BASELINE}', or nothing can be compared with it"


def draw(traces: Traces, width: float) -> list[Drawing]:
    """The figure; none without random search beside another searcher."""
    compared = comparable(traces)
    random = None if compared is None else baseline(compared)
    if compared is None or random is None:
        return []
    wins = win_probability(compared.final(), compared.whole, random, np.random.default_rng(0))
    others = [s for s in np.argsort(-wins.value, kind="stable") if s != random]
    style = looks(compared.searchers)
    figure = new_figure(panel_width(width), 0.24 * len(others) + 0.75)
    axes = figure.subplots()
    axes.axvline(0.5, color=GUIDE, linewidth=0.8)
    for row, s in enumerate(others):
        look = style[compared.searchers[s]]
        axes.plot([wins.low[s], wins.high[s]], [row, row], color=look.color, linewidth=1.6)
        axes.plot(wins.value[s], row, look.marker, color=look.color, markersize=5)
    axes.set_yticks(range(len(others)), [words(compared.searchers[s]) for s in others])
    axes.set_ylim(len(others) - 0.5, -0.5)
    axes.set_xlim(-0.02, 1.02)
    axes.set_xlabel("probability of ending better than random search")
    caption = (
        "Probability that a run ends with a lower regret than one of random search on the same problem, ties half, "
        f"averaged over problems. {coverage(compared)} Bars are 95 % bootstrap intervals, seeds drawn anew "
        "within each problem."
    )
    return [Drawing("wins", figure, caption)]
