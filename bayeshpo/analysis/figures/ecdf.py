"""Targets reached within a number of evaluations, and the expected running time to each."""

from __future__ import annotations

from matplotlib.ticker import MaxNLocator

from bayeshpo.analysis.compared import comparable, coverage
from bayeshpo.analysis.figures.logarithmic import logarithmic, logarithmic_along
from bayeshpo.analysis.figures.style import WIDE, Drawing, curves, legend, looks, new_figure
from bayeshpo.analysis.statistics.budget import places
from bayeshpo.analysis.statistics.targets import TARGETS, ecdf, expected_running_time, first_hits, typical_time
from bayeshpo.analysis.traces import Traces


def draw(traces: Traces, width: float) -> list[Drawing]:
    """The figure; none if nothing can be compared."""
    compared = comparable(traces)
    if compared is None:
        return []
    at = places(compared.budgets)
    hits = first_hits(compared.normalised(), TARGETS)
    shares = ecdf(hits, compared.whole, at.index + 1)
    times = typical_time(expected_running_time(hits, compared.whole, compared.budgets))
    style = looks(compared.searchers)
    side_by_side = width >= WIDE
    figure = new_figure(width, 2.6 if side_by_side else 4.4)
    left, right = figure.subplots(1, 2) if side_by_side else figure.subplots(2, 1)
    curves(left, at.at, {s: [share] for s, share in zip(compared.searchers, shares, strict=True)}, style)
    left.set_xlabel(at.label)
    left.set_ylabel("share of targets reached")
    left.set_ylim(-0.02, 1.02)
    left.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=6))
    times, _ = logarithmic(right, times)
    curves(right, TARGETS, {s: [time] for s, time in zip(compared.searchers, times, strict=True)}, style)
    logarithmic_along(right)
    right.invert_xaxis()
    right.set_xlabel("target: normalised regret")
    right.set_ylabel("expected running time\n(evaluations)")
    legend(figure, style, width)
    caption = (
        f"Evaluations until targets are reached: {len(TARGETS)} values of normalised regret from {TARGETS[0]:.2g} down "
        f"to {TARGETS[-1]:.0e}. {coverage(compared)} Left: share of all problems, seeds and targets reached. "
        "Right: expected evaluations of a searcher that is begun anew until it reaches the target, the median over "
        "problems; lines end where no run reaches it on half of them. A single set of runs: no band."
    )
    if not side_by_side:
        caption = caption.replace(" Left: ", " Above: ").replace(" Right: ", " Below: ")
    return [Drawing("ecdf", figure, caption)]
