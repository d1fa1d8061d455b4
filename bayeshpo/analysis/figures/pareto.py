"""The Pareto front of a run with several objectives, as its posterior has it."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from bayeshpo.aims import sign_of
from bayeshpo.analysis.figures.style import DATA, Drawing, Look, file_name, looks, new_figure
from bayeshpo.analysis.kept import last_kept
from bayeshpo.analysis.wording import words
from bayeshpo.experiment.store import RunRecord
from bayeshpo.pareto import non_dominated

_Z90 = 1.6449
_DRAWS = 24


def draw(runs: Sequence[RunRecord], width: float) -> list[Drawing]:
    """One figure per problem and searcher that kept a posterior of several objectives, for its first seed."""
    found: dict[tuple[str, str], tuple[RunRecord, xr.Dataset]] = {}
    for run, tree in last_kept(runs):
        if "pareto" in tree.children:
            found.setdefault((run.problem, run.searcher), (run, tree["pareto"].to_dataset()))
    return [_figure(run, kept, width) for run, kept in found.values()]


def _figure(run: RunRecord, kept: xr.Dataset, width: float) -> Drawing:
    names = [str(name) for name in kept["objective"].values]
    objectives = run.spec["aims"]["objectives"]
    directions = [run.spec["direction"], *(objectives[name] for name in names[1:])]
    signs = np.array([sign_of(direction) for direction in directions])
    pairs = list(combinations(range(len(names)), 2))
    look = looks([run.searcher])[run.searcher]
    figure = new_figure(width, min(0.62 * width, 0.9 * width / len(pairs) + 0.9))
    for axes, (i, j) in zip(np.atleast_1d(figure.subplots(1, len(pairs))), pairs, strict=True):
        _panel(axes, kept, signs, (i, j), look)
        axes.set_xlabel(_label(names[i], directions[i]))
        axes.set_ylabel(_label(names[j], directions[j]))
    figure.suptitle(f"{words(run.problem)}, {words(run.searcher)}, seed {run.seed}", fontsize=9)
    figure.legend(handles=_handles(look, len(names) == 2), loc="outside lower center", ncols=2)
    return Drawing(file_name("pareto", run.problem, run.searcher), figure, _caption(run, kept, names))


def _panel(axes: Axes, kept: xr.Dataset, signs: np.ndarray, pair: tuple[int, int], look: Look) -> None:
    """All tried configurations, and those on the front of the posterior means; of two objectives single fronts too."""
    f = kept["f"].transpose("front_draw", "trial", "objective").values
    mean, sd, within = f.mean(axis=0), f.std(axis=0), kept["within"].values.astype(bool)
    front = np.flatnonzero(within)[non_dominated((signs * mean)[within])]
    i, j = pair
    if f.shape[2] == 2:
        for drawn in f[:: max(1, len(f) // _DRAWS)][:_DRAWS, within]:
            stairs = _stairs(drawn[non_dominated(signs * drawn)], signs)
            axes.plot(stairs[:, 0], stairs[:, 1], color=look.color, linewidth=0.5, alpha=0.35)
    for allowed, marker in ((within, "o"), (~within, "x")):
        axes.plot(mean[allowed, i], mean[allowed, j], marker, color=DATA, markersize=2.4, alpha=0.45, linestyle="")
    axes.errorbar(
        mean[front, i], mean[front, j], xerr=_Z90 * sd[front, i], yerr=_Z90 * sd[front, j], fmt=look.marker,
        color=look.color, elinewidth=0.8, markersize=3.6, zorder=3,
    )  # fmt: skip


def _stairs(front: np.ndarray, signs: np.ndarray) -> np.ndarray:
    """Corners (k, 2) of the edge of what a front (n, 2) dominates."""
    losses = signs * front[np.argsort(signs[0] * front[:, 0], kind="stable")]
    corners = np.column_stack([losses[1:, 0], losses[:-1, 1]])
    between = np.empty((2 * len(losses) - 1, 2))
    between[::2], between[1::2] = losses, corners
    return signs * between


def _label(name: str, direction: str) -> str:
    return f"{words(name)} ({'lower' if direction == 'minimize' else 'higher'} is better)"


def _handles(look: Look, fronts: bool) -> list[Line2D]:
    handles = [
        Line2D([], [], color=look.color, marker=look.marker, label="Pareto set of posterior means, 90 % intervals"),
        Line2D([], [], color=DATA, marker="o", linestyle="", markersize=2.4, alpha=0.45, label="other trials"),
    ]
    single = Line2D([], [], color=look.color, linewidth=0.5, alpha=0.6, label="fronts of single posterior draws")
    return [*handles, single] if fronts else handles


def _caption(run: RunRecord, kept: xr.Dataset, names: Sequence[str]) -> str:
    inside = int(kept["within"].values.sum())
    limits = (
        f" Crosses are {kept.sizes['trial'] - inside} trials that probably exceed a limit."
        if (inside < kept.sizes["trial"])
        else ""
    )
    fronts = (
        " Thin lines are the fronts that single joint posterior draws have among the same configurations."
        if (len(names) == 2)
        else ""
    )
    return (
        f"Objectives of the {kept.sizes['trial']} finished trials of the {words(run.searcher)} searcher on "
        f"{words(run.problem)} (seed {run.seed}), without noise: posterior means, and for the configurations that none "
        f"is better than in all means 90 % intervals (mean plus or minus 1.645 posterior standard deviations).{fronts}"
        f"{limits}"
    )
