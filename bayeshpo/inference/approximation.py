"""Draws from an approximation of the posterior, audited by importance sampling against the true density."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace

import numpy as np
from scipy.linalg import solve_triangular
from scipy.special import gammaln

from bayeshpo.inference.compilation import Stopwatch
from bayeshpo.inference.density import LogDensity
from bayeshpo.inference.importance import Importance, pareto_smoothed
from bayeshpo.inference.limits import ESS_LIMIT, khat_limit
from bayeshpo.inference.log_sum_exp import log_sum_exp
from bayeshpo.inference.posterior import Posterior
from bayeshpo.inference.report import InferenceReport
from bayeshpo.surrogates.base import TrainingData

# Share of draws with the tails of a Student distribution, and its degrees of freedom.
_TAIL_SHARE = 0.25
_DEGREES = 3.0


class Affine(ABC):
    """A distribution of q = mean + A z for z of a spherical distribution: normal, or with heavier tails.

    A normal distribution's own draws never show what it misses beside its tails. With tails, a quarter of the draws are
    Student with 3 degrees of freedom (a defensive mixture, Hesterberg 1995), so that importance weights, and their
    k-hat, see there too.
    """

    mean: np.ndarray

    @abstractmethod
    def place(self, z: np.ndarray) -> np.ndarray:
        """Points (n, Q) of standardised ones z (n, Q)."""

    @abstractmethod
    def square(self, Q: np.ndarray) -> np.ndarray:
        """Squared lengths (n,) of the standardised points of Q (n, Q)."""

    @property
    @abstractmethod
    def log_det(self) -> float:
        """Log determinant of A."""

    def draws(self, n: int, rng: np.random.Generator, *, tails: bool = False) -> np.ndarray:
        """Independent draws (n, Q)."""
        z = rng.standard_normal((n, len(self.mean)))
        if tails:
            wide = np.sqrt(_DEGREES / rng.chisquare(_DEGREES, (n, 1)))
            z *= np.where(rng.random((n, 1)) < _TAIL_SHARE, wide, 1.0)
        return self.place(z)

    def log_density(self, Q: np.ndarray, *, tails: bool = False) -> np.ndarray:
        """Log densities (n,) at points Q (n, Q)."""
        size, square = len(self.mean), self.square(Q)
        normal = -0.5 * square - 0.5 * size * np.log(2.0 * np.pi) - self.log_det
        if not tails:
            return normal
        half = 0.5 * (_DEGREES + size)
        constant = gammaln(half) - gammaln(0.5 * _DEGREES) - 0.5 * size * np.log(_DEGREES * np.pi) - self.log_det
        student = constant - half * np.log1p(square / _DEGREES)
        return np.logaddexp(np.log1p(-_TAIL_SHARE) + normal, np.log(_TAIL_SHARE) + student)


@dataclass(frozen=True)
class Gaussian(Affine):
    """N(mean, factor factor') with mean (Q,) and lower triangular factor (Q, Q)."""

    mean: np.ndarray
    factor: np.ndarray

    def place(self, z: np.ndarray) -> np.ndarray:
        """mean + factor z."""
        return self.mean + z @ self.factor.T

    def square(self, Q: np.ndarray) -> np.ndarray:
        """|factor^-1 (q - mean)|^2."""
        return (solve_triangular(self.factor, (Q - self.mean).T, lower=True) ** 2).sum(axis=0)

    @property
    def log_det(self) -> float:
        """Log determinant of the factor."""
        return float(np.log(np.diag(self.factor)).sum())


def audited_gaussian(
    density: LogDensity, data: TrainingData, gaussian: Gaussian, shape: tuple[int, int], report: InferenceReport,
    watch: Stopwatch, rng: np.random.Generator, *, weigh: bool, doubt: str | None,
) -> Posterior:  # fmt: skip
    """The posterior by a Gaussian, ``shape`` = (chains, draws): weighted where k-hat allows it, else its own draws."""
    Q = gaussian.draws(shape[0] * shape[1], rng, tails=weigh)
    log_approximation = gaussian.log_density(Q, tails=weigh).reshape(shape)
    posterior = audited(density, data, Q.reshape(*shape, -1), log_approximation, report, watch, doubt=doubt)
    khat = posterior.report.khat
    if weigh and khat is not None and khat <= khat_limit(len(Q)):
        return posterior
    own = gaussian.draws(len(Q), rng).reshape(*shape, -1) if weigh else posterior.unconstrained
    return replace(posterior, unconstrained=own, log_weights=None, sample_stats={})


def audited(
    density: LogDensity, data: TrainingData, Q: np.ndarray, log_approximation: np.ndarray, report: InferenceReport,
    watch: Stopwatch, *, doubt: str | None = None,
) -> Posterior:  # fmt: skip
    """The posterior of independent, weighted draws from an approximation, with the k-hat of their weights.

    Parameters
    ----------
    density, data
        The true density.
    Q
        Draws (chain, draw, Q); the chains are parts of one independent sample.
    log_approximation
        Log densities (chain, draw) of the approximation there.
    report
        To be completed. Status "ok" means a k-hat within `khat_limit` and an effective number of weighted draws above
        400, which is reported as ``ess_bulk_min``; "failed" means that the true density is finite at none of the draws.
    watch
        Started with the fit.
    doubt
        Why the status cannot be "ok" whatever the weights say.
    """
    chains, draws, size = Q.shape
    logp = density.batch(Q.reshape(-1, size), data)
    ratios = logp - log_approximation.ravel()
    importance = pareto_smoothed(ratios)
    report = replace(report, chains=chains, draws=draws, **watch.seconds())
    statistics = {"lp": logp.reshape(chains, draws)}
    if importance is None:
        failed = replace(report, status="failed", reason="no draw has a finite log density")
        return Posterior(density, data, Q, failed, None, statistics)
    weights = importance.log_weights.reshape(chains, draws)
    if importance.reliable:
        # The mean weight, in units of the loss.
        evidence = float(log_sum_exp(ratios)) - np.log(len(ratios)) - data.log_unit
        report = replace(report, evidence_increment=evidence)
    return Posterior(density, data, Q, _judged(report, importance, doubt), weights, statistics)


def not_found(density: LogDensity, data: TrainingData, starts: np.ndarray, report: InferenceReport) -> Posterior:
    """What is left where no starting point (S, Q) has a finite log density: those points, marked as failed."""
    reason = "no starting point has a finite log density"
    failed = replace(report, status="failed", reason=reason, chains=1, draws=len(starts))
    return Posterior(density, data, starts[None], failed)


def _judged(report: InferenceReport, importance: Importance, doubt: str | None) -> InferenceReport:
    effective = importance.effective
    if not (importance.reliable and effective > ESS_LIMIT):
        limit = khat_limit(len(importance.log_weights))
        weights = f"k-hat {importance.khat:.2f} (<= {limit:.2g}), effective draws {effective:.0f} (> {ESS_LIMIT:.0f})"
        doubt = weights if doubt is None else f"{doubt}; {weights}"
    return replace(
        report,
        status="ok" if doubt is None else "not_converged",
        reason=doubt,
        khat=importance.khat,
        ess_importance=importance.effective,
        ess_bulk_min=effective,
    )
