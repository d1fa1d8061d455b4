"""How far decisions by the full posterior are from those by a point estimate, and how far its halves are apart."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes

from bayeshpo.analysis.figures.over_trials import Page, columns_fitting, over_seeds, pages, titles
from bayeshpo.analysis.figures.style import PRIOR, Drawing, Look, guides, legend, looks, new_figure
from bayeshpo.analysis.fits import Fits, column, rows_of
from bayeshpo.analysis.wording import counted, words

NOTHING = "no fit was looked at closely (examine_every): no decision was compared with a point estimate's"
# Of a point estimate, the same of two halves of the draws, and what it is.
_SHOWN = {
    "point_distance": ("halves_distance", "distance of\nthe proposals"),
    "point_loss": ("halves_loss", "acquisition\nlost"),
}
_HALVES = Look(PRIOR, "x", "--")


def draw(fits: Sequence[Fits], width: float) -> list[Drawing]:
    """Figures of at most four problems each; none where nothing was compared."""
    found = pages("agreement", fits, lambda row: row.get("point_distance") is not None, columns_fitting(width))
    return [_figure(page, width) for page in found]


def _figure(page: Page, width: float) -> Drawing:
    look = looks([page.searcher])[page.searcher]
    figure = new_figure(width, 3.1)
    grid = figure.subplots(len(_SHOWN), len(page.problems), sharex="col", sharey="row", squeeze=False)
    for fits, panels in zip(page.problems.values(), grid.T, strict=True):
        for axes, (name, (floor, _)) in zip(panels, _SHOWN.items(), strict=True):
            _points(axes, fits, floor, _HALVES)
            _points(axes, fits, name, look)
            guides(axes)
    for axes, (name, (floor, label)) in zip(grid[:, 0], _SHOWN.items(), strict=True):
        axes.set_ylabel(label, multialignment="center")
        # A point estimate's proposal is now and then the better one.
        lowest = np.nanmin([column(page.rows, name), column(page.rows, floor)], initial=0.0)
        axes.set_ylim(bottom=1.1 * lowest)
    titles(grid, page)
    figure.align_ylabels()
    apart, floor = column(page.rows, "point_distance"), column(page.rows, "halves_distance")
    style = {"point estimate and full posterior": look}
    caption = (
        f"Proposals of the {words(page.searcher)} searcher beside those that a point estimate of the hyperparameters "
        f"(their mode) makes at the same trials, {counted(page.seeds, 'seed')} on each problem: root-mean-square "
        "distance in the unit cube, and how much of the acquisition, averaged over all posterior draws, the point "
        "estimate's proposal forgoes. Points are fits, lines medians over seeds; the median distance of all is "
        f"{np.median(apart):.2g}."
    )
    if np.isfinite(floor).any():
        style["two halves of the draws"] = _HALVES
        caption += _judged(apart, floor)
    legend(figure, style, width)
    return Drawing(page.name, figure, caption)


def _points(axes: Axes, fits: Sequence[Fits], name: str, look: Look) -> None:
    known = [(run, [row for row in rows if row.get(name) is not None]) for run, rows in fits]
    rows = rows_of(known)
    axes.plot(column(rows, "n"), column(rows, name), look.marker, color=look.color, markersize=2.6, alpha=0.5,
              markeredgewidth=0.6 if look.marker == "x" else 0, clip_on=False)  # fmt: skip
    axes.plot(*over_seeds(known, lambda row: row[name]), look.line, color=look.color, linewidth=1.2)


def _judged(apart: np.ndarray, floor: np.ndarray) -> str:
    """How many distances are Monte Carlo error."""
    known = np.isfinite(floor)
    beyond = np.mean(apart[known] > floor[known])
    return (
        " Grey: the same of the proposals of the two halves of the posterior's draws, which differ by Monte Carlo "
        f"error alone; their median distance is {np.median(floor[known]):.2g}, and the point estimate's is larger at "
        f"{beyond:.0%} of the fits."
    )
