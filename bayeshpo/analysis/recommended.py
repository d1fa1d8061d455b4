"""Inference regret: the true value of what a searcher recommends in the end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from bayeshpo.analysis.regret import distance, sign
from bayeshpo.experiment.store import RunRecord

# Where a problem that is noisy, and knows its value without noise, has put that.
TRUE_VALUE = "true_value"


def recommended_regret(run: RunRecord, trials: Sequence[Mapping[str, Any]]) -> float:
    """Distance of the recommendation's true value from the optimum; NaN where either is not on record.

    It is not the regret of the best observed value, which noise flatters: a searcher that recommends a lucky trial
    has a simple regret near 0 and an inference regret that is not.
    """
    recommendation = None if run.done is None else run.done.get("recommendation")
    if recommendation is None or run.spec["optimum"] is None:
        return np.nan
    value = true_value(trials[recommendation["index"]])
    if value is None:
        return np.nan
    return float(distance(np.array(sign(run) * value), sign(run) * run.spec["optimum"]))


def true_value(trial: Mapping[str, Any]) -> float | None:
    """A trial's value without noise: on record, or the value itself, as problems with a known optimum have no noise.

    None where the trial failed.
    """
    return (trial.get("outcome_info") or {}).get(TRUE_VALUE, trial["value"])
