"""Gaussian process with a Matern-5/2 kernel and one lengthscale a hyperparameter (ARD)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from bayeshpo.surrogates.base import Columns, GaussianProcessSurrogate, Parameters
from bayeshpo.surrogates.kernels import matern52
from bayeshpo.surrogates.priors import amplitude_prior, lengthscale_prior, mean_prior, noise_prior, register
from bayeshpo.surrogates.symbolic import pt


@dataclass(frozen=True)
class GaussianProcess(GaussianProcessSurrogate):
    """y = f(x) + noise e,  f ~ GP(mean, amplitude^2 matern52(x / lengthscale, x' / lengthscale)),  e ~ N(0, 1)."""

    name = "gp"

    def priors(self, columns: Columns) -> Parameters:
        """mean, amplitude, lengthscale (D,) and noise, with the defaults of `bayeshpo.surrogates.priors`."""
        return {
            "mean": register("mean", mean_prior()),
            "amplitude": register("amplitude", amplitude_prior()),
            "lengthscale": register("lengthscale", lengthscale_prior(columns.dimension), dims="hyperparameter"),
            "noise": register("noise", noise_prior()),
        }

    def mean(self, columns: Columns, p: Parameters, X: Any) -> Any:
        """A constant."""
        return pt.full((X.shape[0],), p["mean"])

    def covariance(self, columns: Columns, p: Parameters, X: Any, X2: Any | None = None) -> Any:
        """amplitude^2 matern52."""
        A = columns.scaled(X, p["lengthscale"])
        B = None if X2 is None else columns.scaled(X2, p["lengthscale"])
        return pt.sqr(p["amplitude"]) * matern52(A, B)

    def variance(self, columns: Columns, p: Parameters, X: Any) -> Any:
        """amplitude^2 everywhere."""
        return pt.full((X.shape[0],), pt.sqr(p["amplitude"]))
