"""Lengthscales over trials: medians and 90 % intervals of the posterior of each fit."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from bayeshpo.analysis.figures.over_trials import Page, bands, pages, panels
from bayeshpo.analysis.figures.style import PRIOR, Drawing, file_name, looks
from bayeshpo.analysis.fits import Fits
from bayeshpo.analysis.wording import counted, words

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
    figure, cells = panels(shown, width)
    color = looks([page.searcher])[page.searcher].color
    for axes, name in zip(cells, shown, strict=True):
        bands(axes, fits, lambda row, name=name: lengthscales(row).get(name), color)
        axes.axhline(1.0, color=PRIOR, linewidth=0.6, linestyle="--", zorder=0)
        axes.set_yscale("log")
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
