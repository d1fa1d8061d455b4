"""The surrogate along the most relevant hyperparameter, with posterior draws, and the acquisition below it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgba
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from bayeshpo.analysis.figures.style import DATA, WIDE, Drawing, Look, file_name, looks, new_figure
from bayeshpo.analysis.kept import Slice, last_kept, relevant_slice
from bayeshpo.analysis.scale import scale_of
from bayeshpo.analysis.wording import words
from bayeshpo.experiment.store import RunRecord

_Z90 = 1.6449
_DRAWS = 15


def draw(runs: Sequence[RunRecord], width: float) -> list[Drawing]:
    """One figure per problem and searcher that kept a slice, for its first seed."""
    found: dict[tuple[str, str], tuple[RunRecord, Slice]] = {}
    for run, tree in last_kept(runs):
        if (run.problem, run.searcher) not in found and (cut := relevant_slice(run, tree)) is not None:
            found[run.problem, run.searcher] = run, cut
    several = len({searcher for _, searcher in found}) > 1
    drawings = []
    for (problem, searcher), (run, cut) in found.items():
        name = file_name("slice", problem, searcher) if several else file_name("slice", problem)
        drawings.append(_figure(name, run, cut, width))
    return drawings


def _figure(name: str, run: RunRecord, cut: Slice, width: float) -> Drawing:
    look = looks([run.searcher])[run.searcher]
    figure = new_figure(width, max(2.9, 0.54 * width))
    top, bottom = figure.subplots(2, 1, sharex=True, height_ratios=[2.1, 1])
    scale = scale_of(cut)
    x = cut.position if scale is None else scale(cut.position)
    trials = cut.trials if scale is None else scale(cut.trials)
    at = cut.at if scale is None else float(scale(np.array([cut.at]))[0])

    values = np.array([trial["value"] for trial in cut.records])
    _surrogate(top, x, cut, look)
    _trials(top, trials, values, cut.closeness)
    top.axvline(at, color="#555555", linewidth=0.7, linestyle=":")
    top.set_ylabel("value")
    top.set_title(f"{words(run.problem)}, {words(run.searcher)}, seed {run.seed}")

    bottom.plot(x, cut.acquisition, color=look.color)
    bottom.axvline(at, color="#555555", linewidth=0.7, linestyle=":")
    acquisition = run.spec["searcher"].get("acquisition")
    # With arguments it is a table.
    acquisition = acquisition["name"] if isinstance(acquisition, dict) else acquisition
    bottom.set_ylabel(f"acquisition\n({words(acquisition)})" if acquisition else "acquisition", multialignment="center")
    bottom.yaxis.set_major_locator(MaxNLocator(4))
    if scale is not None and scale.logarithmic:
        bottom.set_xscale("log")
    bottom.set_xlim(x[0], x[-1])
    bottom.set_xlabel(words(cut.hyperparameter) + ("" if scale else " (position in the unit cube)"))
    figure.legend(handles=_handles(look), loc="outside lower center", ncols=3 if width >= WIDE else 1)
    return Drawing(name, figure, _caption(run, cut, len(trials)))


def _surrogate(axes: Axes, x: np.ndarray, cut: Slice, look: Look) -> None:
    low, high = cut.mean - _Z90 * cut.sd, cut.mean + _Z90 * cut.sd
    axes.fill_between(x, low, high, color=look.color, alpha=0.16, linewidth=0)
    for curve in cut.f[:_DRAWS]:
        axes.plot(x, curve, color=look.color, linewidth=0.5, alpha=0.45)
    axes.plot(x, cut.mean, color=look.color, linewidth=1.6)


def _trials(axes: Axes, x: np.ndarray, values: np.ndarray, closeness: np.ndarray) -> None:
    colors = [to_rgba(DATA, 0.12 + 0.88 * near) for near in closeness]
    axes.scatter(x, values, s=11, c=colors, zorder=3, linewidths=0.4, edgecolors="white", clip_on=False)


def _handles(look: Look) -> list[Line2D | Patch]:
    return [
        Line2D([], [], color=look.color, linewidth=1.6, label="posterior mean"),
        Patch(facecolor=look.color, alpha=0.16, label="90 % band"),
        Line2D([], [], color=look.color, linewidth=0.5, alpha=0.6, label="means of single draws"),
        Line2D([], [], color=DATA, marker="o", linestyle="", markersize=3.2, label="trials (pale: far from the slice)"),
        Line2D([], [], color="#555555", linewidth=0.7, linestyle=":", label="recommendation"),
    ]


def _caption(run: RunRecord, cut: Slice, n: int) -> str:
    draws = min(_DRAWS, len(cut.f))
    return (
        f"Surrogate of the {words(run.searcher)} searcher on {words(run.problem)} given {n} finished trials (seed "
        f"{run.seed}), along its most relevant hyperparameter, {words(cut.hyperparameter)}, through the "
        "recommendation. Above: posterior mean, 90 % band (mean plus or minus 1.645 posterior standard deviations of "
        f"the latent function) and the mean under each of {draws} posterior draws of the kernel's parameters; trials "
        "are projected on to the slice, and paler the further they are from it. Below: the acquisition function along "
        "the same slice."
    )
