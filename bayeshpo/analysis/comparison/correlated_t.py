"""Hierarchical correlated t model with a region of practical equivalence (Corani, Benavoli et al. 2017).

Differences of normalised regret between a searcher and the reference, on problem p over its n paired seeds, are jointly
normal about delta[p] with standard deviation sd[p] and one correlation; delta[p] ~ StudentT(nu, mean, spread). A new
problem's delta is drawn from that: it is practically zero within the region, or one of the two is better.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import stats

from bayeshpo.analysis.comparison.fitting import fitted
from bayeshpo.analysis.comparison.result import Comparison, counted_runs
from bayeshpo.analysis.traces import Traces
from bayeshpo.surrogates.symbolic import pm, pt

# What standard deviations are at least, by the region's half-width: on tables many differences are exactly 0, and their
# densities would grow without bound.
_RESOLUTION = 0.5


@dataclass(frozen=True, eq=False)
class Differences:
    """For pairs k and problems (n,): mean difference to the reference, sum of squares about it, and number of seeds."""

    pair: np.ndarray
    problem: np.ndarray
    mean: np.ndarray
    squares: np.ndarray
    seeds: np.ndarray
    sizes: tuple[int, int]

    @classmethod
    def of(cls, traces: Traces, reference: int) -> Differences:
        """Seeds on which both have whole runs."""
        final = traces.final()
        rows = []
        others = [s for s in range(len(traces.searchers)) if s != reference]
        for k, s in enumerate(others):
            for p, values in enumerate(final[:, s] - final[:, reference]):
                known = values[~np.isnan(values)]
                if known.size:
                    rows.append((k, p, known.mean(), ((known - known.mean()) ** 2).sum(), known.size))
        pair, problem, mean, squares, seeds = np.array(rows).reshape(-1, 5).T
        return cls(pair.astype(int), problem.astype(int), mean, squares, seeds, (len(others), len(traces.problems)))


def build(data: Differences, rope: float, correlation: float = 0.0) -> Any:
    """The model of all pairs, each with parameters of its own."""
    pairs, problems = data.sizes
    with pm.Model() as model:
        mean = pm.Normal("mean", 0.0, 0.25, shape=pairs)
        least = _RESOLUTION * rope
        spread = pm.Deterministic("spread", least + pm.HalfNormal("spread_above", 0.25, shape=pairs))
        # Chains that begin with light tails take far problems for noisy ones, and stay there.
        nu = pm.Deterministic("nu", 1.0 + pm.Gamma("nu_above_1", 2.0, 0.1, shape=pairs, initval=np.ones(pairs)))
        # Student's t is normal given its precision: delta[p] is integrated out.
        precision = pm.Gamma("precision", nu[:, None] / 2, nu[:, None] / 2, shape=(pairs, problems))
        typical = pm.HalfNormal("typical", 0.25, shape=pairs)
        sd = pm.HalfNormal("sd", typical[:, None], shape=(pairs, problems))
        at = data.pair, data.problem
        variance = (least + sd[at]) ** 2
        # The joint normal density, by its sufficient statistics.
        of_mean = variance * (1.0 + (data.seeds - 1) * correlation) / data.seeds
        of_delta = spread[data.pair] ** 2 / precision[at]
        pm.Normal("difference", mean[data.pair], pt.sqrt(of_delta + of_mean), observed=data.mean)
        within = variance * (1.0 - correlation)
        pm.Potential("squares", (-(data.seeds - 1) / 2 * pt.log(within) - data.squares / (2 * within)).sum())
    return model


def compare_differences(traces: Traces, rng: np.random.Generator, rope: float, correlation: float = 0.0) -> Comparison:
    """Fit the model to every searcher's differences to the one of lowest mean regret.

    Parameters
    ----------
    traces
        Searchers that worked on every problem.
    rng
        Source of the draws.
    rope
        Half-width of the region of practical equivalence, in normalised regret.
    correlation
        Of differences on one problem: 0 for seeds, which are independent; 1 / folds where they are folds of one
        cross-validation (Nadeau and Bengio 2003).
    """
    reference = int(np.nanmean(traces.final(), axis=(0, 2)).argmin())
    data = Differences.of(traces, reference)
    fit = fitted(build(data, rope, correlation), len(data.mean), rng)
    parts = [fit.pooled(name) for name in ("mean", "spread", "nu")]
    effect = np.insert(parts[0], reference, 0.0, axis=1)
    return Comparison.of(
        name="correlated_t",
        title="Differences on a new problem, correlated t",
        unit=f"normalised regret above that of {traces.searchers[reference]}",
        traces=traces,
        effect=effect,
        report=fit.report,
        leading="the lowest mean regret",
        margin=_regions(traces, reference, region_probabilities(*parts, rope=rope)),
        note=f"{counted_runs(traces)}; practically equivalent: within {rope:g} of normalised regret.",
    )


def region_probabilities(mean: np.ndarray, spread: np.ndarray, nu: np.ndarray, *, rope: float) -> np.ndarray:
    """Probability that a new problem's difference is most likely below, in or above the region (3, K).

    From draws (draw, K) of the distribution over problems: the share of draws in which that region has the most mass
    (Corani et al. 2017, Section 4).
    """
    below = stats.t.cdf((-rope - mean) / spread, nu)
    above = stats.t.sf((rope - mean) / spread, nu)
    largest = np.stack([below, 1.0 - below - above, above]).argmax(axis=0)
    return np.stack([(largest == region).mean(axis=0) for region in range(3)])


def _regions(traces: Traces, reference: int, regions: np.ndarray) -> str:
    others = [label for s, label in enumerate(traces.searchers) if s != reference]
    texts = [
        f"{label} is worse {worse:.2f}, equivalent {equal:.2f}, better {better:.2f}"
        for label, (better, equal, worse) in zip(others, regions.T, strict=True)
    ]
    return f"on a new problem, compared with {traces.searchers[reference]}, " + "; ".join(texts)
