"""How often outcomes lay in their one-step-ahead intervals, over all nominal levels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from bayeshpo.analysis.ahead import POSITIONS, Ahead
from bayeshpo.analysis.figures.style import DATA, GUIDE, WARNING, WIDE, Drawing, in_rows, new_figure, panel_width
from bayeshpo.analysis.fits import Fits, by_searcher
from bayeshpo.analysis.statistics.uniformity import BAND, ecdf_difference, is_outside, simultaneous_band
from bayeshpo.analysis.wording import words

NOTHING = "no one-step-ahead predictions are on record"


def draw(fits: Sequence[Fits], width: float) -> list[Drawing]:
    """A panel a searcher; none without predictions."""
    found = {searcher: Ahead.of(own).distance for searcher, own in by_searcher(fits).items()}
    found = {searcher: distance for searcher, distance in found.items() if len(distance)}
    return [of_distances(found, width)] if found else []


def of_distances(found: Mapping[str, np.ndarray], width: float) -> Drawing:
    """The figure of some predictions by label.

    Parameters
    ----------
    found
        Nominal coverage of the smallest central interval that holds each outcome (n,): `Ahead.distance`.
    width
        Inches.
    """
    columns = min(len(found), 3 if width >= WIDE else 1)
    rows = -(-len(found) // columns)
    size = panel_width(width) if columns == 1 else width
    figure = new_figure(size, rows * (size / columns - 0.1) + 0.35)
    cells = in_rows(figure, len(found), columns, sharex=True, sharey=True)
    for axes, (label, distance) in zip(cells, found.items(), strict=True):
        u, difference = ecdf_difference(distance, POSITIONS)
        low, high = simultaneous_band(len(distance), POSITIONS)
        axes.fill_between(u, u + low, u + high, color=GUIDE, alpha=0.5, linewidth=0)
        outside = is_outside(difference, len(distance))
        axes.plot(np.append(0.0, u), np.append(0.0, u + difference), color=WARNING if outside else DATA, linewidth=1.0)
        axes.set_title(f"{words(label)}, n = {len(distance)}", fontsize="small")
        axes.set_aspect("equal")
        axes.set(xlim=(0.0, 1.0), ylim=(0.0, 1.0), xticks=[0.0, 0.5, 1.0], yticks=[0.0, 0.5, 1.0])
    figure.supxlabel("nominal coverage of a central interval", fontsize="medium")
    figure.supylabel("share of outcomes inside", fontsize="medium")
    caption = (
        "Coverage of central one-step-ahead intervals of trials that had not entered, against their nominal coverage. "
        f"Grey: {BAND:.0%} simultaneous band of right predictions; curves that leave it are red. A curve below the "
        "band means intervals that are too narrow."
    )
    return Drawing("coverage", figure, caption)
