"""Posterior predictive check of a kept posterior: losses as observed, and as the surrogate would make them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from bayeshpo.analysis.figures.style import DATA, WIDE, Drawing, guides, looks, new_figure
from bayeshpo.analysis.kept import last_kept
from bayeshpo.analysis.predictive_check import predictive_check, replications
from bayeshpo.analysis.wording import words
from bayeshpo.experiment.store import RunRecord


def draw(runs: Sequence[RunRecord], width: float) -> list[Drawing]:
    """A figure a run, of the last posterior that it kept; none without draws of its predictive."""
    return [_figure(run, tree, found, width) for run, tree in last_kept(runs) if (found := predictive_check(tree))]


def _figure(
    run: RunRecord, tree: xr.DataTree, found: Mapping[str, tuple[float, np.ndarray, float]], width: float
) -> Drawing:
    color = looks([run.searcher])[run.searcher].color
    wide = width >= WIDE
    figure = new_figure(width, 2.4 if wide else 3.9)
    panels = figure.subplots(1, 2, width_ratios=[1.4, 1.0]) if wide else figure.subplots(2, 1, height_ratios=[1.4, 1.0])
    _distribution(panels[0], tree, color)
    _statistics(panels[1], found, color)
    handles = [
        Line2D([], [], color=DATA, marker="o", markersize=3.2, label="observed"),
        Line2D([], [], color=color, label="replicated, median"),
        Patch(facecolor=color, alpha=0.25, label="90 %"),
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=3, columnspacing=1.0, handlelength=1.4)
    draws, n = replications(tree).shape
    caption = (
        f"Posterior predictive check of the {words(run.searcher)} searcher's surrogate on {words(run.problem)}, seed "
        f"{run.seed}, given {n} finished trials: losses as it was told them, and as {draws} draws of its predictive "
        "make them at the same points. First: their distribution, each rank's loss with its 90 % interval. Second: "
        "statistics of them, in units of half the replications' 90 % interval about its middle, with the share of "
        "replications below the observed one. Beyond the interval the surrogate does not make such losses; the data "
        "have been used twice, so that it looks better than it is."
    )
    return Drawing(f"predictive_{run.run_id}", figure, caption)


def _distribution(axes: Axes, tree: xr.DataTree, color: str) -> None:
    """Losses by rank, in the problem's units with the sign of a loss."""
    data = tree["constant_data"].to_dataset()
    location, scale = float(data["location"]), float(data["scale"])
    observed = location + scale * np.sort(tree["observed_data"].to_dataset()["outcome"].values)
    low, middle, high = location + scale * np.quantile(np.sort(replications(tree), axis=1), (0.05, 0.5, 0.95), axis=0)
    share = (np.arange(len(observed)) + 0.5) / len(observed)
    axes.fill_betweenx(share, low, high, color=color, alpha=0.25, linewidth=0)
    axes.plot(middle, share, color=color)
    axes.plot(observed, share, "o-", color=DATA, markersize=2.2, linewidth=0.8)
    axes.set_ylim(0.0, 1.0)
    axes.set_xlabel("loss")
    axes.set_ylabel("share of trials below")
    guides(axes)


def _statistics(axes: Axes, found: Mapping[str, tuple[float, np.ndarray, float]], color: str) -> None:
    reach = 1.5
    for row, (value, (low, middle, high), share) in enumerate(found.values()):
        half, centre = (high - low) / 2.0 or 1.0, (high + low) / 2.0
        at = (value - centre) / half
        axes.plot([-1.0, 1.0], [row, row], color=color, alpha=0.25, linewidth=7, solid_capstyle="butt")
        axes.plot((middle - centre) / half, row, "|", color=color, markersize=8, markeredgewidth=1.4)
        axes.plot(at, row, "o", color=DATA, markersize=3.4, clip_on=False)
        axes.annotate(f"{share:.2f}", (1.02, row), xycoords=("axes fraction", "data"), va="center", fontsize="small")
        reach = max(reach, abs(at))
    axes.set_xlim(-1.05 * reach, 1.05 * reach)
    axes.set_ylim(len(found) - 0.5, -0.5)
    axes.set_yticks(range(len(found)), [name.replace(" ", "\n") for name in found])
    axes.tick_params(axis="y", length=0)
    axes.set_xlabel("in half 90 % intervals")
