"""Gaussian process with one lengthscale a hyperparameter (ARD)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from bayeshpo.errors import SpecificationError, unknown_name
from bayeshpo.surrogates import priors
from bayeshpo.surrogates.base import GaussianProcessSurrogate, Parameters
from bayeshpo.surrogates.columns import Columns, scaled_by
from bayeshpo.surrogates.kernels import KERNELS, stationary
from bayeshpo.surrogates.priors import Prior, given, register
from bayeshpo.surrogates.symbolic import pt


@dataclass(frozen=True)
class GaussianProcess(GaussianProcessSurrogate):
    """y = f(x) + noise e,  f ~ GP(mean, amplitude^2 k(x / lengthscale, x' / lengthscale)),  e ~ N(0, 1).

    Parameters
    ----------
    kernel
        k: "rbf", "matern12", "matern32" or "matern52".
    mean, amplitude, lengthscale, noise
        Priors: PyMC distributions of one number (`pm.LogNormal.dist(0, 1)`), in units of the standardised loss and of
        the unit cube; by default those of `bayeshpo.surrogates.priors`. Lengthscales are independent.

    Raises
    ------
    SpecificationError
        If the kernel is unknown, or a prior is no distribution of one number or has values that cannot be.
    """

    kernel: str = "matern52"
    mean_prior: Prior | None = None
    amplitude_prior: Prior | None = None
    lengthscale_prior: Prior | None = None
    noise_prior: Prior | None = None
    name = "gp"

    def __post_init__(self) -> None:
        if self.kernel not in KERNELS:
            raise SpecificationError(unknown_name("kernel", self.kernel, KERNELS))
        priors.check("mean_prior", self.mean_prior)
        priors.check("amplitude_prior", self.amplitude_prior, positive=True)
        priors.check("lengthscale_prior", self.lengthscale_prior, positive=True)
        priors.check("noise_prior", self.noise_prior, positive=True)

    def priors(self, columns: Columns) -> Parameters:
        """mean, amplitude, lengthscale (D,) and noise."""
        lengthscale = given(self.lengthscale_prior, priors.lengthscale_prior(columns.dimension))
        return {
            "mean": register("mean", given(self.mean_prior, priors.mean_prior())),
            "amplitude": register("amplitude", given(self.amplitude_prior, priors.amplitude_prior())),
            "lengthscale": register("lengthscale", lengthscale, dims="hyperparameter"),
            "noise": register("noise", given(self.noise_prior, priors.noise_prior())),
        }

    def mean(self, columns: Columns, p: Parameters, X: Any) -> Any:
        """A constant."""
        return pt.full((X.shape[0],), p["mean"])

    def covariance(self, columns: Columns, p: Parameters, X: Any, X2: Any | None = None) -> Any:
        """amplitude^2 k."""
        return stationary(self.kernel, pt.sqr(p["amplitude"]), *scaled_by(columns, p, X, X2))

    def variance(self, columns: Columns, p: Parameters, X: Any) -> Any:
        """amplitude^2 everywhere."""
        return pt.full((X.shape[0],), pt.sqr(p["amplitude"]))
