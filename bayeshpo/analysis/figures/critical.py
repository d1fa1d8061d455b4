"""Critical-difference diagram of mean ranks (Demsar 2006)."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes

from bayeshpo.analysis.compared import comparable, coverage
from bayeshpo.analysis.figures.style import DATA, Drawing, Look, looks, new_figure
from bayeshpo.analysis.scores import tests_of
from bayeshpo.analysis.statistics.critical import ALPHA, RankTests
from bayeshpo.analysis.traces import Traces
from bayeshpo.analysis.wording import words

NOTHING = "it takes three searchers on two problems, all with one seed"
_STEP = 0.19
_GROUP = 0.09


def draw(traces: Traces, width: float) -> list[Drawing]:
    """The diagram; none with fewer than three searchers or two problems."""
    compared = comparable(traces)
    tests = None if compared is None else tests_of(compared)
    if compared is None or tests is None:
        return []
    groups = tests.groups()
    rows = (len(compared.searchers) + 1) // 2
    height = 0.62 + _GROUP * len(groups) + _STEP * rows
    figure = new_figure(width, height)
    axes = figure.subplots()
    _diagram(axes, tests, groups, compared.searchers, looks(compared.searchers), height)
    friedman = f"p = {tests.friedman:.2g}" if tests.friedman >= 1e-4 else "p < 0.0001"
    caption = (
        f"Mean ranks of the median regret after the last trial, over problems. {coverage(compared)} Thick bars "
        f"join searchers of which no two differ at {ALPHA:.0%} (Wilcoxon's signed-rank tests with Holm's correction); "
        f"CD: Nemenyi's critical distance. Friedman's test that all are equal: {friedman}."
    )
    return [Drawing("critical", figure, caption)]


def _diagram(
    axes: Axes, tests: RankTests, groups: list[tuple[int, ...]], labels: tuple[str, ...], style: dict[str, Look],
    height: float,
) -> None:  # fmt: skip
    """In inches downwards from the scale of ranks."""
    count = len(labels)
    axes.set_xlim(0.6 - 0.25 * count, count + 0.4 + 0.25 * count)
    axes.set_ylim(height - 0.42, -0.4)
    axes.set_axis_off()
    axes.plot([1, count], [0, 0], color=DATA, linewidth=0.8)
    for rank in range(1, count + 1):
        axes.plot([rank, rank], [0, -0.05], color=DATA, linewidth=0.8)
        axes.text(rank, -0.07, str(rank), ha="center", va="bottom", fontsize="small")
    axes.plot([1, 1 + tests.distance], [-0.3, -0.3], color=DATA, linewidth=1.2, marker="|", markersize=4)
    axes.text(1 + tests.distance / 2, -0.31, f"CD = {tests.distance:.2f}", ha="center", va="bottom", fontsize="small")
    for i, group in enumerate(groups):
        ends = [float(tests.ranks[group[0]]) - 0.03, float(tests.ranks[group[-1]]) + 0.03]
        axes.plot(ends, [0.08 + _GROUP * i] * 2, color=DATA, linewidth=2.4, solid_capstyle="butt")
    order = np.argsort(tests.ranks, kind="stable")
    left = (count + 1) // 2
    for place, s in enumerate(order):
        on_left = place < left
        row = place if on_left else count - 1 - place
        y = 0.1 + _GROUP * len(groups) + _STEP * (row + 0.5)
        edge = 0.85 if on_left else count + 0.15
        rank, look = float(tests.ranks[s]), style[labels[s]]
        axes.plot([rank, rank, edge], [0, y, y], color=look.color, linewidth=0.9)
        axes.plot(rank, 0, look.marker, color=look.color, markersize=4.5, clip_on=False)
        text = f"{words(labels[s])} ({rank:.2f})"
        axes.text(edge + (-0.08 if on_left else 0.08), y, text, ha="right" if on_left else "left", va="center")
