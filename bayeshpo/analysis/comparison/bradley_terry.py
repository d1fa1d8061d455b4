"""Bradley-Terry model of paired comparisons with ties (Davidson 1970), with strengths that vary over problems.

Searchers i and j on problem p with one seed have log strengths a = searcher[i] + interaction[p, i] and b likewise; i
wins with probability e^a / (e^a + e^b + tie e^((a + b) / 2)), and they tie with the last term over the same sum.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np

from bayeshpo.analysis.comparison.crossed import crossed_effects, population_effects
from bayeshpo.analysis.comparison.fitting import fitted
from bayeshpo.analysis.comparison.result import Comparison, ahead, interval_text
from bayeshpo.analysis.traces import Traces
from bayeshpo.surrogates.symbolic import pm, pt


@dataclass(frozen=True, eq=False)
class PairedCounts:
    """Comparisons of two searchers on one problem, over paired seeds: wins of either, and ties (n,)."""

    problem: np.ndarray
    first: np.ndarray
    second: np.ndarray
    wins: np.ndarray
    ties: np.ndarray
    losses: np.ndarray
    sizes: tuple[int, int]

    @classmethod
    def of(cls, traces: Traces, rope: float) -> PairedCounts:
        """Seeds on which both have whole runs; normalised regrets that differ by no more than ``rope`` tie."""
        final = traces.final()
        rows = []
        for p in range(len(traces.problems)):
            for i, j in combinations(range(len(traces.searchers)), 2):
                difference = final[p, i] - final[p, j]
                difference = difference[~np.isnan(difference)]
                wins, losses = int((difference < -rope).sum()), int((difference > rope).sum())
                if len(difference):
                    rows.append((p, i, j, wins, len(difference) - wins - losses, losses))
        columns = np.array(rows, dtype=int).reshape(-1, 6).T
        return cls(*columns, sizes=(len(traces.problems), len(traces.searchers)))


def build(data: PairedCounts) -> Any:
    """The model of all counts."""
    problems, searchers = data.sizes
    with pm.Model() as model:
        log_tie = pm.Normal("log_tie", 0.0, 1.5)
        ability = crossed_effects(problems, searchers, searcher_scale=1.5)
        a, b = ability[data.problem, data.first], ability[data.problem, data.second]
        tie = log_tie + (a + b) / 2
        total = pt.logaddexp(pt.logaddexp(a, b), tie)
        likelihood = data.wins * a + data.losses * b + data.ties * tie - (data.wins + data.ties + data.losses) * total
        pm.Potential("outcomes", likelihood.sum())
    return model


def compare_wins(traces: Traces, rng: np.random.Generator, rope: float) -> Comparison:
    """Fit the model and say which searcher wins most often.

    Parameters
    ----------
    traces
        Searchers that worked on every problem.
    rng
        Source of the draws.
    rope
        Difference of normalised regrets up to which two runs tie.
    """
    data = PairedCounts.of(traces, rope)
    fit = fitted(build(data), len(data.wins), rng)
    effect = -population_effects(fit, len(traces.problems), rng)
    next_best, distance = ahead(effect)
    ties = data.ties.sum() / max(1, (data.wins + data.ties + data.losses).sum())
    return Comparison.of(
        name="bradley_terry",
        title="Wins and ties, Bradley-Terry",
        unit="negative log strength, from the mean of all searchers",
        traces=traces,
        effect=effect,
        report=fit.report,
        leading="the largest chance to win",
        margin=f"against the next, {traces.searchers[next_best]}, its odds where they differ are "
        f"{interval_text(np.exp(distance))}",
        note=f"{ties:.0%} of the comparisons are ties, within {rope:g} of normalised regret.",
    )
