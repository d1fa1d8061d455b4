"""The posterior of the optimum over trials: what regret is expected to remain, what truly does, and where it may be."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from bayeshpo.analysis.figures.over_trials import (
    Page,
    as_line,
    columns_fitting,
    nothing_to_show,
    over_seeds,
    pages,
    titles,
)
from bayeshpo.analysis.figures.style import DATA, WIDE, Drawing, guides, looks, new_figure
from bayeshpo.analysis.fits import Fits
from bayeshpo.analysis.recommended import remaining_regret
from bayeshpo.analysis.wording import counted, words

NOTHING = "no fit was looked at closely (examine_every): no expectation of the optimum is on record"
_BELOW = 1e-9


def draw(fits: Sequence[Fits], width: float) -> list[Drawing]:
    """Figures of at most four problems each; none where nothing is expected."""
    found = pages("optimum", fits, lambda row: row.get("regret_expected") is not None, columns_fitting(width))
    return [_figure(page, width) for page in found]


def _figure(page: Page, width: float) -> Drawing:
    color = looks([page.searcher])[page.searcher].color
    figure = new_figure(width, 3.5)
    grid = figure.subplots(2, len(page.problems), sharex="col", squeeze=False, height_ratios=[1.7, 1.0])
    known = []
    for fits, (regret, place) in zip(page.problems.values(), grid.T, strict=True):
        known.append(_regret(regret, fits, color))
        _entropy(place, fits, color)
    grid[0, 0].set_ylabel("remaining regret")
    grid[1, 0].set_ylabel("entropy of\nits place", multialignment="center")
    titles(grid, page)
    figure.align_ylabels()
    handles: list[Any] = [
        Line2D([], [], color=color, label="expected, median over seeds"),
        Patch(facecolor=color, alpha=0.2, label="90 % interval"),
    ]
    if any(known):
        handles.append(Line2D([], [], color=DATA, marker="o", markersize=2.6, label="true, median over seeds"))
    figure.legend(handles=handles, loc="outside lower center", ncols=len(handles) if width >= WIDE else 1)
    true = (
        "True regret, where the optimum is known: medians (black line) and each run (dots). "
        if any(known)
        else "The true optimum is not known. "
    )
    caption = (
        f"Posterior of the optimum under the surrogate of the {words(page.searcher)} searcher, "
        f"{counted(page.seeds, 'seed')} on each problem. Above: regret that is expected to remain if the "
        f"recommendation were final, with the medians over seeds of its 5 % and 95 % quantiles. {true}Below: entropy "
        "of the optimum's place, from 0 (known) to 1 (anywhere), one thin line a run and their median."
    )
    return Drawing(page.name, figure, caption)


def _regret(axes: Axes, fits: Sequence[Fits], color: str) -> bool:
    """Expected regret with its band, and the true one; whether that is known."""
    quantiles = [(run, [row for row in rows if row.get("regret_quantiles")]) for run, rows in fits]
    at, low = over_seeds(quantiles, lambda row: row["regret_quantiles"][0])
    _, high = over_seeds(quantiles, lambda row: row["regret_quantiles"][2])
    expected = over_seeds(fits, lambda row: row["regret_expected"])
    true = [(run, _with_truth(run, rows)) for run, rows in fits]
    shown = [row for _, rows in true for row in rows]
    # What is nothing has no place on a logarithmic axis: it is drawn at the lower end.
    positive = np.array([v for v in (*expected[1], *high, *(row["true"] for row in shown)) if v > _BELOW])
    floor = positive.min() / 3.0 if positive.size else _BELOW
    if len(at):
        at, low, high = as_line(at, low, high)
        axes.fill_between(at, np.maximum(low, floor), np.maximum(high, floor), color=color, alpha=0.2, linewidth=0)
    at, mean = as_line(*expected)
    axes.plot(at, np.maximum(mean, floor), color=color)
    if shown:
        n, values = ([row[name] for row in shown] for name in ("n", "true"))
        axes.plot(n, np.maximum(values, floor), "o", color=DATA, markersize=1.8, alpha=0.35, markeredgewidth=0)
        n, values = over_seeds(true, lambda row: row["true"])
        axes.plot(n, np.maximum(values, floor), color=DATA, linewidth=0.9, marker="o", markersize=2.2)
    axes.set_yscale("log")
    guides(axes)
    return bool(shown)


def _with_truth(run: Any, rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Rows with the true regret of what was recommended when they were made, where that is known."""
    regret = remaining_regret(run)
    return [{"n": row["n"], "true": regret[row["trial"]]} for row in rows if row["trial"] in regret]


def _entropy(axes: Axes, fits: Sequence[Fits], color: str) -> None:
    known = [(run, [row for row in rows if row.get("optimum_entropy") is not None]) for run, rows in fits]
    if not any(rows for _, rows in known):
        nothing_to_show(axes)
        return
    for _, rows in known:
        axes.plot([r["n"] for r in rows], [r["optimum_entropy"] for r in rows], color=color, linewidth=0.4, alpha=0.5)
    axes.plot(*as_line(*over_seeds(known, lambda row: row["optimum_entropy"])), color=color)
    axes.set_ylim(0.0, 1.0)
    guides(axes)
