"""Gaussian processes with a constant mean and a stationary kernel of some coordinates of X."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import Any

from bayeshpo.surrogates import kernels, priors
from bayeshpo.surrogates.base import Parameters
from bayeshpo.surrogates.columns import Columns
from bayeshpo.surrogates.gaussian_process import GaussianProcessSurrogate
from bayeshpo.surrogates.kernels import stationary
from bayeshpo.surrogates.priors import Prior, given, register
from bayeshpo.surrogates.symbolic import pt


@dataclass(frozen=True)
class StationaryGaussianProcess(GaussianProcessSurrogate):
    """y = f(x) + noise e,  f ~ GP(mean, amplitude^2 k(u(x), u(x'))),  e ~ N(0, 1).

    A subclass says what u is, and registers the hyperparameters that it takes.

    Parameters
    ----------
    kernel
        k: "rbf", "matern12", "matern32" or "matern52".
    mean_prior, amplitude_prior, noise_prior
        PyMC distributions of one number (`pm.LogNormal.dist(0, 1)`), in units of the standardised loss; by default
        those of `bayeshpo.surrogates.priors`.

    Raises
    ------
    SpecificationError
        If the kernel is unknown, or a prior is no distribution of one number or has values that cannot be.
    """

    kernel: str = "matern52"
    mean_prior: Prior | None = None
    amplitude_prior: Prior | None = None
    noise_prior: Prior | None = None

    def __post_init__(self) -> None:
        kernels.check(self.kernel)
        priors.check("mean_prior", self.mean_prior)
        priors.check("amplitude_prior", self.amplitude_prior, positive=True)
        priors.check("noise_prior", self.noise_prior, positive=True)

    @abstractmethod
    def input_priors(self, columns: Columns) -> Parameters:
        """Register the hyperparameters of `inputs` in the model that is open, and return them by name."""

    @abstractmethod
    def inputs(self, columns: Columns, p: Parameters, X: Any) -> Any:
        """The kernel's coordinates u (n, E) of X (n, D), in units of their lengthscales."""

    def priors(self, columns: Columns) -> Parameters:
        """mean, amplitude, those of the inputs, and noise."""
        return {
            "mean": register("mean", given(self.mean_prior, priors.mean_prior())),
            "amplitude": register("amplitude", given(self.amplitude_prior, priors.amplitude_prior())),
            **self.input_priors(columns),
            "noise": register("noise", given(self.noise_prior, priors.noise_prior())),
        }

    def covariance(self, columns: Columns, p: Parameters, X: Any, X2: Any | None = None) -> Any:
        """amplitude^2 k."""
        u, u2 = self.inputs(columns, p, X), None if X2 is None else self.inputs(columns, p, X2)
        return stationary(self.kernel, pt.sqr(p["amplitude"]), u, u2)

    def variance(self, columns: Columns, p: Parameters, X: Any) -> Any:
        """amplitude^2 everywhere."""
        return pt.full((X.shape[0],), pt.sqr(p["amplitude"]))
