"""What became of the posterior from trial to trial: k-hat and effective number of weighted draws, and what was done."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from bayeshpo.analysis.checks import khat_in_words, khat_limits
from bayeshpo.analysis.figures.over_trials import Page, columns_fitting, nothing_to_show, pages, titles
from bayeshpo.analysis.figures.style import WARNING, WIDE, Drawing, guides, new_figure
from bayeshpo.analysis.fits import Fits, Row, column
from bayeshpo.analysis.wording import counted, words

NOTHING = "no posterior has weighted draws, reused ones or those of an approximation"
# From what costs least to what is worst; Okabe and Ito's colours, and a marker each.
_ACTIONS = {
    "reweighted": ("#56B4E9", "o"), "moved": ("#0072B2", "s"), "sampled": ("#0072B2", "s"), "retried": ("#E69F00", "^"),
    "refitted": ("#B5479A", "D"), "fell_back": ("#000000", "X"),
}  # fmt: skip
_OTHERS = ("#8C8C8C", "v")


def draw(fits: Sequence[Fits], width: float) -> list[Drawing]:
    """Figures of at most four problems each, of the searchers that weigh draws, whosever; none without any."""
    reusing = {run.searcher for run, rows in fits if any(row.get("khat") is not None for row in rows)}
    kept = [(run, rows) for run, rows in fits if run.searcher in reusing]
    return [_figure(page, width) for page in pages("reuse", kept, lambda row: True, columns_fitting(width))]


def _figure(page: Page, width: float) -> Drawing:
    figure = new_figure(width, 4.0)
    grid = figure.subplots(3, len(page.problems), sharex="col", sharey="row", squeeze=False,
                           height_ratios=[1.2, 1.2, 1.0])  # fmt: skip
    for fits, (khat, effective, actions) in zip(page.problems.values(), grid.T, strict=True):
        rows = [row for _, own in fits for row in own]
        _points(khat, rows, "khat")
        for limit in khat_limits(rows):
            khat.axhline(limit, color=WARNING, linestyle="--", linewidth=0.8)
        _points(effective, rows, "ess_importance")
        _shares(actions, rows)
    grid[0, 0].set_ylabel("$\\widehat{k}$ of\nweighted draws", multialignment="center")
    grid[1, 0].set_ylabel("effective\nweighted draws", multialignment="center")
    grid[2, 0].set_ylabel("share\nof fits", multialignment="center")
    grid[2, 0].set_ylim(0.0, 1.0)
    titles(grid, page)
    figure.align_ylabels()
    counts = Counter(str(row["action"]) for row in page.rows)
    handles: list[Patch | Line2D] = [
        Line2D([], [], color=_look(a)[0], marker=_look(a)[1], linestyle="", label=words(a)) for a in _ordered(counts)
    ]
    handles.append(Line2D([], [], color=WARNING, linestyle="--", linewidth=0.8, label="limit"))
    figure.legend(handles=handles, loc="outside lower center", ncols=len(handles) if width >= WIDE else 3)
    done = ", ".join(f"{words(action)} {counts[action]}" for action in _ordered(counts))
    caption = (
        f"What the {words(page.searcher)} searcher did with its posterior when a trial entered: k-hat of the weighted "
        f"draws (limit {khat_in_words(page.rows)}, dashed) and their effective number, one point a fit, "
        f"{counted(page.seeds, 'seed')} on each problem; and the share of actions, by the number of trials seen. Of "
        f"{sum(counts.values())} fits: {done}."
    )
    return Drawing(page.name, figure, caption)


def _points(axes: Axes, rows: Sequence[Row], name: str) -> None:
    values = column(rows, name)
    if not np.isfinite(values).any():
        nothing_to_show(axes)
        return
    for action in _ordered({str(row["action"]) for row in rows}):
        own = [row for row in rows if row["action"] == action]
        color, marker = _look(action)
        axes.plot(column(own, "n"), column(own, name), marker, color=color, markersize=2.6, alpha=0.8,
                  markeredgewidth=0)  # fmt: skip
    guides(axes)


def _shares(axes: Axes, rows: Sequence[Row]) -> None:
    """Stacked shares of actions at each number of trials."""
    at = sorted({row["n"] for row in rows})
    bottom = np.zeros(len(at))
    total = np.array([sum(row["n"] == n for row in rows) for n in at])
    for action in _ordered({str(row["action"]) for row in rows}):
        share = np.array([sum(row["n"] == n and row["action"] == action for row in rows) for n in at]) / total
        axes.bar(at, share, bottom=bottom, width=0.9, color=_look(action)[0])
        bottom += share


def _ordered(actions: Counter[str] | set[str]) -> list[str]:
    known = [action for action in _ACTIONS if action in actions]
    return known + sorted(set(actions) - set(known))


def _look(action: str) -> tuple[str, str]:
    return _ACTIONS.get(action, _OTHERS)
