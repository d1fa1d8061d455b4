"""Figures of the comparison of acquisitions: their mean ranks, and what batches cost in rounds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.ticker import MaxNLocator

from bayeshpo.analysis.figures.logarithmic import logarithmic
from bayeshpo.analysis.figures.style import Drawing, Look, curves, in_rows, legend, looks, new_figure

_SIZES = {
    "1 at once": Look("#0072B2", "o"),
    "2 at once": Look("#E69F00", "s", "--"),
    "4 at once": Look("#009E73", "^", "-."),
    "8 at once": Look("#CC79A7", "D", ":"),
}


def ranks(record: Mapping[str, Any], width: float) -> Drawing:
    """Mean ranks with their intervals, the best on top."""
    names = record["acquisitions"]
    figure = new_figure(width, 0.6 + 0.19 * len(names))
    axes, style = figure.subplots(), looks(["bayesian", "random"])
    for place, (name, value, low, high) in enumerate(
        zip(names, *(record[k] for k in ("mean", "low", "high")), strict=True)
    ):
        look = style["random" if name == "random" else "bayesian"]
        axes.plot([low, high], [place, place], color=look.color, linewidth=1.0)
        axes.plot(value, place, look.marker, color=look.color, markersize=4.5)
    axes.set_yticks(range(len(names)), names)
    axes.invert_yaxis()
    axes.set_xlim(1, len(names))
    axes.set_xlabel(f"mean rank among {len(names)} (1 is best)")
    axes.grid(axis="x", color="#E6E6E6", linewidth=0.5)
    caption = (
        f"Mean ranks of the true losses of recommendations after 32 trials, within a case and a seed "
        f"({record['runs']}), with 95 % bootstrap intervals over the {record['cases']} cases. Default surrogate and "
        "engine; random search, in grey, recommends the best observed trial."
    )
    return Drawing("ranks", figure, caption)


def batches(record: Mapping[str, Any], width: float) -> Drawing:
    """Median regret over rounds, a panel a case and a line a size of batches."""
    cases = record["cases"]
    figure = new_figure(width, 2.5)
    for axes, (case, sizes) in zip(in_rows(figure, len(cases), len(cases)), cases.items(), strict=True):
        rounds = max(len(regrets[0]) for regrets in sizes.values())
        middle = np.full((len(sizes), rounds), np.nan)
        for line, regrets in zip(middle, sizes.values(), strict=True):
            line[: len(regrets[0])] = np.median(regrets, axis=0)
        drawn, _ = logarithmic(axes, middle)
        bands = {f"{size} at once": [line] for size, line in zip(sizes, drawn, strict=True)}
        curves(axes, np.arange(1, rounds + 1), bands, _SIZES)
        axes.set_title(case)
        axes.set_xlabel("rounds")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    figure.axes[0].set_ylabel("regret (share of the median's)")
    legend(figure, _SIZES, width)
    seeds = len(next(iter(next(iter(cases.values())).values())))
    caption = (
        f"Regret of the best observed trial over rounds of 1, 2, 4 and 8 trials at once, 32 trials in all, median over "
        f"seeds ({seeds}), as a share of that of the median uniform configuration. log EI after a Sobol design of "
        "max(4, d + 2) trials."
    )
    return Drawing("batches", figure, caption)
