"""Effects of diagnostics on the regret of the next trial."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from bayeshpo.analysis.figures.style import DATA, GUIDE, WARNING, Drawing, new_figure
from bayeshpo.analysis.wording import counted

NOTHING = "there is no regression yet: bayeshpo diagnose RESULTS --regression"


def draw(record: Mapping[str, Any] | None, width: float) -> list[Drawing]:
    """A row a predictor, from the record of `bayeshpo diagnose --regression`; none without it."""
    if record is None:
        return []
    size = len(record["predictors"])
    figure = new_figure(width, 0.22 * size + 0.95)
    axes = figure.subplots()
    factor = {name: 10.0 ** np.array(record[name]) for name in ("low", "median", "high")}
    axes.axvline(1.0, color=GUIDE, linewidth=0.8)
    axes.hlines(range(size), factor["low"], factor["high"], color=DATA, linewidth=1.4)
    axes.plot(factor["median"], range(size), "o", color=DATA, markersize=4)
    for row, worse in enumerate(record["worse"]):
        axes.text(1.02, row, f"{worse:.2f}", transform=axes.get_yaxis_transform(), va="center")
    axes.text(1.02, -0.85, "P(worse)", transform=axes.get_yaxis_transform(), va="center", fontsize="small")
    axes.set_yticks(range(size), record["predictors"])
    axes.set_ylim(size - 0.5, -0.5)
    axes.set_xlabel("factor of the next trial's\nregret for one sd more", multialignment="center")
    if record["report"]["status"] != "ok":
        axes.text(0.5, 0.5, "not converged", transform=axes.transAxes, color=WARNING, ha="center", va="center")
    caption = (
        f"Regression of the next trial's regret on the diagnostics of the fit that proposed it: {record['fits']} fits "
        f"on {counted([len(record['problems'])], 'problem')}, with effects that vary over problems. Population "
        "effects, medians and 90 % intervals, of one standard deviation within a problem; of each diagnostic more is "
        "worse; and the probability that it goes with more regret."
    )
    return [Drawing("predictors", figure, caption)]
