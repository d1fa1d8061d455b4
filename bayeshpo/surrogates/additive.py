"""Gaussian process without interactions: a sum of functions of one hyperparameter each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from bayeshpo.surrogates import priors
from bayeshpo.surrogates.base import Parameters
from bayeshpo.surrogates.columns import Columns
from bayeshpo.surrogates.gp import GaussianProcess
from bayeshpo.surrogates.kernels import stationary
from bayeshpo.surrogates.priors import given, register
from bayeshpo.surrogates.symbolic import pt


@dataclass(frozen=True)
class AdditiveGaussianProcess(GaussianProcess):
    """y = mean + sum_j f_j(x_j) + noise e,  f_j ~ GP(0, amplitude_j^2 k(x_j / lengthscale_j, x'_j / lengthscale_j)).

    First order of the additive kernels of Duvenaud, Nickisch and Rasmussen (2011): what is learnt of one
    hyperparameter holds for all values of the others, so the number of trials that it takes hardly grows with them.

    Arguments are those of `GaussianProcess`; the default priors are its own in one dimension, with amplitudes divided
    by sqrt(D), so that f varies as much as there.
    """

    name = "additive"

    def priors(self, columns: Columns) -> Parameters:
        """mean, amplitude (D,), lengthscale (D,) and noise."""
        amplitude = given(self.amplitude_prior, priors.amplitude_prior(columns.dimension))
        return {
            "mean": register("mean", given(self.mean_prior, priors.mean_prior())),
            "amplitude": register("amplitude", amplitude, dims="hyperparameter"),
            # Each function has one dimension, however many of them there are.
            "lengthscale": register(
                "lengthscale", given(self.lengthscale_prior, priors.lengthscale_prior(1)), dims="hyperparameter"
            ),
            "noise": register("noise", given(self.noise_prior, priors.noise_prior())),
        }

    def covariance(self, columns: Columns, p: Parameters, X: Any, X2: Any | None = None) -> Any:
        """Sum of the functions' covariances."""

        def along(X: Any, j: int) -> Any:
            return columns.along(X, j) / p["lengthscale"][j]

        return sum(
            stationary(self.kernel, pt.sqr(p["amplitude"][j]), along(X, j), None if X2 is None else along(X2, j))
            for j in range(columns.dimension)
        )

    def variance(self, columns: Columns, p: Parameters, X: Any) -> Any:
        """Sum of amplitude^2 everywhere."""
        return pt.full((X.shape[0],), pt.sqr(p["amplitude"]).sum())
