"""Places of outcomes in their one-step-ahead predictive: how far their distribution is from the uniform one."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes

from bayeshpo.analysis.ahead import POSITIONS, Ahead
from bayeshpo.analysis.figures.style import DATA, GUIDE, WARNING, Drawing, new_figure
from bayeshpo.analysis.fits import Fits, by_searcher
from bayeshpo.analysis.statistics.uniformity import BAND, ecdf_difference, is_outside, simultaneous_band
from bayeshpo.analysis.wording import words

NOTHING = "no one-step-ahead predictions are on record"


def draw(fits: Sequence[Fits], width: float) -> list[Drawing]:
    """A row a searcher: all predictions, the first half of each run's, and the second half; none without any."""
    found = {searcher: Ahead.of(own) for searcher, own in by_searcher(fits).items()}
    found = {searcher: ahead for searcher, ahead in found.items() if len(ahead)}
    if not found:
        return []
    figure = new_figure(width, 1.3 * len(found) + 0.6)
    grid = figure.subplots(len(found), 3, sharex=True, sharey="row", squeeze=False)
    for (searcher, ahead), row in zip(found.items(), grid, strict=True):
        parts = {"all": ahead.pit, "first half": ahead.pit[~ahead.late], "second half": ahead.pit[ahead.late]}
        for axes, (part, pit) in zip(row, parts.items(), strict=True):
            _panel(axes, pit)
            axes.set_title(f"{part}, n = {len(pit)}", fontsize="small")
        if len(found) > 1:
            row[0].set_ylabel(words(searcher))
    figure.supxlabel("place of the outcome in its predictive distribution (PIT)", fontsize="medium")
    figure.supylabel("distribution $-$ uniform", fontsize="medium")
    caption = (
        "One-step-ahead predictions: distribution of the places of outcomes in the predictive distributions that were "
        "made before these trials entered, less the uniform one; all, and the first and the second half of each "
        f"run's. Grey: {BAND:.0%} simultaneous band of uniform places, for each panel by itself; curves that leave it "
        "are red. A curve that is steep at both ends means predictions that are too narrow; one above 0, losses that "
        "are lower than predicted."
    )
    return [Drawing("pit", figure, caption)]


def _panel(axes: Axes, pit: np.ndarray) -> None:
    axes.set_xticks([0.0, 0.5, 1.0])
    axes.axhline(0.0, color=GUIDE, linewidth=0.5)
    if not len(pit):
        return
    u, difference = ecdf_difference(pit, POSITIONS)
    low, high = simultaneous_band(len(pit), POSITIONS)
    axes.fill_between(u, low, high, step="mid", color=GUIDE, alpha=0.5, linewidth=0)
    color = WARNING if is_outside(difference, len(pit)) else DATA
    axes.step(np.append(0.0, u), np.append(0.0, difference), where="post", color=color, linewidth=0.9)
