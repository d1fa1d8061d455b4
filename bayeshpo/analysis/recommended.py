"""Inference regret: the true value of what a searcher recommends, in the end or on its way."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from bayeshpo.analysis.losses import aims_of, sign
from bayeshpo.analysis.regret import distance
from bayeshpo.experiment.store import RunRecord


def recommended_regret(run: RunRecord, trials: Sequence[Mapping[str, Any]]) -> float:
    """`true_regret` of what a run recommended in the end; NaN where it did not.

    It is not the regret of the best observed value, which noise flatters: a searcher that recommends a lucky trial
    has a simple regret near 0 and an inference regret that is not.
    """
    recommendation = None if run.done is None else run.done.get("recommendation")
    if recommendation is None:
        return np.nan
    return next(true_regret(run, trial) for trial in trials if trial["index"] == recommendation["index"])


def remaining_regret(run: RunRecord) -> dict[int, float]:
    """`true_regret` of what was recommended, by the trial that was proposed beside it.

    Empty where that is not known, and before a surrogate recommends.
    """
    trials = {trial["index"]: trial for trial in run.trials}
    found = {}
    for trial in trials.values():
        index = (trial.get("suggestion_info") or {}).get("recommended")
        if index in trials:
            found[trial["index"]] = true_regret(run, trials[index])
    return {trial: regret for trial, regret in found.items() if not np.isnan(regret)}


def true_regret(run: RunRecord, trial: Mapping[str, Any]) -> float:
    """Distance of a trial's true value from the optimum; NaN where one is not on record, or objectives are several."""
    value = _true_value(trial)
    if value is None or run.spec["optimum"] is None or aims_of(run).objectives:
        return np.nan
    return float(distance(np.array(sign(run) * value), sign(run) * run.spec["optimum"]))


def _true_value(trial: Mapping[str, Any]) -> float | None:
    """A trial's value without noise; None where the trial failed, or it is not known.

    Older records have none: of problems with a known optimum, which had no noise.
    """
    return trial.get("true_value", trial["value"])
