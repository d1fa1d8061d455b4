"""Left-censored hierarchical model of log regret.

Log10 normalised regret of searcher s on problem p with seed r is

    y[p, s, r] ~ StudentT(4, problem[p] + searcher[s] + interaction[p, s], noise),

and what is below the floor is only known to be below it: regrets of exactly 0, which are many on tables, are neither
dropped nor given an invented value.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from bayeshpo.analysis.comparison.crossed import crossed_effects, population_effects
from bayeshpo.analysis.comparison.fitting import fitted
from bayeshpo.analysis.comparison.result import Comparison, ahead, interval_text
from bayeshpo.analysis.traces import Traces
from bayeshpo.surrogates.symbolic import pm, pt

# With four degrees of freedom the distribution function is a polynomial.
_NU = 4


@dataclass(frozen=True, eq=False)
class LogRegrets:
    """Runs (n,): indices of problem and searcher, and log10 normalised regret, no lower than the floor."""

    problem: np.ndarray
    searcher: np.ndarray
    y: np.ndarray
    floor: float
    sizes: tuple[int, int]

    @classmethod
    def of(cls, traces: Traces, floor: float) -> LogRegrets:
        """Those of all whole runs."""
        final = traces.final()
        problem, searcher, seed = np.nonzero(traces.whole)
        y = np.log10(np.maximum(final[problem, searcher, seed], floor))
        return cls(problem, searcher, y, float(np.log10(floor)), (len(traces.problems), len(traces.searchers)))


def build(data: LogRegrets) -> Any:
    """The model; its data are "y" and the floor, so that one compiled model serves other outcomes of the same runs."""
    problems, searchers = data.sizes
    with pm.Model() as model:
        y = pm.Data("y", data.y)
        level = pm.Normal("level", -1.0, 1.0)
        problem_sd = pm.HalfNormal("problem_sd", 1.0)
        problem = pm.Normal("problem_level", level, problem_sd, shape=problems)
        mean = problem[:, None] + crossed_effects(problems, searchers, searcher_scale=0.5)
        noise = pm.HalfNormal("noise", 0.5)
        pm.CustomDist(
            "log_regret", mean[data.problem, data.searcher], noise, data.floor,
            logp=_logp, random=_random, observed=y,
        )  # fmt: skip
    return model


def compare_log_regret(traces: Traces, rng: np.random.Generator, floor: float) -> Comparison:
    """Fit the model and say which searcher has the lowest regret on average over problems.

    Parameters
    ----------
    traces
        Searchers that worked on every problem.
    rng
        Source of the draws.
    floor
        Normalised regret below which two regrets are not told apart.
    """
    data = LogRegrets.of(traces, floor)
    fit = fitted(build(data), len(data.y), rng)
    effect = population_effects(fit, len(traces.problems), rng)
    next_best, distance = ahead(effect)
    censored = float((data.y <= data.floor).mean())
    return Comparison.of(
        name="log_regret",
        title="Log regret, left-censored",
        unit="log10 of normalised regret, from the mean of all searchers",
        traces=traces,
        effect=effect,
        report=fit.report,
        leading="the lowest regret, in geometric mean over problems",
        margin=f"the next, {traces.searchers[next_best]}, has {interval_text(10.0**distance)} times its regret",
        note=f"{censored:.0%} of the regrets are below {floor:g} and censored there.",
    )


def _logp(value: Any, mean: Any, noise: Any, floor: Any) -> Any:
    z = (value - mean) / noise
    density = pm.logp(pm.StudentT.dist(_NU, mu=mean, sigma=noise), value)
    return pt.where(value <= floor, log_distribution_function(z), density)


def log_distribution_function(z: Any) -> Any:
    """Log distribution function of Student's t, 4 degrees of freedom: (1 + s)^2 (2 - s) / 4, s = z / sqrt(4 + z^2)."""
    root = pt.sqrt(4.0 + z**2)
    # 1 + s, without the cancellation where z is far below 0.
    one_plus = pt.where(z < 0, 4.0 / (root * (root + pt.abs(z))), 1.0 + z / root)
    return 2.0 * pt.log(one_plus) + pt.log(3.0 - one_plus) - np.log(4.0)


def _random(mean: Any, noise: Any, floor: Any, rng: np.random.Generator, size: Any = None) -> np.ndarray:
    shape = np.shape(mean) if size is None else size
    return np.maximum(mean + noise * rng.standard_t(_NU, size=shape), floor)
