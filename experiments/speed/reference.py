"""A long reference for a posterior: importance sampling from a mixture shaped by NUTS and by rounds of its own.

A fifth of its draws come from the prior, so that no weight is larger than five times the likelihood over its mean under
the prior, also where NUTS has not been (a defensive mixture: Owen and Zhou 2000).

NUTS alone mixes too slowly for this between the spike and the shelf of a lengthscale: some 2 % of its draws are
effective. Independent draws with weights have an error that is known, whatever shaped the proposal (population Monte
Carlo: Cappe et al. 2008), and the means of NUTS are compared with theirs.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.linalg import solve_triangular
from scipy.special import gammaln, logsumexp
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import GaussianMixture

from bayeshpo.inference.density import LogDensity
from bayeshpo.inference.importance import pareto_smoothed
from bayeshpo.inference.nuts import NUTS
from bayeshpo.inference.posterior import Posterior
from bayeshpo.inference.report import InferenceReport
from bayeshpo.surrogates.base import TrainingData

_COMPONENTS = 24
_FREEDOM = 5.0
# Draws that a mixture is fitted to, and those of each round that only shapes the next mixture.
_FITTED, _SHAPING, _ROUNDS = 10_000, 40_000, 3
_PRIOR_SHARE = 0.2


@dataclass(frozen=True)
class StudentMixture:
    """Weights (K,), means (K, Q) and Cholesky factors (K, Q, Q) of Student distributions with 5 degrees of freedom."""

    weights: np.ndarray
    means: np.ndarray
    factors: np.ndarray

    @classmethod
    def fitted(cls, Q: np.ndarray) -> StudentMixture:
        """With the moments of a Gaussian mixture fitted to draws Q (S, Q)."""
        gaussians = GaussianMixture(_COMPONENTS, reg_covar=1e-4, max_iter=30, tol=1e-2, random_state=0)
        with warnings.catch_warnings():
            # A good proposal is enough: it need not be the best fit.
            warnings.simplefilter("ignore", ConvergenceWarning)
            found: Any = gaussians.fit(Q)
        return cls(found.weights_, found.means_, np.linalg.cholesky(found.covariances_))

    def draw(self, n: int, rng: np.random.Generator) -> np.ndarray:
        """Draws (n, Q)."""
        k = rng.choice(len(self.weights), size=n, p=self.weights)
        normal = np.einsum("sij,sj->si", self.factors[k], rng.standard_normal((n, self.means.shape[1])))
        return self.means[k] + normal * np.sqrt(_FREEDOM / rng.chisquare(_FREEDOM, n))[:, None]

    def log_density(self, Q: np.ndarray) -> np.ndarray:
        """Log density (S,) at points (S, Q)."""
        size = Q.shape[1]
        constant = gammaln((_FREEDOM + size) / 2) - gammaln(_FREEDOM / 2) - size / 2 * np.log(_FREEDOM * np.pi)
        terms = []
        for weight, mean, factor in zip(self.weights, self.means, self.factors, strict=True):
            distance = (solve_triangular(factor, (Q - mean).T, lower=True) ** 2).sum(axis=0)
            volume = np.log(np.diagonal(factor)).sum()
            terms.append(np.log(weight) + constant - volume - (_FREEDOM + size) / 2 * np.log1p(distance / _FREEDOM))
        return np.asarray(logsumexp(terms, axis=0))


def reference(density: LogDensity, data: TrainingData, n: int, rng: np.random.Generator) -> tuple[Posterior, Posterior]:
    """A posterior of ``n`` weighted, independent draws, and the NUTS fit that shaped its first proposal."""
    nuts = NUTS(draws=2500, rounds=1).fit(density, data, rng=rng)
    Q = rng.permutation(nuts.draws)[:_FITTED]
    for _ in range(_ROUNDS):
        Q = _weighted(density, data, StudentMixture.fitted(Q), _SHAPING, rng).thinned(_FITTED)
    return _weighted(density, data, StudentMixture.fitted(Q), n, rng), nuts


def effective(posterior: Posterior) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mean, variance and effective draws behind the mean, each (Q,), of independent weighted draws."""
    assert posterior.log_weights is not None
    w, Q = np.exp(posterior.log_weights.ravel())[:, None], posterior.draws
    mean = (w * Q).sum(axis=0)
    variance = (w * (Q - mean) ** 2).sum(axis=0)
    return mean, variance, variance / (w**2 * (Q - mean) ** 2).sum(axis=0)


def _weighted(
    density: LogDensity, data: TrainingData, mixture: StudentMixture, n: int, rng: np.random.Generator
) -> Posterior:
    of_prior = int(_PRIOR_SHARE * n)
    Q = rng.permutation(np.concatenate([mixture.draw(n - of_prior, rng), density.prior_draws(of_prior, rng)]))
    learned = np.log1p(-_PRIOR_SHARE) + mixture.log_density(Q)
    ratios = density.batch(Q, data) - np.logaddexp(learned, np.log(_PRIOR_SHARE) + density.batch(Q, density.no_data))
    ratios = np.where(np.isnan(ratios), -np.inf, ratios)
    importance = pareto_smoothed(ratios)
    khat = None if importance is None else importance.khat
    weights = (ratios - np.asarray(logsumexp(ratios)))[None]
    return Posterior(density, data, Q[None], InferenceReport("importance", "sampled", len(data.y), khat=khat), weights)
