"""Hierarchical correlated t model with a region of practical equivalence (Corani, Benavoli et al. 2017).

Differences of normalised regret between a searcher and the reference, on problem p over its n paired seeds, are jointly
normal about delta[p] with standard deviation sd[p] and one correlation; delta[p] ~ StudentT(nu, mean, spread). A new
problem's delta is drawn from that: it is practically zero within the region, or one of the two is better.

Whether a problem far off is an exception or only noisy is a question with two answers, between which chains do not
move. So neither is sampled: delta[p] is integrated out given the precision of Student's t, and that precision and sd[p]
are summed over.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import stats

from bayeshpo.analysis.comparison.fitting import fitted
from bayeshpo.analysis.comparison.result import Comparison, ahead, interval_text
from bayeshpo.analysis.traces import Traces
from bayeshpo.surrogates.symbolic import pm, pt

# sd[p] is one of these, all as likely: from half the region's half-width up to 1, each so many times the one before. On
# tables many differences are exactly 0, and without a least one their density would have no bound.
_LEAST, _RATIO = 0.5, 2.0
# Where Student's t's log precision is summed over, in its standard deviations from 0.
_NODES = np.linspace(-11.0, 5.0, 26)


@dataclass(frozen=True, eq=False)
class Differences:
    """For pairs k and problems (n,): mean difference to the reference, sum of squares about it, and number of seeds."""

    pair: np.ndarray
    mean: np.ndarray
    squares: np.ndarray
    seeds: np.ndarray
    pairs: int

    @classmethod
    def of(cls, traces: Traces, reference: int) -> Differences:
        """Seeds on which both have whole runs."""
        final = traces.final()
        rows = []
        others = [s for s in range(len(traces.searchers)) if s != reference]
        for k, s in enumerate(others):
            for values in final[:, s] - final[:, reference]:
                known = values[~np.isnan(values)]
                if known.size:
                    rows.append((k, known.mean(), ((known - known.mean()) ** 2).sum(), known.size))
        pair, mean, squares, seeds = np.array(rows).reshape(-1, 4).T
        return cls(pair.astype(int), mean, squares, seeds, len(others))


def build(data: Differences, rope: float, correlation: float = 0.0) -> Any:
    """The model of all pairs, each with parameters of its own; its data are "mean_difference" and "squares"."""
    with pm.Model() as model:
        means, squares = pm.Data("mean_difference", data.mean), pm.Data("squares", data.squares)
        mean = pm.Normal("mean", 0.0, 0.25, shape=data.pairs)
        spread = pm.HalfNormal("spread", 0.25, shape=data.pairs)
        nu = pm.Deterministic("nu", 1.0 + pm.Gamma("nu_above_1", 2.0, 0.1, shape=data.pairs))
        terms = log_likelihood(
            mean[data.pair], spread[data.pair], nu[data.pair], means, squares, data.seeds, rope, correlation
        )
        pm.Potential("differences", terms.sum())
    return model


def log_likelihood(
    mean: Any, spread: Any, nu: Any, means: Any, squares: Any, seeds: np.ndarray, rope: float, correlation: float
) -> Any:
    """Log density (n,) of differences with these sufficient statistics (n,), up to a constant; parameters (n,)."""
    variance = deviations(rope) ** 2
    within = variance * (1.0 - correlation)
    about = -(seeds[:, None] - 1) / 2 * np.log(within) - squares[:, None] / (2 * within)
    of_mean = variance * (1.0 + (seeds[:, None] - 1) * correlation) / seeds[:, None]
    log_precision, log_weight = _precisions(nu)
    total = (spread[:, None] ** 2 * pt.exp(-log_precision))[:, :, None] + of_mean[:, None, :]
    apart = -0.5 * (pt.log(total) + ((means - mean) ** 2)[:, None, None] / total)
    return pt.logsumexp(apart + log_weight[:, :, None] + about[:, None, :], axis=(1, 2))


def deviations(rope: float) -> np.ndarray:
    """Values of a problem's standard deviation over seeds, in normalised regret."""
    least = _LEAST * rope
    return least * _RATIO ** np.arange(1 + np.ceil(np.log(1.0 / least) / np.log(_RATIO)))


def _precisions(nu: Any) -> tuple[Any, Any]:
    """Log precisions of Student's t (n, J) and their log weights (n, J): its precision is Gamma(nu / 2, nu / 2)."""
    shape = nu[:, None] / 2
    # Near the standard deviation of the logarithm of a gamma variable.
    log_precision = pt.sqrt(1.0 / shape + 0.5 / shape**2) * _NODES
    log_weight = shape * (log_precision - pt.exp(log_precision))
    return log_precision, log_weight - pt.logsumexp(log_weight, axis=1, keepdims=True)


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
    next_best, distance = ahead(effect)
    regions = _regions(traces, reference, region_probabilities(*parts, rope=rope))
    return Comparison.of(
        name="correlated_t",
        title="Differences on a new problem, correlated t",
        unit=f"normalised regret above that of {traces.searchers[reference]}",
        traces=traces,
        effect=effect,
        report=fit.report,
        leading="the lowest regret on a typical problem",
        margin=f"that of the next, {traces.searchers[next_best]}, is higher by {interval_text(distance)}",
        note=f"{regions}; practically equivalent: within {rope:g} of normalised regret.",
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
    return f"On a new problem, compared with {traces.searchers[reference]}, " + "; ".join(texts)
