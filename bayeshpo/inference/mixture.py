"""Independent proposals from a mixture of Student distributions that is fitted to the population itself.

Half of the population, of all islands, shows where the modes are and how wide; the other half is offered draws from a
mixture fitted to it and accepts by the Metropolis-Hastings ratio (after Cappe et al. 2008, population Monte Carlo).
Where the posterior has a spike beside a shelf, these proposals jump between them in one step.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import gammaln

from bayeshpo.inference.differential_evolution import Target
from bayeshpo.inference.halves import halves
from bayeshpo.inference.log_sum_exp import log_sum_exp

_COMPONENTS = 12
# Draws to fit to: more make the fit slower and hardly better.
_LEARNED_FROM = 576
_ITERATIONS = 8
_DEGREES = 8.0
# Weight of the pooled covariance in each component's own, as a number of draws.
_SHRINKAGE = 4.0
# Effective proposals that an integral takes.
_ENOUGH = 400.0


@dataclass(frozen=True)
class StudentMixture:
    """Multivariate Student distributions with 8 degrees of freedom.

    Attributes
    ----------
    log_shares
        Log weights (K,).
    means
        Centres (K, Q).
    factors, whiteners
        Lower Cholesky factors (K, Q, Q) of the scale matrices, and their inverses.
    """

    log_shares: np.ndarray
    means: np.ndarray
    factors: np.ndarray
    whiteners: np.ndarray

    @classmethod
    def fit(cls, X: np.ndarray, components: int, rng: np.random.Generator) -> StudentMixture:
        """A few steps of expectation-maximisation from random members of X (n, Q); components may die out."""
        n, size = X.shape
        pooled = np.cov(X.T).reshape(size, size) + 1e-8 * np.eye(size)
        scales = np.tile(pooled / components ** (2.0 / size), (components, 1, 1))
        mixture = cls._of(np.full(components, 1.0 / components), X[rng.choice(n, components, replace=False)], scales)
        for _ in range(_ITERATIONS):
            mixture = mixture._improved(X, pooled)
        return mixture

    @classmethod
    def _of(cls, shares: np.ndarray, means: np.ndarray, scales: np.ndarray) -> StudentMixture:
        factors = np.linalg.cholesky(scales)
        return cls(np.log(shares), means, factors, np.linalg.inv(factors))

    def sample(self, n: int, rng: np.random.Generator) -> np.ndarray:
        """Draws (n, Q)."""
        k = rng.choice(len(self.means), n, p=np.exp(self.log_shares))
        z = rng.standard_normal((n, self.means.shape[1]))
        scale = np.sqrt(_DEGREES / rng.chisquare(_DEGREES, n))
        return self.means[k] + scale[:, None] * (self.factors[k] @ z[:, :, None])[:, :, 0]

    def log_density(self, X: np.ndarray) -> np.ndarray:
        """Log density (n,) at X (n, Q)."""
        return log_sum_exp(self._log_joint(X), axis=0)

    def _log_joint(self, X: np.ndarray) -> np.ndarray:
        """Log share times density of each component (K, n) (Kotz and Nadarajah 2004, eq. 1.1)."""
        K, size = self.means.shape
        constant = gammaln((_DEGREES + size) / 2) - gammaln(_DEGREES / 2) - size / 2 * np.log(_DEGREES * np.pi)
        log_volumes = np.log(np.diagonal(self.whiteners, axis1=1, axis2=2)).sum(axis=1)
        # All components' z = whitener (x - mean) by one matrix product.
        z = (self.whiteners.reshape(-1, size) @ X.T).reshape(K, size, -1) - self.whiteners @ self.means[:, :, None]
        tails = (_DEGREES + size) / 2 * np.log1p(np.einsum("kqn,kqn->kn", z, z) / _DEGREES)
        return (self.log_shares + constant + log_volumes)[:, None] - tails

    def _improved(self, X: np.ndarray, pooled: np.ndarray) -> StudentMixture:
        joint = self._log_joint(X)
        belongs = np.exp(joint - log_sum_exp(joint, axis=0))
        counts = belongs.sum(axis=1)
        alive = counts > X.shape[1] / 2.0
        belongs, counts = belongs[alive], counts[alive]
        means = belongs @ X / counts[:, None]
        second_moments = (belongs[:, :, None] * X).transpose(0, 2, 1) @ X
        scatter = second_moments - counts[:, None, None] * means[:, :, None] * means[:, None, :]
        scales = (scatter + _SHRINKAGE * pooled) / (counts + _SHRINKAGE)[:, None, None]
        return StudentMixture._of(counts / counts.sum(), means, scales)


def sweep(
    Q: np.ndarray, logp: np.ndarray, target: Target, rng: np.random.Generator, scouts: np.ndarray | None = None,
    often: int = 1,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:  # fmt: skip
    """Offer every draw proposals, half of each island at a time; returns draws, densities and log weights.

    Parameters are as in `differential_evolution.sweep`; the mixture learns from the ``scouts`` (k, Q) too, and offers
    ``often`` proposals, one after the other, once it is fitted. Log weights (2 often, m) are those of the proposals, a
    row for each time that half of the draws were offered some, as importance draws from the target.
    """
    Q, logp = Q.copy(), logp.copy()
    islands, draws, size = Q.shape
    offered = []
    for moving, resting in halves(draws, rng):
        mixture = _learned(Q[:, resting].reshape(-1, size), scouts, rng)
        current, known = Q[:, moving].reshape(-1, size), logp[:, moving].ravel()
        weight = known - mixture.log_density(current)
        for _ in range(often):
            proposal = mixture.sample(len(current), rng)
            value = target(proposal)
            offer = value - mixture.log_density(proposal)
            take = np.log(rng.random(len(current))) < offer - weight
            current = np.where(take[:, None], proposal, current)
            known, weight = np.where(take, value, known), np.where(take, offer, weight)
            offered.append(offer)
        Q[:, moving], logp[:, moving] = current.reshape(islands, -1, size), known.reshape(islands, -1)
    return Q, logp, np.array(offered)


def reach(log_weights: np.ndarray) -> float:
    """Effective share of a sweep's proposals, summed over the times that a draw was offered one.

    For each of these it is 1 where proposals are perfect, near 0 where there are parts of the target that they hardly
    ever are in. Log weights are as `sweep` returns them.
    """
    return sum(_effective_share(row) for row in log_weights) / 2.0


def log_integral(log_weights: np.ndarray) -> float | None:
    """Log of the target's integral by importance sampling, or None where too few of the weights (S,) count."""
    if _effective_share(log_weights) * len(log_weights) < _ENOUGH:
        return None
    return log_sum_exp(log_weights) - float(np.log(len(log_weights)))


def _effective_share(log_weights: np.ndarray) -> float:
    if not np.isfinite(log_weights).any():
        return 0.0
    weights = np.exp(log_weights - log_weights.max())
    return float(weights.sum() ** 2 / (weights**2).sum() / len(weights))


def _learned(X: np.ndarray, scouts: np.ndarray | None, rng: np.random.Generator) -> StudentMixture:
    shown = X[rng.choice(len(X), min(_LEARNED_FROM, len(X)), replace=False)]
    shown = shown if scouts is None else np.concatenate([shown, scouts])
    # Each component's covariance wants a few draws for each of its dimensions.
    components = int(np.clip(len(shown) // (4 * X.shape[1]), 1, _COMPONENTS))
    return StudentMixture.fit(shown, components, rng)
