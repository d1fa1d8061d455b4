"""Gaussian process that is told bounds of the losses of which no more is known."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from bayeshpo.surrogates.base import Parameters, TrainingData
from bayeshpo.surrogates.censored_likelihood import censored_factors, censored_log_density
from bayeshpo.surrogates.columns import Columns
from bayeshpo.surrogates.gaussian_process import multivariate_normal
from bayeshpo.surrogates.gp import GaussianProcess
from bayeshpo.surrogates.symbolic import pm, pt


@dataclass(frozen=True)
class CensoredGaussianProcess(GaussianProcess):
    """The model of `gp`, y_i = f(x_i) + noise e_i; of censored trials it is told that y_i is at least b_i.

    Such a trial has the likelihood Phi((f(x_i) - b_i) / noise) (`Outcome.censored`; Tobin 1958). f is integrated out,
    by expectation propagation where there are bounds (`censored_likelihood`). What the bounds say has seen a loss that
    is left out (`leave_one_out`). See `GaussianProcess`.
    """

    name = "censored"

    def arrays(self, columns: Columns, data: TrainingData) -> Mapping[str, np.ndarray]:
        """ "bound_X" (m, D) and "bound" (m,), the points of censored trials and what their y is at least."""
        X, bound = data.bounds or (np.empty((0, columns.dimension)), np.empty(0))
        return {"bound_X": X, "bound": bound}

    def observes_more(self) -> bool:
        """Yes: bounds."""
        return True

    def remarks(self, data: TrainingData) -> dict[str, Any]:
        """How many bounds the fit has seen."""
        return {"bounds": len(data.arrays["bound"])}

    def likelihood(self, columns: Columns, p: Parameters, data: Mapping[str, Any]) -> None:
        """Its log density is that of losses and bounds.

        Draws of the outcome, and functions of the prior, are of losses alone, as if there were no bounds.
        """
        mean, K, variance = self.moments(columns, p, data)
        m = data["bound"].shape[0]
        pm.CustomDist(
            "outcome",
            mean[m:],
            K[m:, m:],
            variance,
            K,
            data["bound"] - mean[:m],
            dist=lambda mean, K, variance, *rest: multivariate_normal(mean, K, variance, rest[-1]),
            signature="(n),(n,n),(),(k,k),(m)->(n)",
            logp=lambda value, mean, _, variance, K, bound: censored_log_density(K, bound, value - mean, variance),
            observed=data["y"],
        )

    def moments(self, columns: Columns, p: Parameters, data: Mapping[str, Any]) -> tuple[Any, Any, Any]:
        """Prior mean (m + n,) and covariance of f at the bounds' points and at those of the losses, and the noise's."""
        X = _points(data)
        return self.mean(columns, p, X), self.covariance(columns, p, X), self.noise_variance(columns, p, data)

    def condition(self, columns: Columns, p: Parameters, data: Mapping[str, Any]) -> dict[str, Any]:
        """M (m + n, m + n), alpha (m + n,) and the jitter that was needed."""
        mean, K, variance = self.moments(columns, p, data)
        m = data["bound"].shape[0]
        M, alpha, jitter = censored_factors(K, data["bound"] - mean[:m], data["y"] - mean[m:], variance)
        return {"M": M, "alpha": alpha, "jitter": jitter}

    def covariance_with_trials(self, columns: Columns, p: Parameters, data: Mapping[str, Any], Z: Any) -> Any:
        """Prior covariance (k, m + n) of f at Z (k, D) with f at the bounds' points and at those of the losses."""
        return self.covariance(columns, p, Z, _points(data))

    def simulated(
        self,
        columns: Columns,
        p: Mapping[str, np.ndarray],
        blank: TrainingData,
        outcome: np.ndarray,
        rng: np.random.Generator,
    ) -> TrainingData:
        """Every other trial censored where it comes to a limit of its own, from -1 to 1."""
        limit = np.where(np.arange(len(outcome)) % 2, np.linspace(-1.0, 1.0, len(outcome)), np.inf)
        told = outcome < limit
        return replace(blank, X=blank.X[told], y=outcome[told], errors=None, bounds=(blank.X[~told], limit[~told]))


def _points(data: Mapping[str, Any]) -> Any:
    """Points (m + n, D) of the bounds and of the losses."""
    return pt.concatenate([data["bound_X"], data["X"]])
