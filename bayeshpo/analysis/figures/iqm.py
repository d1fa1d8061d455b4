"""Interquartile mean of normalised regret over the budget."""

from __future__ import annotations

import numpy as np
from matplotlib.ticker import MaxNLocator

from bayeshpo.analysis.compared import comparable, coverage
from bayeshpo.analysis.figures.logarithmic import logarithmic
from bayeshpo.analysis.figures.style import Drawing, curves, legend, looks, new_figure, panel_width
from bayeshpo.analysis.statistics.budget import places
from bayeshpo.analysis.statistics.interquartile import iqm
from bayeshpo.analysis.traces import Traces

# Sorting all runs at all places takes the time: fewer replicates than elsewhere, at fewer places.
_POINTS = 25
_REPLICATES = 400


def draw(traces: Traces, width: float) -> list[Drawing]:
    """The figure; none if nothing can be compared."""
    compared = comparable(traces)
    if compared is None:
        return []
    at = places(compared.budgets, _POINTS)
    mean = iqm(at.of(compared.normalised()), compared.whole, np.random.default_rng(0), _REPLICATES)
    style, width = looks(compared.searchers), panel_width(width)
    figure = new_figure(width, 2.5)
    axes = figure.subplots()
    values = np.stack([mean.low, mean.value, mean.high], axis=1)
    values, zero = logarithmic(axes, values)
    curves(axes, at.at, dict(zip(compared.searchers, values, strict=True)), style)
    axes.set_xlabel(at.label)
    axes.set_ylabel("normalised regret (IQM)")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=6))
    legend(figure, style, width)
    caption = (
        "Interquartile mean of normalised regret over all runs: 1 is a random configuration's, the median regret after "
        f"the first trial. {coverage(compared)} Bands are 95 % bootstrap intervals, seeds drawn anew within "
        "each problem; log axis."
    )
    return [Drawing("iqm", figure, caption + (" Values on the shaded strip are exactly 0." if zero else ""))]
