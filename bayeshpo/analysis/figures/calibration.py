"""Simulation-based calibration: how far the distribution of ranks is from the uniform one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from bayeshpo.analysis.figures.style import DATA, GUIDE, WARNING, Drawing, in_rows, new_figure
from bayeshpo.analysis.statistics.uniformity import BAND, ecdf_difference, is_outside, simultaneous_band

_COLUMNS = 3


def draw(record: Mapping[str, Any], width: float) -> Drawing:
    """A panel a quantity, from a record of `bayeshpo sbc`."""
    ranks, names = np.asarray(record["ranks"]), record["quantities"]
    rows = -(-len(names) // _COLUMNS)
    figure = new_figure(width, 1.25 * rows + 0.5)
    cells = in_rows(figure, len(names), _COLUMNS, sharex=True, sharey=True)
    positions = record["draws"] + 1
    low, high = simultaneous_band(len(ranks), positions)
    for cell, name, column in zip(cells, names, ranks.T, strict=True):
        u, difference = ecdf_difference((column + 1) / positions, positions)
        outside = is_outside(difference, len(column))
        cell.fill_between(u, low, high, step="mid", color=GUIDE, alpha=0.5, linewidth=0)
        cell.step(u, difference, where="mid", color=WARNING if outside else DATA, linewidth=0.9)
        cell.set_title(name, fontsize="small")
        cell.set_xticks([0.0, 0.5, 1.0])
    figure.supxlabel("rank of the true value among posterior draws, as a share", fontsize="medium")
    figure.supylabel("distribution of ranks $-$ uniform", fontsize="medium")
    arguments = "".join(f", {name} = {value}" for name, value in record["arguments"].items())
    about = f"'{record['surrogate']}'{arguments}, with the engine '{record['engine']}'"
    caption = (
        f"Simulation-based calibration of {about}, {record['trials']} trials in {record['dimension']} dimensions: "
        f"distribution of the ranks of true values in {len(ranks)} simulations, less the uniform one. Grey: "
        f"{BAND:.0%} simultaneous band of uniform ranks, for each panel by itself; curves that leave it are red."
    )
    return Drawing("calibration", figure, caption)
