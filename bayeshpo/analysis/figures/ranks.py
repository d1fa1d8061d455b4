"""Mean rank over the budget."""

from __future__ import annotations

import numpy as np
from matplotlib.ticker import MaxNLocator

from bayeshpo.analysis.compared import comparable, coverage
from bayeshpo.analysis.figures.style import Drawing, curves, legend, looks, new_figure, panel_width
from bayeshpo.analysis.statistics.budget import places
from bayeshpo.analysis.statistics.ranks import mean_ranks
from bayeshpo.analysis.traces import Traces


def draw(traces: Traces, width: float) -> list[Drawing]:
    """The figure; none if nothing can be compared."""
    compared = comparable(traces)
    if compared is None:
        return []
    at = places(compared.budgets)
    ranks = mean_ranks(at.of(compared.normalised()), compared.whole, np.random.default_rng(0))
    style, width = looks(compared.searchers), panel_width(width)
    figure = new_figure(width, 2.5)
    axes = figure.subplots()
    bands = zip(ranks.low, ranks.value, ranks.high, strict=True)
    curves(axes, at.at, dict(zip(compared.searchers, bands, strict=True)), style)
    axes.set_xlabel(at.label)
    axes.set_ylabel("mean rank (1 is best)")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=6))
    axes.invert_yaxis()
    legend(figure, style, width)
    caption = (
        f"Mean rank of the best value so far over problems. {coverage(compared)} Ranks are those of "
        "runs with one seed, ties averaged, then averaged over seeds and over problems; bands are 95 % bootstrap "
        "intervals over problems."
    )
    return [Drawing("ranks", figure, caption)]
