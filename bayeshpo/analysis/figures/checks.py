"""Which check each fit did not pass: a row a run, a column a number of trials."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.colors import ListedColormap
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from bayeshpo.analysis.checks import CHECKS, FAILED, OTHER, complaints
from bayeshpo.analysis.figures.over_trials import Page, pages
from bayeshpo.analysis.figures.style import WIDE, Drawing, new_figure
from bayeshpo.analysis.fits import Fits, Row
from bayeshpo.analysis.wording import counted, words

NOTHING = "no surrogate was fitted"
_MOST_PROBLEMS = 12
_ROW = 0.1
# Colours of Okabe and Ito, from light to black; what a fit is shown as is the worst that may be said of it.
_KINDS = {
    "all passed": "#D6E6F2",
    "k-hat": "#56B4E9",
    "R-hat or ESS": "#E69F00",
    "divergences or energy": "#B5479A",
    "engine's own": "#7A5200",
    "no posterior": "#000000",
}
_AUDITS = {"agrees": "white", "differs": "black"}
_KIND_OF = {
    "k-hat": 1, "R-hat": 2, "nested R-hat": 2, "bulk ESS": 2, "tail ESS": 2, "MCSE": 2, "divergences": 3, "E-BFMI": 3,
    OTHER: 4, FAILED: 5,
}  # fmt: skip


def draw(fits: Sequence[Fits], width: float) -> list[Drawing]:
    """A figure a searcher, of at most twelve problems; none without fits."""
    return [_figure(page, width) for page in pages("checks", fits, lambda row: True, _MOST_PROBLEMS)]


def kind_of(row: Row) -> int:
    """The worst that may be said of a fit, as an index from 0 (all passed) to 5 (no posterior)."""
    return max((_KIND_OF[name] for name in complaints(row)), default=0)


def _figure(page: Page, width: float) -> Drawing:
    heights = [n * _ROW + 0.12 for n in page.seeds]
    figure = new_figure(width, sum(heights) + 1.2)
    grid = figure.subplots(len(page.problems), 1, sharex=True, squeeze=False, height_ratios=heights)[:, 0]
    most = max(row["n"] for row in page.rows)
    cmap = ListedColormap(list(_KINDS.values()))
    for axes, (problem, fits) in zip(grid, page.problems.items(), strict=True):
        kinds = np.full((len(fits), most + 1), np.nan)
        for i, (_, rows) in enumerate(fits):
            # After a trial that failed there is another fit of as many: the worse of them is shown.
            np.fmax.at(kinds[i], [row["n"] for row in rows], [kind_of(row) for row in rows])
            for status, fill in _AUDITS.items():
                audited = [row["n"] for row in rows if row.get("audit_status") == status]
                axes.plot(audited, [i] * len(audited), "o", markersize=2.2, color="black", markerfacecolor=fill,
                          markeredgewidth=0.5)  # fmt: skip
        edges = np.arange(most + 2) - 0.5, np.arange(len(fits) + 1) - 0.5
        axes.pcolormesh(*edges, kinds, cmap=cmap, vmin=-0.5, vmax=len(_KINDS) - 0.5, edgecolors="white", linewidth=0.3)
        axes.set_ylim(len(fits) - 0.5, -0.5)
        axes.set_xlim(min(row["n"] for row in page.rows) - 0.5, most + 0.5)
        axes.set_yticks([(len(fits) - 1) / 2], [words(problem)])
        axes.tick_params(axis="y", length=0)
        axes.spines["left"].set_visible(False)
    grid[-1].set_xlabel("trials seen")
    grid[-1].xaxis.set_major_locator(MaxNLocator(integer=True))
    kinds = [kind_of(row) for row in page.rows]
    audited = {row["audit_status"] for row in page.rows if "audit_status" in row}
    figure.legend(handles=_handles(set(kinds), audited), loc="outside lower center", ncols=3 if width >= WIDE else 2)
    return Drawing(page.name, figure, _caption(page, kinds, audited))


def _handles(kinds: set[int], audited: set[str]) -> list[Patch | Line2D]:
    handles: list[Patch | Line2D] = [
        Patch(facecolor=color, label=name) for i, (name, color) in enumerate(_KINDS.items()) if i in kinds
    ]
    for status, fill in _AUDITS.items():
        if status in audited:
            handles.append(Line2D([], [], marker="o", linestyle="", color="black", markerfacecolor=fill,
                                  markersize=3, label=f"audit {status}"))  # fmt: skip
    return handles


def _caption(page: Page, kinds: Sequence[int], audited: set[str]) -> str:
    passed = sum(kind == 0 for kind in kinds)
    limits = ", ".join(f"{check.name} {check.limit(page.rows)}" for check in CHECKS if check.of_draws)
    text = (
        f"Checks of {len(kinds)} fits of the surrogate of the {words(page.searcher)} searcher, {passed} of which "
        f"passed all: a row for each of {counted(page.seeds, 'run')} on a problem, a column for each number of trials "
        f"seen; of several fits, or checks that failed, the worst, which is the darkest. Limits: {limits}."
    )
    return f"{text} Circles: audits by a fresh run of NUTS." if audited else text
