"""Inference regret: the true value of what a searcher recommends in the end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from bayeshpo.analysis.losses import aims_of, sign
from bayeshpo.analysis.regret import distance
from bayeshpo.experiment.store import RunRecord


def recommended_regret(run: RunRecord, trials: Sequence[Mapping[str, Any]]) -> float:
    """Distance of the recommendation's true value from the optimum; NaN where either is not on record.

    It is not the regret of the best observed value, which noise flatters: a searcher that recommends a lucky trial
    has a simple regret near 0 and an inference regret that is not.
    """
    recommendation = None if run.done is None else run.done.get("recommendation")
    if recommendation is None or run.spec["optimum"] is None or aims_of(run).objectives:
        return np.nan
    value = true_value(trials[recommendation["index"]])
    if value is None:
        return np.nan
    return float(distance(np.array(sign(run) * value), sign(run) * run.spec["optimum"]))


def remaining_regret(run: RunRecord) -> dict[int, float]:
    """Distance of the recommendation's true value from the optimum, by the trial that was proposed beside it.

    Empty where optimum or true values are not on record, and before a surrogate recommends.
    """
    if run.spec["optimum"] is None or aims_of(run).objectives:
        return {}
    trials = run.trials
    found = {}
    for trial in trials:
        index = (trial.get("suggestion_info") or {}).get("recommended")
        value = None if index is None or index >= len(trials) else true_value(trials[index])
        if value is not None:
            reference = sign(run) * run.spec["optimum"]
            found[trial["index"]] = float(distance(np.array(sign(run) * value), reference))
    return found


def true_value(trial: Mapping[str, Any]) -> float | None:
    """A trial's value without noise; None where the trial failed, or it is not known.

    Older records have none: of problems with a known optimum, which had no noise.
    """
    return trial.get("true_value", trial["value"])
