"""How good what a run has found is after each trial: the loss that regret is the distance of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from bayeshpo.aims import Aims, sign_of
from bayeshpo.experiment.store import RunRecord
from bayeshpo.pareto import hypervolume, reference_point


def sign(run: RunRecord) -> float:
    """1 where the run's value is minimised, -1 where it is maximised."""
    return sign_of(run.spec["direction"])


def aims_of(run: RunRecord) -> Aims:
    """What the run aimed at beside its value."""
    return Aims.of(**{"objectives": None, "constraints": None} | run.spec.get("aims", {}))


def incumbent_losses(runs: Sequence[RunRecord]) -> dict[Path, np.ndarray]:
    """Loss after each trial (n,) of each run, NaN before there is any; by the run's path.

    That of the incumbent, the best observed trial within all limits: its value without noise where that is on record.
    Of several objectives it is minus the hypervolume that the trials dominate, up to a point that is common to all runs
    on a problem (`bayeshpo.pareto.reference_point`).
    """
    observed: dict[Path, np.ndarray] = {}
    true: dict[Path, np.ndarray] = {}
    for run in runs:
        # One run's records are in memory at a time.
        trials = run.trials
        observed[run.path], true[run.path] = _objectives(run, trials), true_losses(run, trials)
    references = _references(runs, observed)
    return {
        path: _of_the_front(observed[path], references[problem])
        if problem in references
        else of_the_incumbent(observed[path][:, 0], true[path])
        for path, problem in ((run.path, run.problem) for run in runs)
    }


def _references(runs: Sequence[RunRecord], observed: Mapping[Path, np.ndarray]) -> dict[str, np.ndarray | None]:
    """Of each problem with several objectives, where volume ends; None where no trial has finished."""
    known: dict[str, list[np.ndarray]] = {}
    for run in runs:
        if observed[run.path].shape[1] > 1:
            losses = observed[run.path]
            known.setdefault(run.problem, []).append(losses[~np.isnan(losses).any(axis=1)])
    joined = {problem: np.concatenate(losses) for problem, losses in known.items()}
    return {problem: reference_point(losses) if len(losses) else None for problem, losses in joined.items()}


def _objectives(run: RunRecord, trials: Sequence[Mapping[str, Any]]) -> np.ndarray:
    """Observed losses of all objectives (n, K), NaN where a trial has no value or is beyond a limit."""
    aims = aims_of(run)
    columns = [sign(run) * _numbers(t["value"] for t in trials)]
    for metric, direction in aims.objectives.items():
        columns.append(sign_of(direction) * _numbers(_metric(t, metric) for t in trials))
    losses = np.column_stack(columns)
    for metric, limits in aims.constraints.items():
        losses[~limits.allow(_numbers(_metric(t, metric) for t in trials))] = np.nan
    return losses


def true_losses(run: RunRecord, trials: Sequence[Mapping[str, Any]]) -> np.ndarray:
    """Losses without noise (n,), those observed where that is not on record."""
    true, observed = (_numbers(t.get(name) for t in trials) for name in ("true_value", "value"))
    return sign(run) * np.where(np.isnan(true), observed, true)


def of_the_incumbent(losses: np.ndarray, true: np.ndarray) -> np.ndarray:
    """True loss (n,) of the trial of lowest observed loss so far, the first of equals; NaN before there is one."""
    before = np.fmin.accumulate(np.concatenate([[np.inf], losses]))[:-1]
    incumbent = np.maximum.accumulate(np.where(losses < before, np.arange(len(losses)), -1))
    return np.where(incumbent >= 0, true[incumbent], np.nan)


def _of_the_front(losses: np.ndarray, reference: np.ndarray | None) -> np.ndarray:
    there = ~np.isnan(losses).any(axis=1)
    if reference is None:
        return np.full(len(losses), np.nan)
    volumes = [hypervolume(losses[: n + 1][there[: n + 1]], reference) for n in range(len(losses))]
    return np.where(np.cumsum(there) > 0, -np.array(volumes), np.nan)


def _metric(trial: Mapping[str, Any], metric: str) -> float | None:
    return (trial.get("metrics") or {}).get(metric)


def _numbers(values: Any) -> np.ndarray:
    return np.array([np.nan if value is None else value for value in values], dtype=float)
