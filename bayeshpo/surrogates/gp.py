"""Gaussian process with one lengthscale a hyperparameter (ARD)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from bayeshpo.surrogates import priors
from bayeshpo.surrogates.base import Parameters
from bayeshpo.surrogates.columns import Columns
from bayeshpo.surrogates.priors import Prior, given, register
from bayeshpo.surrogates.stationary import StationaryGaussianProcess


@dataclass(frozen=True)
class GaussianProcess(StationaryGaussianProcess):
    """f ~ GP(mean, amplitude^2 k(x / lengthscale, x' / lengthscale)); see `StationaryGaussianProcess`.

    Parameters
    ----------
    lengthscale_prior
        PyMC distribution of one lengthscale, in units of the unit cube; lengthscales are independent. By default
        longer as dimensions are added, see `bayeshpo.surrogates.priors`.
    """

    lengthscale_prior: Prior | None = None
    name = "gp"

    def __post_init__(self) -> None:
        super().__post_init__()
        priors.check("lengthscale_prior", self.lengthscale_prior, positive=True)

    def input_priors(self, columns: Columns) -> Parameters:
        """lengthscale (D,)."""
        lengthscale = given(self.lengthscale_prior, priors.lengthscale_prior(columns.dimension))
        return {"lengthscale": register("lengthscale", lengthscale, dims="hyperparameter")}

    def inputs(self, columns: Columns, p: Parameters, X: Any) -> Any:
        """x / lengthscale."""
        return columns.scaled(X, p["lengthscale"])
