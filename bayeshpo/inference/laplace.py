"""Laplace's approximation: a Gaussian at the mode, with the curvature there (Tierney and Kadane 1986)."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from bayeshpo.inference.approximation import Gaussian, audited, audited_gaussian, not_found
from bayeshpo.inference.base import Engine
from bayeshpo.inference.compilation import Stopwatch
from bayeshpo.inference.density import LogDensity
from bayeshpo.inference.optimization import Target, find_mode, precision, starting_points
from bayeshpo.inference.posterior import Posterior
from bayeshpo.inference.report import InferenceReport
from bayeshpo.surrogates.base import TrainingData

# Curvature, relative to the largest, that finite differences cannot tell from none.
_ROUNDING = 1e-9


@dataclass(frozen=True)
class Laplace(Engine):
    """Gaussian at the unconstrained mode, with the inverse negative Hessian as its covariance.

    The Hessian is taken by central differences of the gradient; directions in which the density does not fall are given
    a standard deviation of one, and the status is then not "ok". The k-hat of the draws' importance weights against the
    true density says whether the Gaussian covers the posterior: within `khat_limit` averages over the weighted draws
    can be trusted, and status "ok" also asks for more than 400 effective draws. k-hat sees the regions that draws
    reach: a second mode far away goes unnoticed.

    Parameters
    ----------
    chains, draws
        The sample is given as so many chains (>= 1) of so many draws (>= 25); they are independent.
    starts
        Ascents to the mode (>= 1).
    weigh
        Whether the draws carry importance weights, and a quarter of them heavier tails for the weights to see by, where
        k-hat is good. Otherwise, and where it is not, they are the Gaussian's own.
    prior_share
        Share of weighted draws that come from the prior, from 0 to below 1. No weight is then larger than the
        likelihood over this share: for data that say little, and leave the rest to the prior's tails.
    """

    chains: int = 4
    draws: int = 1000
    starts: int = 8
    weigh: bool = True
    prior_share: float = 0.0
    name = "laplace"

    def __post_init__(self) -> None:
        if self.chains < 1 or self.draws < 25 or self.starts < 1:
            raise ValueError(
                "expected chains >= 1, draws >= 25 and starts >= 1, "
                f"got chains={self.chains}, draws={self.draws}, starts={self.starts}"
            )
        if not 0.0 <= self.prior_share < 1.0 or (self.prior_share and not self.weigh):
            raise ValueError(f"expected 0 <= prior_share < 1, above 0 with weigh alone, got {self.prior_share}")

    def fit(
        self, density: LogDensity, data: TrainingData, *, rng: np.random.Generator, previous: Posterior | None = None
    ) -> Posterior:
        """Draws from the Gaussian, weighed and audited; "failed" if no start has a finite density."""
        watch = Stopwatch()
        report = InferenceReport(self.name, "sampled", len(data.y))
        starts = starting_points(density, data, self.starts, rng)
        fitted = laplace_approximation(density.value_and_gradient(data), starts)
        if fitted is None:
            return not_found(density, data, starts, replace(report, **watch.seconds()))
        gaussian, doubt = fitted
        shape = (self.chains, self.draws)
        if self.prior_share:
            Q, log_approximation = self._beside_prior(density, gaussian, rng)
            Q, log_approximation = Q.reshape(*shape, -1), log_approximation.reshape(shape)
            return audited(density, data, Q, log_approximation, report, watch, doubt=doubt)
        return audited_gaussian(density, data, gaussian, shape, report, watch, rng, weigh=self.weigh, doubt=doubt)

    def _beside_prior(
        self, density: LogDensity, gaussian: Gaussian, rng: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray]:
        """Draws (n, Q) of a mixture of the prior and the Gaussian, and its log densities (n,) there."""
        n, share = self.chains * self.draws, self.prior_share
        Q, prior = gaussian.draws(n, rng, tails=True), density.prior_draws(n, rng)
        Q = np.where(rng.random((n, 1)) < share, prior, Q)
        parts = density.batch(Q, density.no_data), gaussian.log_density(Q, tails=True)
        return Q, np.logaddexp(np.log(share) + parts[0], np.log1p(-share) + parts[1])


def laplace_approximation(target: Target, starts: np.ndarray) -> tuple[Gaussian, str | None] | None:
    """The Gaussian at the highest mode reached from starts (S, Q), and why it should not be trusted, if so.

    None if the density is finite at no start.
    """
    mode = find_mode(target, starts)
    if mode is None:
        return None
    doubt = None if mode.stationary else "the gradient does not vanish where the ascent ended"
    H = precision(target, mode.q)
    if not np.isfinite(H).all():
        H, doubt = np.eye(len(H)), "the gradient is not finite around the mode"
    values, vectors = np.linalg.eigh(H)
    falls = values > _ROUNDING * max(1.0, values.max())
    if not falls.all():
        doubt = "the density does not fall in every direction from the mode"
    covariance = (vectors / np.where(falls, values, 1.0)) @ vectors.T
    return Gaussian(mode.q, np.linalg.cholesky(covariance)), doubt
