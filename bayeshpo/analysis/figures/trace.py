"""The values of one run, trial by trial, with the incumbent."""

from __future__ import annotations

import numpy as np
from matplotlib.ticker import MaxNLocator

from bayeshpo.analysis.figures.style import DATA, WARNING, Drawing, guides, looks, new_figure
from bayeshpo.analysis.losses import incumbent_losses, sign
from bayeshpo.analysis.wording import words
from bayeshpo.experiment.store import RunRecord
from bayeshpo.trial import Status

# With more trials than this they are drawn as one picture.
_MANY = 400


def draw(run: RunRecord, width: float) -> list[Drawing]:
    """The figure of a run; none if no trial has finished."""
    trials = run.trials
    values = np.array([np.nan if trial["value"] is None else trial["value"] for trial in trials], dtype=float)
    if not np.isfinite(values).any():
        return []
    look = looks([run.searcher])[run.searcher]
    initial = np.array([trial["origin"] == "initial" for trial in trials])
    failed = np.flatnonzero([Status(trial["status"]).failed for trial in trials])
    figure = new_figure(width, 0.36 * width + 0.3)
    axes = figure.subplots()
    at, many = np.arange(len(values)), len(values) > _MANY
    for group, face in ((initial, "none"), (~initial, look.color)):
        axes.plot(
            at[group], values[group], look.marker, color=look.color, markerfacecolor=face, markersize=3.2,
            markeredgewidth=0.7, rasterized=many,
        )  # fmt: skip
    several = bool(run.spec.get("aims", {}).get("objectives"))
    if not several:
        best = sign(run) * incumbent_losses([run])[run.path]
        axes.plot(at, best, color=DATA, linewidth=1.0, drawstyle="steps-post")
    low = axes.get_ylim()[0]
    axes.plot(failed, np.full(len(failed), low), "x", color=WARNING, markersize=4, clip_on=False)
    axes.set_ylim(bottom=low)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=8))
    axes.set_xlabel("trial")
    axes.set_ylabel("value")
    guides(axes)
    return [Drawing(f"trace_{run.run_id}", figure, _caption(run, initial, failed, several))]


def _caption(run: RunRecord, initial: np.ndarray, failed: np.ndarray, several: bool) -> str:
    text = f"Values of the {words(run.searcher)} searcher on {words(run.problem)}, seed {run.seed}"
    text += " (hollow: initial design)" if initial.any() else ""
    text += "." if several else "; the line is the incumbent's value, without noise where that is on record."
    return text + (" Crosses at the bottom are failed trials." if len(failed) else "")
