"""The posterior of the optimum's place over trials: hyperparameter by hyperparameter, with the true optimum."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from bayeshpo.analysis.figures.over_trials import Page, bands, pages, panels
from bayeshpo.analysis.figures.style import DATA, Drawing, file_name, looks
from bayeshpo.analysis.fits import Fits
from bayeshpo.analysis.spaces import optima_of
from bayeshpo.analysis.wording import counted, words
from bayeshpo.space import INACTIVE

NOTHING = "no fit was looked at closely (examine_every): no quantiles of the optimum's place are on record"
_MOST = 12
# Inches for the legend below the panels.
_LEGEND = 0.5


def draw(fits: Sequence[Fits], width: float) -> list[Drawing]:
    """A figure a searcher and problem, of at most twelve hyperparameters; none without quantiles."""
    found = list(pages("place", fits, lambda row: bool(row.get("optimum_place")), 1))
    several = len({page.searcher for page in found}) > 1
    return [_figure(page, several, width) for page in found]


def _figure(page: Page, several: bool, width: float) -> Drawing:
    [(problem, fits)] = page.problems.items()
    names = list(dict.fromkeys(name for row in page.rows for name in row["optimum_place"]))
    known = sorted(names, key=lambda name: _width(name, fits))[:_MOST]
    shown = [name for name in names if name in known]
    optima = optima_of(fits[0][0])
    color = looks([page.searcher])[page.searcher].color
    figure, cells = panels(shown, width)
    figure.set_figheight(figure.get_figheight() + _LEGEND)
    for axes, name in zip(cells, shown, strict=True):
        bands(axes, fits, lambda row, name=name: row["optimum_place"].get(name), color)
        for at in sorted({float(place[name]) for place in optima if place[name] != INACTIVE}):
            axes.axhline(at, color=DATA, linewidth=0.8, linestyle="--")
        axes.set_ylim(0.0, 1.0)
        # A label of the whole figure would be where the legend is.
        axes.set_xlabel("trials seen")
        axes.label_outer()
    figure.suptitle(words(problem), fontsize="medium", x=0.01, ha="left")
    figure.supylabel("place of the optimum", fontsize="medium")
    handles: list[Line2D | Patch] = [
        Line2D([], [], color=color, linewidth=0.9, label="median"),
        Patch(facecolor=color, alpha=0.25, label="90 % interval"),
    ]
    if optima:
        handles.append(Line2D([], [], color=DATA, linewidth=0.8, linestyle="--", label="true optimum"))
    figure.legend(handles=handles, loc="outside lower center", ncols=len(handles), columnspacing=1.0, handlelength=1.4)
    name = file_name("place", page.searcher, problem) if several else file_name("place", problem)
    return Drawing(name, figure, _caption(page, problem, len(shown), len(names), len(optima)))


def _width(name: str, fits: Sequence[Fits]) -> float:
    """Median over runs of the last 90 % interval's length; infinite where a run says nothing of it."""
    last = [rows[-1]["optimum_place"].get(name, (-np.inf, 0.0, np.inf)) for _, rows in fits]
    return float(np.median([high - low for low, _, high in last]))


def _caption(page: Page, problem: str, shown: int, of: int, optima: int) -> str:
    text = (
        f"Where the optimum of {words(problem)} may be, under the surrogate of the {words(page.searcher)} searcher: "
        "medians (lines) and 90 % intervals (bands) of its position in the unit cube, of the minima of functions "
        f"drawn from the posterior of each fit that was looked at closely, {counted(page.seeds, 'seed')}, one line "
        "and band each. A band from 0.05 to 0.95 knows nothing."
    )
    if optima > 1:
        text += (
            f" Of {optima} true optima (dashed) each draw has one, so that medians may lie between them; positions "
            "that they share are one line."
        )
    else:
        text += " Dashed: the true optimum." if optima else " The true optimum is not known."
    return text + (f" The {shown} hyperparameters that are known best, of {of}." if shown < of else "")
