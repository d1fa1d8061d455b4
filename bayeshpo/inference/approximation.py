"""Draws from an approximation of the posterior, audited by importance sampling against the true density."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from scipy.linalg import solve_triangular

from bayeshpo.inference.compilation import Stopwatch
from bayeshpo.inference.density import LogDensity
from bayeshpo.inference.importance import KHAT_LIMIT, Importance, pareto_smoothed
from bayeshpo.inference.posterior import Posterior
from bayeshpo.inference.report import ESS_LIMIT, InferenceReport
from bayeshpo.surrogates.base import TrainingData


@dataclass(frozen=True)
class Gaussian:
    """N(mean, factor factor') with mean (Q,) and lower triangular factor (Q, Q)."""

    mean: np.ndarray
    factor: np.ndarray

    def draws(self, n: int, rng: np.random.Generator) -> np.ndarray:
        """Independent draws (n, Q)."""
        return self.mean + rng.standard_normal((n, len(self.mean))) @ self.factor.T

    def log_density(self, Q: np.ndarray) -> np.ndarray:
        """Log densities (n,) at points Q (n, Q)."""
        z = solve_triangular(self.factor, (Q - self.mean).T, lower=True)
        log_det = np.log(np.diag(self.factor)).sum()
        return -0.5 * (z**2).sum(axis=0) - log_det - 0.5 * len(self.mean) * np.log(2.0 * np.pi)


def audited(
    density: LogDensity,
    data: TrainingData,
    Q: np.ndarray,
    log_approximation: np.ndarray,
    report: InferenceReport,
    watch: Stopwatch,
    *,
    weigh: Literal["always", "reliable", "never"],
    doubt: str | None = None,
) -> Posterior:
    """The posterior of independent draws from an approximation, with the k-hat of their importance weights.

    Parameters
    ----------
    density, data
        The true density.
    Q
        Draws (chain, draw, Q); the chains are parts of one independent sample.
    log_approximation
        Log densities (chain, draw) of the approximation there.
    report
        To be completed. Status "ok" means a k-hat of at most 0.7 and an effective number of weighted draws above 400,
        which is reported as ``ess_bulk_min``; "failed" means that the true density is finite at none of the draws.
    watch
        Started with the fit.
    weigh
        When the draws carry their smoothed weights. Without weights they are draws of the approximation itself, under
        the same audit.
    doubt
        Why the status cannot be "ok" whatever the weights say.
    """
    chains, draws, size = Q.shape
    logp = density.batch(Q.reshape(-1, size), data.X, data.y)
    importance = pareto_smoothed(logp - log_approximation.ravel())
    report = replace(report, chains=chains, draws=draws, **watch.seconds())
    statistics = {"lp": logp.reshape(chains, draws)}
    if importance is None:
        failed = replace(report, status="failed", reason="no draw has a finite log density")
        return Posterior(density, data, Q, failed, None, statistics)
    weighted = weigh == "always" or (weigh == "reliable" and importance.reliable)
    weights = importance.log_weights.reshape(chains, draws) if weighted else None
    return Posterior(density, data, Q, _judged(report, importance, doubt), weights, statistics)


def not_found(density: LogDensity, data: TrainingData, starts: np.ndarray, report: InferenceReport) -> Posterior:
    """What is left where no starting point (S, Q) has a finite log density: those points, marked as failed."""
    reason = "no starting point has a finite log density"
    failed = replace(report, status="failed", reason=reason, chains=1, draws=len(starts))
    return Posterior(density, data, starts[None], failed)


def _judged(report: InferenceReport, importance: Importance, doubt: str | None) -> InferenceReport:
    effective = importance.effective
    if not (importance.reliable and effective > ESS_LIMIT):
        weights = f"k-hat {importance.khat:.2f} (<= {KHAT_LIMIT}), effective draws {effective:.0f} (> {ESS_LIMIT:.0f})"
        doubt = weights if doubt is None else f"{doubt}; {weights}"
    return replace(
        report,
        status="ok" if doubt is None else "not_converged",
        reason=doubt,
        khat=importance.khat,
        ess_bulk_min=effective,
        ess_per_second=effective / report.seconds_sample,
    )
