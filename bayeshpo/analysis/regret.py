"""Simple regret of the incumbent, trial by trial."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bayeshpo.analysis.losses import aims_of, incumbent_losses, sign
from bayeshpo.experiment.store import RunRecord

# Differences this small, relative to the reference, are rounding: they are regrets of exactly zero.
_ROUNDING = 1e-12


@dataclass(frozen=True)
class Regret:
    """Simple regret of one searcher on one problem.

    Attributes
    ----------
    problem, searcher
        Labels.
    seeds
        Seed of each row.
    values
        Regret of the incumbent after each trial (n_seeds, budget), never negative; NaN before the first finished
        trial and after the last trial of an unfinished run.
    lengths
        Number of trials for which each row stands (n_seeds,): those recorded, or the whole budget where the space was
        exhausted or a stopping rule ended the run, since the incumbent then is final.
    reference
        The value that regret is measured from, in the problem's own direction; None while no trial has finished.
    optimum_known
        Whether the reference is the problem's optimum, and not the best value that any searcher found in these results.
    """

    problem: str
    searcher: str
    seeds: tuple[int, ...]
    values: np.ndarray
    lengths: np.ndarray
    reference: float | None
    optimum_known: bool

    @property
    def budget(self) -> int:
        """Number of trials of the longest run."""
        return self.values.shape[1]

    @property
    def final(self) -> np.ndarray:
        """Regret after the last trial of each seed (n_seeds,); NaN where no trial finished."""
        last = [row[n - 1] if n else np.nan for row, n in zip(self.values, self.lengths, strict=True)]
        return np.array(last, dtype=float)

    def quartiles(self) -> np.ndarray:
        """Lower quartile, median and upper quartile over seeds after each trial (3, budget); see `quartiles`."""
        started = np.arange(self.budget) < self.lengths[:, None]
        columns = [quartiles(self.values[ran, t]) for t, ran in enumerate(started.T)]
        return np.array(columns, dtype=float).reshape(-1, 3).T


def simple_regret(runs: Sequence[RunRecord]) -> list[Regret]:
    """Regret of every searcher on every problem, in the order of the runs.

    Regret is the distance of the incumbent's value from the optimum, without noise where that is on record; where the
    optimum is not known, from the best value found by any of these runs on the problem. A trial that failed, or is
    beyond a limit, leaves the incumbent as it is. A value better than the stated optimum, as rounding and noise give,
    counts as a regret of 0. With several objectives the hypervolume stands for the value, see `incumbent_losses`.
    """
    losses = incumbent_losses(runs)
    references = {p: _reference([r for r in runs if r.problem == p], losses) for p in _labels(runs)}
    pairs = dict.fromkeys((run.problem, run.searcher) for run in runs)
    regrets = []
    for problem, searcher in pairs:
        group = [run for run in runs if (run.problem, run.searcher) == (problem, searcher)]
        reference, known = references[problem]
        lengths = np.array([_length(run, len(losses[run.path])) for run in group], dtype=int)
        values = np.full((len(group), int(lengths.max(initial=0))), np.nan)
        for row, run, n in zip(values, group, lengths, strict=True):
            trace = losses[run.path]
            trace = trace if reference is None else distance(trace, sign(run) * reference)
            row[: len(trace)] = trace
            row[len(trace) : n] = trace[-1] if len(trace) else np.nan
        seeds = tuple(run.seed for run in group)
        regrets.append(Regret(problem, searcher, seeds, values, lengths, reference, known))
    return regrets


def distance(losses: np.ndarray, reference: float) -> np.ndarray:
    """Losses above the reference; 0 where a loss is below it, or above it by rounding."""
    regret = losses - reference
    return np.where(regret <= _ROUNDING * max(1.0, abs(reference)), 0.0, regret)


def quartiles(values: np.ndarray) -> tuple[float, float, float]:
    """Lower quartile, median and upper quartile (linear interpolation), NaN counted as worst of all.

    A seed without a finished trial has an unknown, large regret: leaving it out would flatter the searcher. A quartile
    that falls on such a seed is NaN.
    """
    if values.size == 0:
        return math.nan, math.nan, math.nan
    ordered = np.sort(np.where(np.isnan(values), np.inf, values))
    result = []
    for level in (0.25, 0.5, 0.75):
        place = level * (len(ordered) - 1)
        low, high = ordered[math.floor(place)], ordered[math.ceil(place)]
        quantile = low + (high - low) * (place % 1) if math.isfinite(high) else math.nan
        result.append(float(quantile))
    return result[0], result[1], result[2]


def _labels(runs: Sequence[RunRecord]) -> list[str]:
    return list(dict.fromkeys(run.problem for run in runs))


def _length(run: RunRecord, recorded: int) -> int:
    return max(recorded, run.spec["budget"]) if run.ended_early else recorded


def _reference(runs: Sequence[RunRecord], losses: Mapping[Path, np.ndarray]) -> tuple[float | None, bool]:
    optimum = runs[0].spec["optimum"]
    if optimum is not None and not aims_of(runs[0]).objectives:
        return float(optimum), True
    pooled = np.concatenate([losses[run.path] for run in runs])
    known = pooled[~np.isnan(pooled)]
    return (sign(runs[0]) * float(known.min()), False) if known.size else (None, False)
