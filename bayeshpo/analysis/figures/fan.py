"""Lengthscales over trials: medians and 90 % intervals of the posterior of each fit."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from bayeshpo.analysis.figures.over_trials import Page, pages
from bayeshpo.analysis.figures.style import PRIOR, WIDE, Drawing, counted, file_name, guides, looks, new_figure, words
from bayeshpo.analysis.fits import Fits

NOTHING = "no quantiles of lengthscales are on record"
# Of a mixture with the member's name before it.
_NAME = re.compile(r"(?:(.+)\.)?lengthscale\[(.+)\]")
_MOST = 12


def draw(fits: Sequence[Fits], width: float) -> list[Drawing]:
    """A figure a searcher and problem, of the twelve shortest lengthscales; none without quantiles."""
    found = list(pages("fan", fits, lambda row: bool(lengthscales(row)), 1))
    several = len({page.searcher for page in found}) > 1
    return [_figure(page, several, width) for page in found]


def lengthscales(row: Any) -> dict[str, list[float]]:
    """5, 50 and 95 % quantiles of lengthscales, by hyperparameter of the space."""
    found = ((_NAME.fullmatch(name), values) for name, values in (row.get("quantiles") or {}).items())
    return {": ".join(filter(None, match.groups())): values for match, values in found if match}


def _figure(page: Page, several: bool, width: float) -> Drawing:
    [(problem, fits)] = page.problems.items()
    last = [lengthscales(rows[-1]) for _, rows in fits]
    median = {name: np.median([q[name][1] for q in last if name in q]) for q in last for name in q}
    shown = sorted(median, key=lambda name: median[name])[:_MOST]
    columns = min(len(shown), 4 if width >= WIDE else 2)
    rows = -(-len(shown) // columns)
    figure = new_figure(width, 1.15 * rows + 0.5)
    cells = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False).ravel()
    color = looks([page.searcher])[page.searcher].color
    for axes, name in zip(cells, shown, strict=False):
        _panel(axes, name, fits, color)
    for unused in cells[len(shown) :]:
        unused.set_axis_off()
    figure.suptitle(words(problem), fontsize="medium", x=0.01, ha="left")
    figure.supxlabel("trials seen", fontsize="medium")
    figure.supylabel("lengthscale", fontsize="medium")
    left_out = f" The {len(shown)} shortest at the end, of {len(median)}." if len(shown) < len(median) else ""
    caption = (
        f"Lengthscales of the surrogate of the {words(page.searcher)} searcher on {words(problem)}, in units of the "
        f"unit cube: posterior medians (lines) and 90 % intervals (bands) of each fit, {counted(page.seeds, 'seed')}, "
        f"one line and band each; the shortest first.{left_out} A short lengthscale means that the hyperparameter "
        "matters; one beyond 1 (dashed), that it hardly does."
    )
    name = file_name("fan", page.searcher, problem) if several else file_name("fan", problem)
    return Drawing(name, figure, caption)


def _panel(axes: Axes, name: str, fits: Sequence[Fits], color: str) -> None:
    for _, rows in fits:
        known = [(row["n"], lengthscales(row)[name]) for row in rows if name in lengthscales(row)]
        if known:
            n, values = np.array([at for at, _ in known]), np.array([q for _, q in known])
            axes.fill_between(n, values[:, 0], values[:, 2], color=color, alpha=0.25 / len(fits) ** 0.5, linewidth=0)
            axes.plot(n, values[:, 1], color=color, linewidth=0.9)
    axes.axhline(1.0, color=PRIOR, linewidth=0.6, linestyle="--", zorder=0)
    axes.set_yscale("log")
    axes.set_title(words(name), fontsize="small")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=4))
    guides(axes)
