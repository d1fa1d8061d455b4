"""How far decisions by the full posterior are from those by a point estimate, over trials."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from bayeshpo.analysis.figures.over_trials import Page, columns_fitting, over_seeds, pages, titles
from bayeshpo.analysis.figures.style import Drawing, counted, guides, looks, new_figure, words
from bayeshpo.analysis.fits import Fits, column

NOTHING = "no decision was compared with a point estimate's"
_SHOWN = {
    "point_distance": "distance of\nthe proposals",
    "point_loss": "acquisition lost\nby the point estimate",
}


def draw(fits: Sequence[Fits], width: float) -> list[Drawing]:
    """Figures of at most four problems each; none where nothing was compared."""
    found = pages("agreement", fits, lambda row: row.get("point_distance") is not None, columns_fitting(width))
    return [_figure(page, width) for page in found]


def _figure(page: Page, width: float) -> Drawing:
    look = looks([page.searcher])[page.searcher]
    figure = new_figure(width, 2.9)
    grid = figure.subplots(len(_SHOWN), len(page.problems), sharex="col", sharey="row", squeeze=False)
    for fits, panels in zip(page.problems.values(), grid.T, strict=True):
        for axes, name in zip(panels, _SHOWN, strict=True):
            known = [(run, [row for row in rows if row.get(name) is not None]) for run, rows in fits]
            rows = [row for _, own in known for row in own]
            axes.plot(column(rows, "n"), column(rows, name), look.marker, color=look.color, markersize=2.6, alpha=0.5,
                      markeredgewidth=0, clip_on=False)  # fmt: skip
            axes.plot(*over_seeds(known, lambda row, name=name: row[name]), color=look.color, linewidth=1.2)
            guides(axes)
    for axes, label in zip(grid[:, 0], _SHOWN.values(), strict=True):
        axes.set_ylabel(label, multialignment="center")
        axes.set_ylim(bottom=0.0)
    titles(grid, page)
    figure.align_ylabels()
    apart = np.median(column(page.rows, "point_distance"))
    caption = (
        f"Proposals of the {words(page.searcher)} searcher beside those that a point estimate of the hyperparameters "
        f"(their mode) makes at the same trials, {counted(page.seeds, 'seed')} on each problem: root-mean-square "
        "distance in the unit cube, and how much of the acquisition, averaged over all posterior draws, the point "
        "estimate's proposal forgoes. Points are fits, lines medians over seeds; the median distance of all is "
        f"{apart:.2g}."
    )
    return Drawing(page.name, figure, caption)
