"""Regret against what it cost: work, seconds of evaluating, and the searcher's own seconds."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes

from bayeshpo.analysis.compared import unfinished
from bayeshpo.analysis.costs import against_cost
from bayeshpo.analysis.figures.logarithmic import logarithmic, logarithmic_along
from bayeshpo.analysis.figures.style import Drawing, curves, legend, looks, new_figure
from bayeshpo.analysis.regret import quartiles
from bayeshpo.analysis.traces import Traces
from bayeshpo.analysis.wording import counted, listed, words

NOTHING = "no trial has finished, or what trials took is not on record"
_COSTS = (("work", "work"), ("evaluating", "seconds evaluating"), ("searching", "searcher's own seconds"))
_MEANINGS = {
    "work": "work in the problem's own unit",
    "evaluating": "seconds of evaluating",
    "searching": "the searcher's own seconds of proposing",
}
_PROBLEMS = 4
_POINTS = 60


def draw(traces: Traces, width: float) -> list[Drawing]:
    """Figures of at most four problems each, a row a problem and a column a cost; none without costs."""
    shown = [p for p in range(len(traces.problems)) if _median_costs(traces, p)]
    drawings = []
    for start in range(0, len(shown), _PROBLEMS):
        name = "anytime" if start == 0 else f"anytime_{start // _PROBLEMS + 1}"
        drawings.append(_figure(name, traces, shown[start : start + _PROBLEMS], width))
    return drawings


def _median_costs(traces: Traces, p: int) -> list[str]:
    """The costs that are on record on a problem that has regrets."""
    if traces.costs is None or not np.isfinite(traces.regret[p]).any():
        return []
    return [name for name, _ in _COSTS if np.isfinite(getattr(traces.costs, name)[p]).any()]


def _figure(name: str, traces: Traces, problems: Sequence[int], width: float) -> Drawing:
    known = {cost for p in problems for cost in _median_costs(traces, p)}
    columns = [(cost, label) for cost, label in _COSTS if cost in known]
    figure = new_figure(width, 1.5 * len(problems) + 0.6)
    grid = figure.subplots(len(problems), len(columns), sharey="row", squeeze=False)
    begun = traces.lengths[problems].any(axis=(0, 2))
    style = looks(s for s, there in zip(traces.searchers, begun, strict=True) if there)
    for p, row in zip(problems, grid, strict=True):
        _row(row, traces, p, [cost for cost, _ in columns], style)
        known_optimum = traces.optimum_known[p]
        row[0].set_ylabel(f"{words(traces.problems[p])}\n{'simple regret' if known_optimum else 'gap to best found'}")
    for axes, (_, label) in zip(grid[-1], columns, strict=True):
        axes.set_xlabel(label)
    legend(figure, style, width)
    seeds = [int(n) for n in (traces.lengths[problems] > 0).sum(axis=2).ravel() if n]
    caption = (
        f"Regret of the best value so far against its cost: {listed([_MEANINGS[cost] for cost, _ in columns])}. "
        f"Medians over {counted(seeds, 'seed')} of each searcher, drawn as far as half of its runs go; log axes. A "
        "trial counts when it has ended."
    )
    return Drawing(name, figure, " ".join([caption, *unfinished(traces, problems)]))


def _row(row: Sequence[Axes], traces: Traces, p: int, costs: Sequence[str], style: dict) -> None:
    """One problem's panels, which share their axis of regret: it holds the lines of all of them."""
    panels = [_medians(traces, p, cost) for cost in costs]
    values = np.concatenate([np.array(list(lines.values())).reshape(-1, _POINTS) for _, lines in panels])
    first = 0
    for axes, (grid, lines) in zip(row, panels, strict=True):
        drawn, _ = logarithmic(axes, values)
        own, first = drawn[first : first + len(lines)], first + len(lines)
        curves(axes, grid, {s: [line] for s, line in zip(lines, own, strict=True)}, style)
        logarithmic_along(axes)


def _medians(traces: Traces, p: int, cost: str) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Costs (G,), and each searcher's median regret there (G,), NaN from where fewer than half of its runs go."""
    assert traces.costs is not None
    lines: dict[str, np.ndarray] = {}
    spent = getattr(traces.costs, cost)[p]
    positive = spent[np.isfinite(spent) & (spent > 0)]
    if not positive.size:
        return np.ones(_POINTS), lines
    grid = np.geomspace(positive.min(), positive.max(), _POINTS)
    for s, searcher in enumerate(traces.searchers):
        there = np.isfinite(spent[s]).any(axis=1)
        if there.any():
            values = against_cost(traces.regret[p, s, there], spent[s, there], grid)
            median = np.array([quartiles(column)[1] for column in values.T])
            # As many runs have to end for it to end as have to begin for it to begin: no searcher is left out.
            end = np.quantile(np.nanmax(spent[s, there], axis=1), 0.5, method="higher")
            lines[searcher] = np.where(grid <= end * (1 + 1e-9), median, np.nan)
    return grid, lines
