"""Gaussian process of which few hyperparameters matter: sparse axis-aligned subspaces (SAAS)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from bayeshpo.surrogates import priors
from bayeshpo.surrogates.base import Parameters
from bayeshpo.surrogates.columns import Columns
from bayeshpo.surrogates.priors import Prior, given, register
from bayeshpo.surrogates.stationary import StationaryGaussianProcess
from bayeshpo.surrogates.symbolic import pm, pt

# The shortest lengthscale, in units of the unit cube: below it the data cannot tell one from another.
SHORTEST = 0.05


@dataclass(frozen=True)
class SAASGaussianProcess(StationaryGaussianProcess):
    """f ~ GP(mean, amplitude^2 k(x / lengthscale, x' / lengthscale)),  lengthscale_j^2 = 1 / (tau lambda_j) + 0.05^2.

    But for the bound of 0.05, inverse squared lengthscales are half-Cauchy with the scale tau, which is half-Cauchy
    itself: most are nearly nothing, a few are as large as it takes (Eriksson and Jankowiak 2021, section 4.1). They are
    written as a product of independent tau and lambda, so that a small tau is no funnel for a sampler. See
    `StationaryGaussianProcess`.

    Parameters
    ----------
    tau_prior, lambda_prior
        PyMC distributions of one positive number: HalfCauchy(0.1) for all, and HalfCauchy(1) for each hyperparameter.
    """

    tau_prior: Prior | None = None
    lambda_prior: Prior | None = None
    name = "saas"

    def __post_init__(self) -> None:
        super().__post_init__()
        priors.check("tau_prior", self.tau_prior, positive=True)
        priors.check("lambda_prior", self.lambda_prior, positive=True)

    def input_priors(self, columns: Columns) -> Parameters:
        """tau and lambda (D,)."""
        return {
            "tau": register("tau", given(self.tau_prior, pm.HalfCauchy.dist(0.1))),
            "lambda": register("lambda", given(self.lambda_prior, pm.HalfCauchy.dist(1.0)), dims="hyperparameter"),
        }

    def inputs(self, columns: Columns, p: Parameters, X: Any) -> Any:
        """x / lengthscale."""
        return columns.scaled(X, pt.sqrt(1.0 / (p["tau"] * p["lambda"]) + SHORTEST**2))
