"""Parallel coordinates: the configurations of all trials on a problem, a line each, by how good they were."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.colors import to_rgb
from matplotlib.lines import Line2D

from bayeshpo.analysis.figures.style import Drawing, file_name, new_figure
from bayeshpo.analysis.losses import aims_of, sign
from bayeshpo.analysis.spaces import positions, space_of
from bayeshpo.analysis.wording import counted, words
from bayeshpo.encoding import Encoding
from bayeshpo.experiment.store import RunRecord
from bayeshpo.space import INACTIVE, SearchSpace

_BEST, _GOOD, _POOR = "#D55E00", "#0072B2", "#8C8C8C"
# Shades from poor to good, and lines of one figure: the best, and others evenly spaced by rank.
_SHADES, _MOST, _KEPT = 6, 300, 60
# Where the lines of inactive hyperparameters pass, below their axes.
_BELOW = -0.14
_LABELS = 7
_LEGIBLE = {"facecolor": "#FFFFFF", "alpha": 0.75, "linewidth": 0, "pad": 0.6}


def draw(runs: Sequence[RunRecord], width: float) -> list[Drawing]:
    """The figure of a problem, with the trials of all its runs; none if no trial has finished.

    Raises
    ------
    SpecificationError
        If the problem's space is not known.
    """
    finished = [(run, trial) for run in runs for trial in run.trials if trial["value"] is not None]
    if not finished:
        return []
    space = space_of(runs[0])
    X = positions(space, [trial for _, trial in finished])
    order = np.argsort([sign(run) * trial["value"] for run, trial in finished], kind="stable")
    shown = order if len(order) <= _MOST else np.concatenate([order[:_KEPT], order[_KEPT :: _stride(len(order))]])
    figure = new_figure(width, 3.3)
    axes = figure.subplots()
    rank = np.empty(len(order))
    rank[order] = np.arange(len(order)) / max(1, len(order) - 1)
    _lines(axes, np.where(X == INACTIVE, _BELOW, X)[shown], rank[shown])
    _axes(axes, space, inactive=bool((X == INACTIVE).any()))
    figure.suptitle(words(runs[0].problem), fontsize="medium")
    handles = [
        Line2D([], [], color=_BEST, linewidth=2.2, label="best"),
        Line2D([], [], color=_GOOD, linewidth=1.2, label="low loss"),
        Line2D([], [], color=_POOR, linewidth=1.0, alpha=0.5, label="high loss"),
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=3)
    return [Drawing(file_name("parallel", runs[0].problem), figure, _caption(runs, len(order), len(shown)))]


def _stride(n: int) -> int:
    return -(-(n - _KEPT) // (_MOST - _KEPT))


def _lines(axes: Axes, X: np.ndarray, rank: np.ndarray) -> None:
    """A line for each trial (n, D) by its rank (n,) in [0, 1], the best last and on top."""
    shade = np.minimum((rank * _SHADES).astype(int), _SHADES - 1)
    x = np.arange(X.shape[1])
    good, poor = np.array(to_rgb(_GOOD)), np.array(to_rgb(_POOR))
    for i in range(_SHADES - 1, -1, -1):
        t = i / (_SHADES - 1)
        color = tuple((1 - t) * good + t * poor)
        segments = [np.column_stack([x, row]) for row in X[shade == i]]
        lines = LineCollection(segments, colors=[color], linewidths=1.1 - 0.5 * t, alpha=0.75 - 0.5 * t, zorder=3 - t)
        axes.add_collection(lines)
    axes.plot(x, X[0], color=_BEST, linewidth=2.2, zorder=4, marker="o", markersize=4, clip_on=False)


def _axes(axes: Axes, space: SearchSpace, *, inactive: bool) -> None:
    D = space.dimension
    axes.set_xlim(-0.1, D - 1 + 0.4)
    axes.set_ylim(_BELOW - 0.05 if inactive else -0.03, 1.03)
    for spine in axes.spines.values():
        spine.set_visible(False)
    axes.set_yticks([_BELOW] if inactive else [], ["inactive"] if inactive else [])
    axes.tick_params(length=0)
    slanted = D > 5
    axes.set_xticks(range(D), [words(name) for name in space.names], rotation=30 if slanted else 0,
                    ha="right" if slanted else "center")  # fmt: skip
    for j, encoding in enumerate(space.encodings):
        axes.plot([j, j], [0, 1], color="#555555", linewidth=0.8, zorder=5)
        for at, label in _ticks(encoding):
            axes.plot([j, j + 0.02], [at, at], color="#555555", linewidth=0.8, zorder=5)
            axes.text(j + 0.035, at, label, fontsize="x-small", va="center", zorder=6, bbox=_LEGIBLE)


def _ticks(encoding: Encoding) -> list[tuple[float, str]]:
    """Positions along an axis with their values: every choice where they are few, else five."""
    few = np.isfinite(encoding.size) and encoding.size <= _LABELS
    at = encoding.points() if few else encoding.snap(np.linspace(0.0, 1.0, 5))
    return [(float(u), _label(value)) for u, value in zip(at, encoding.decode(at), strict=True)]


def _label(value: object) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def _caption(runs: Sequence[RunRecord], n: int, shown: int) -> str:
    searchers = list(dict.fromkeys(run.searcher for run in runs))
    seeds = [sum(run.searcher == searcher for run in runs) for searcher in searchers]
    text = (
        f"Configurations of the {n} finished trials of {counted([len(searchers)], 'searcher')}, "
        f"{counted(seeds, 'seed')} of each, on {words(runs[0].problem)}: a line each, coloured by the rank of its "
        "loss, the best one in orange. Axes are as the space has them, logarithmic where it is."
    )
    text += f" Drawn are the {_KEPT} best, and others evenly spaced by rank: {shown} in all." if shown < n else ""
    several = aims_of(runs[0]).objectives
    return text + (" Of several objectives, ranks are by the value alone." if several else "")
