"""Time to target with censoring: how many evaluations a searcher needs to reach a regret.

Log evaluations until searcher s reaches the target on problem p are

    log t[p, s, r] ~ Logistic(problem[p] + searcher[s] + interaction[p, s], scale),

a log-logistic model of accelerated failure time. Evaluations are whole: reached at the t-th means between t - 1 and t;
a run that ends without is only known to need more than its budget.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from bayeshpo.analysis.comparison.crossed import crossed_effects, population_effects
from bayeshpo.analysis.comparison.fitting import fitted
from bayeshpo.analysis.comparison.result import Comparison, ahead, interval_text
from bayeshpo.analysis.statistics.targets import first_hits
from bayeshpo.analysis.traces import Traces
from bayeshpo.surrogates.symbolic import pm, pt


@dataclass(frozen=True, eq=False)
class TimesToTarget:
    """Runs (n,): indices of problem and searcher, the evaluation that hit (inf if none did), and the budget."""

    problem: np.ndarray
    searcher: np.ndarray
    hit: np.ndarray
    budget: np.ndarray
    sizes: tuple[int, int]

    @classmethod
    def of(cls, traces: Traces, target: float) -> TimesToTarget:
        """Those of all whole runs, for a target of normalised regret."""
        hits = first_hits(traces.normalised(), np.array([target]))[..., 0]
        problem, searcher, seed = np.nonzero(traces.whole)
        sizes = len(traces.problems), len(traces.searchers)
        return cls(problem, searcher, hits[problem, searcher, seed], traces.budgets[problem].astype(float), sizes)


def build(data: TimesToTarget) -> Any:
    """The model of all runs."""
    problems, searchers = data.sizes
    with pm.Model() as model:
        level = pm.Normal("level", 3.0, 2.0)
        problem_sd = pm.HalfNormal("problem_sd", 2.0)
        problem = pm.Normal("problem_level", level, problem_sd, shape=problems)
        mean = problem[:, None] + crossed_effects(problems, searchers, searcher_scale=1.0)
        scale = pm.HalfNormal("scale", 1.0)
        pm.Potential("times", log_likelihood(mean[data.problem, data.searcher], scale, data).sum())
    return model


def compare_times(traces: Traces, rng: np.random.Generator, target: float) -> Comparison:
    """Fit the model and say which searcher reaches the target soonest.

    Parameters
    ----------
    traces
        Searchers that worked on every problem.
    rng
        Source of the draws.
    target
        Normalised regret to be reached.
    """
    data = TimesToTarget.of(traces, target)
    fit = fitted(build(data), len(data.hit), rng)
    effect = population_effects(fit, len(traces.problems), rng)
    next_best, distance = ahead(effect)
    censored = float(np.isinf(data.hit).mean())
    return Comparison.of(
        name="time_to_target",
        title="Evaluations to a target, censored",
        unit="log of evaluations, from the mean of all searchers",
        traces=traces,
        effect=effect,
        report=fit.report,
        leading="the shortest time to the target",
        margin=f"the next, {traces.searchers[next_best]}, needs {interval_text(np.exp(distance))} times its "
        "evaluations",
        note=f"Target: normalised regret {target:g}, not reached by {censored:.0%}.",
    )


def log_likelihood(mean: Any, scale: Any, data: TimesToTarget) -> Any:
    reached = np.isfinite(data.hit)
    end = np.log(np.where(reached, data.hit, data.budget))
    # No evaluation is before the first: the interval then begins at 0, whose log is -inf.
    first = ~reached | (data.hit <= 1)
    begin = np.log(np.where(first, 1.0, data.hit - 1))
    a, b = (begin - mean) / scale, (end - mean) / scale
    # F(b) - F(a) = F(b) (1 - F(a)) (1 - exp(a - b)) of the logistic distribution.
    width = pt.log(-pt.expm1(-np.where(first, 1.0, end - begin) / scale))
    between = -pt.softplus(-b) - pt.softplus(a) + width
    return pt.where(~reached, -pt.softplus(b), pt.where(data.hit <= 1, -pt.softplus(-b), between))
