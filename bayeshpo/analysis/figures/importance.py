"""Sobol indices of a surrogate's mean function, with their posterior uncertainty."""

from __future__ import annotations

import numpy as np

from bayeshpo.analysis.figures.style import Drawing, file_name, looks, new_figure
from bayeshpo.analysis.importance import Importance
from bayeshpo.analysis.losses import aims_of
from bayeshpo.analysis.wording import words
from bayeshpo.experiment.store import RunRecord

# Inches of a row; how far, in rows, the two indices are from its middle, and medians of seeds from these.
_ROW, _APART, _BELOW = 0.42, 0.16, 0.17


def draw(run: RunRecord, found: Importance, width: float) -> list[Drawing]:
    """The figure of runs like this one, the most important hyperparameter on top; none if all functions are flat."""
    if not len(found.first):
        return []
    D = len(found.hyperparameters)
    order = np.argsort(np.median(found.total, axis=0))
    figure = new_figure(width, _ROW * D + 1.1)
    axes = figure.subplots()
    look = looks([run.searcher])[run.searcher]
    for indices, shift, face, label in (
        (found.total, _APART, look.color, "total: with all interactions"),
        (found.first, -_APART, "white", "first order: by itself"),
    ):
        low, median, high = np.quantile(indices[:, order], (0.05, 0.5, 0.95), axis=0)
        axes.errorbar(
            median, np.arange(D) + shift, xerr=np.clip([median - low, high - median], 0, None), fmt=look.marker,
            color=look.color, markerfacecolor=face, markeredgewidth=0.9, elinewidth=1.1, markersize=4.5, label=label,
        )  # fmt: skip
        if len(found.seeds) > 1:
            medians = found.by_seed(indices)[:, order]
            places = np.tile(np.arange(D) + shift + _BELOW * np.sign(shift), (len(medians), 1))
            axes.plot(medians.ravel(), places.ravel(), "|", color=look.color, markersize=3.5, markeredgewidth=0.7)
    axes.set_yticks(np.arange(D), [words(found.hyperparameters[j]) for j in order])
    axes.set_ylim(-0.6, D - 0.4)
    axes.set_xlim(-0.04, max(1.0, float(np.quantile(found.total, 0.95, axis=0).max())) + 0.03)
    axes.grid(axis="x", color="#E6E6E6", linewidth=0.5)
    axes.tick_params(axis="y", length=0)
    axes.set_xlabel("share of the variance of the surrogate's mean")
    axes.set_title(f"{words(run.problem)}, {words(run.searcher)}, {_seeds(found)}")
    figure.legend(loc="outside lower center", ncols=2)
    return [Drawing(file_name("importance", run.problem, run.searcher), figure, _caption(run, found))]


def _seeds(found: Importance) -> str:
    return f"seed {found.seeds[0]}" if len(found.seeds) == 1 else f"{len(found.seeds)} seeds"


def _caption(run: RunRecord, found: Importance) -> str:
    least, most = min(found.trials), max(found.trials)
    trials = f"{least}" if least == most else f"{least} to {most}"
    text = (
        f"Importance of hyperparameters to the surrogate of the {words(run.searcher)} searcher on {words(run.problem)} "
        f"({_seeds(found)}) given {trials} trials: Sobol indices of its mean function over the whole space, medians "
        f"and 90 % intervals over {len(found.total)} posterior draws. First order: share of the variance that a "
        "hyperparameter explains by itself; total: with all its interactions."
    )
    if len(found.seeds) > 1:
        text += " Draws of all seeds are together, as many of each; strokes are the medians of single seeds."
    text += " Of several objectives this is the value's." if aims_of(run).objectives else ""
    flat = f" Left out are {100 * found.flat:.0f} % of the draws, whose function is flat."
    return text + (flat if found.flat > 0 else "")
