"""Prior against posterior of the kernel's lengthscales."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from scipy.stats import gaussian_kde

from bayeshpo.analysis.figures.style import PRIOR, Drawing, file_name, in_rows, looks, new_figure
from bayeshpo.analysis.kept import Lengthscales, last_kept, lengthscales
from bayeshpo.analysis.wording import counted, words
from bayeshpo.experiment.store import RunRecord

_ROW = 0.29
_COLUMNS = 2


def draw(runs: Sequence[RunRecord], width: float) -> list[Drawing]:
    """One figure per searcher whose posteriors were kept, with one panel per problem and one row per hyperparameter."""
    found = [(run, scales) for run, tree in last_kept(runs) if (scales := lengthscales(tree)) is not None]
    searchers = list(dict.fromkeys(run.searcher for run, _ in found))
    drawings = []
    for searcher in searchers:
        name = "lengthscales" if len(searchers) == 1 else file_name("lengthscales", searcher)
        panels: dict[str, list[Lengthscales]] = {}
        for run, scales in found:
            if run.searcher == searcher:
                panels.setdefault(run.problem, []).append(scales)
        drawings.append(_figure(name, searcher, panels, width))
    return drawings


def _figure(name: str, searcher: str, panels: dict[str, list[Lengthscales]], width: float) -> Drawing:
    columns = min(_COLUMNS, len(panels))
    rows = math.ceil(len(panels) / columns)
    dimensions = [len(scales[0].hyperparameters) for scales in panels.values()]
    heights = [max(dimensions[i * columns : (i + 1) * columns]) for i in range(rows)]
    figure = new_figure(width, _ROW * sum(heights) + 0.62 * rows + 0.3)
    grid = in_rows(figure, len(panels), columns, height_ratios=[h + 0.5 for h in heights])
    color = looks([searcher])[searcher].color
    for axes, (problem, scales) in zip(grid, panels.items(), strict=True):
        _panel(axes, scales, color)
        axes.set_title(words(problem))
    handles = [
        Patch(facecolor=PRIOR, alpha=0.4, label="prior"),
        Line2D([], [], color=color, label="posterior, one line per seed"),
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=2)
    seeds = [len(scales) for scales in panels.values()]
    trials = [one.n for scales in panels.values() for one in scales]
    caption = (
        f"Lengthscales of the surrogate of the {words(searcher)} searcher, in units of the unit cube: prior (grey) and "
        f"posterior given {counted(trials, 'trial')} (one line for each of {counted(seeds, 'seed')}). Densities over "
        "the logarithm, each scaled to its largest value; ticks under the curves are posterior medians. A short "
        "lengthscale means that the hyperparameter matters; one beyond 1 (dashed), that it hardly does."
    )
    return Drawing(name, figure, caption)


def _panel(axes: Axes, seeds: Sequence[Lengthscales], color: str) -> None:
    names = seeds[0].hyperparameters
    prior = np.log10(np.concatenate([one.prior for one in seeds]))
    posterior = [np.log10(one.posterior) for one in seeds]
    ends = [np.quantile(draws, (0.002, 0.998)) for draws in (prior, *posterior)]
    # A heavy prior tail must not squeeze the rest.
    low, high = min(e[0] for e in ends), min(max(e[1] for e in ends), 3.0)
    axis = np.linspace(low, high, 200)
    for j, _ in enumerate(names):
        base = len(names) - 1 - j
        curve = base + 0.78 * _density(prior[:, j], axis)
        axes.fill_between(10**axis, base, curve, color=PRIOR, alpha=0.35, linewidth=0)
        for draws in posterior:
            curve = base + 0.78 * _density(draws[:, j], axis)
            axes.plot(10**axis, curve, color=color, linewidth=0.9, alpha=0.9)
            axes.plot([10 ** np.median(draws[:, j])] * 2, [base - 0.09, base - 0.01], color=color, linewidth=1.0)
        axes.axhline(base, color="#D0D0D0", linewidth=0.4, zorder=0)
    axes.axvline(1.0, color=PRIOR, linewidth=0.6, linestyle="--", zorder=0)
    axes.set_xscale("log")
    axes.set_xlim(10**low, 10**high)
    axes.set_ylim(-0.15, len(names) - 0.12)
    axes.set_yticks([len(names) - 1 - j + 0.25 for j in range(len(names))], [words(name) for name in names])
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    axes.set_xlabel("lengthscale")


def _density(draws: np.ndarray, axis: np.ndarray) -> np.ndarray:
    if np.ptp(draws) == 0:
        return np.zeros_like(axis)
    density = gaussian_kde(draws)(axis)
    return density / density.max()
