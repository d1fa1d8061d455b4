"""Performance profile: the distribution of normalised regret at the end of the budget."""

from __future__ import annotations

import numpy as np

from bayeshpo.analysis.compared import comparable, coverage
from bayeshpo.analysis.figures.logarithmic import logarithmic_along
from bayeshpo.analysis.figures.style import Drawing, curves, legend, looks, new_figure, panel_width
from bayeshpo.analysis.statistics.profile import profile
from bayeshpo.analysis.traces import Traces

_THRESHOLDS = np.logspace(-4.0, 0.0, 81)


def draw(traces: Traces, width: float) -> list[Drawing]:
    """The figure; none if nothing can be compared."""
    compared = comparable(traces)
    if compared is None:
        return []
    shares = profile(compared.final(), compared.whole, _THRESHOLDS, np.random.default_rng(0))
    style, width = looks(compared.searchers), panel_width(width)
    figure = new_figure(width, 2.5)
    axes = figure.subplots()
    bands = zip(shares.low, shares.value, shares.high, strict=True)
    curves(axes, _THRESHOLDS, dict(zip(compared.searchers, bands, strict=True)), style)
    logarithmic_along(axes)
    axes.set_ylim(-0.02, 1.02)
    axes.set_xlabel("normalised regret $\\tau$ after the last trial")
    axes.set_ylabel("share of runs with at most $\\tau$")
    legend(figure, style, width)
    caption = (
        f"Performance profile: distribution of normalised regret after the last trial; higher is better. "
        f"{coverage(compared)} Bands are 95 % bootstrap intervals, seeds drawn anew within each problem."
    )
    return [Drawing("profile", figure, caption)]
