"""Simulation-based calibration: how far the distribution of ranks is from the uniform one."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

import numpy as np
from scipy import stats

from bayeshpo.analysis.figures.style import DATA, GUIDE, WARNING, Drawing, new_figure

_COLUMNS = 3
_BAND = 0.95


def draw(record: Mapping[str, Any], width: float) -> Drawing:
    """A panel a quantity, from a record of `bayeshpo sbc`."""
    ranks, names = np.asarray(record["ranks"]), record["quantities"]
    rows = -(-len(names) // _COLUMNS)
    figure = new_figure(width, 1.25 * rows + 0.5)
    cells = figure.subplots(rows, _COLUMNS, sharex=True, sharey=True, squeeze=False).ravel()
    u = (np.arange(record["draws"] + 1) + 1.0) / (record["draws"] + 1)
    low, high = simultaneous_band(len(ranks), len(u))
    for cell, name, column in zip(cells, names, ranks.T, strict=False):
        difference = np.searchsorted(np.sort(column), np.arange(len(u)), side="right") / len(column) - u
        outside = ((difference < low - 1e-12) | (difference > high + 1e-12)).any()
        cell.fill_between(u, low, high, step="mid", color=GUIDE, alpha=0.5, linewidth=0)
        cell.step(u, difference, where="mid", color=WARNING if outside else DATA, linewidth=0.9)
        cell.set_title(name, fontsize="small")
        cell.set_xticks([0.0, 0.5, 1.0])
    for unused in cells[len(names) :]:
        unused.set_axis_off()
    figure.supxlabel("rank of the true value among posterior draws, as a share", fontsize="medium")
    figure.supylabel("distribution of ranks $-$ uniform", fontsize="medium")
    about = f"'{record['surrogate']}' with the engine '{record['engine']}'"
    caption = (
        f"Simulation-based calibration of {about}, {record['trials']} trials in {record['dimension']} dimensions: "
        f"distribution of the ranks of true values in {len(ranks)} simulations, less the uniform one. Grey: "
        f"{_BAND:.0%} simultaneous band of uniform ranks, for each panel by itself; curves that leave it are red."
    )
    return Drawing("calibration", figure, caption)


@cache
def simultaneous_band(simulations: int, positions: int) -> tuple[np.ndarray, np.ndarray]:
    """Limits (positions,) that hold the whole curve of uniform ranks with 95 % probability.

    Pointwise binomial intervals of the one level that makes 95 % of simulated curves stay inside (Säilynoja, Bürkner
    and Vehtari 2022).
    """
    rng = np.random.default_rng(0)
    u = np.arange(1, positions + 1) / positions
    counts = rng.multinomial(simulations, np.full(positions, 1.0 / positions), size=4000).cumsum(axis=1)
    below, above = stats.binom.cdf(counts, simulations, u), stats.binom.sf(counts - 1, simulations, u)
    # At the last position all ranks are counted, always.
    tails = np.minimum(below, above)[:, :-1].min(axis=1)
    level = np.quantile(tails, 1.0 - _BAND)
    low, high = stats.binom.ppf(level, simulations, u), stats.binom.isf(level, simulations, u)
    return low / simulations - u, high / simulations - u
