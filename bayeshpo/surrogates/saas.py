"""Gaussian process of which few hyperparameters matter: sparse axis-aligned subspaces (SAAS)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from bayeshpo.surrogates import priors
from bayeshpo.surrogates.base import Parameters
from bayeshpo.surrogates.columns import Columns
from bayeshpo.surrogates.priors import Prior, given, register
from bayeshpo.surrogates.stationary import StationaryGaussianProcess
from bayeshpo.surrogates.symbolic import pm, pt

# The shortest lengthscale, in units of the unit cube: below it the data cannot tell one from another.
SHORTEST = 0.05
# Noise above which a hyperparameter's effect counts: the median of its prior, in units of the standardised loss.
_NOISE = 0.03


@dataclass(frozen=True)
class SAASGaussianProcess(StationaryGaussianProcess):
    """f ~ GP(mean, amplitude^2 k(x / lengthscale, x' / lengthscale)),  lengthscale_j^2 = 1 / (tau lambda_j)^2 + 0.05^2.

    But for the bound of 0.05, inverse lengthscales have a horseshoe prior: they are half-Cauchy with the scale tau,
    which is half-Cauchy itself, so that most are nearly nothing and a few as large as it takes. Eriksson and Jankowiak
    (2021, section 4.1) have that prior for their squares, which leaves half as many orders of magnitude between
    lengthscales that matter and those that do not, and one scale of tau for any number of them. Inverse lengthscales
    are written as a product of independent tau and lambda, so that a small tau is no funnel for a sampler. See
    `StationaryGaussianProcess`.

    Parameters
    ----------
    tau_prior, lambda_prior
        PyMC distributions of one positive number: HalfCauchy of `scale_of_tau` for all, and HalfCauchy(1) for each
        hyperparameter.
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
            "tau": register("tau", given(self.tau_prior, pm.HalfCauchy.dist(scale_of_tau(columns.dimension)))),
            "lambda": register("lambda", given(self.lambda_prior, pm.HalfCauchy.dist(1.0)), dims="hyperparameter"),
        }

    def inputs(self, columns: Columns, p: Parameters, X: Any) -> Any:
        """x / lengthscale."""
        return columns.scaled(X, pt.sqrt(pt.sqr(1.0 / (p["tau"] * p["lambda"])) + SHORTEST**2))


def scale_of_tau(dimension: int) -> float:
    """The tau with which one hyperparameter is expected to have an effect above the noise: 0.08 / (D - 1).

    Two points of the unit cube are on average 1 / 6 apart, squared, along x_j, which takes v_j = (5/36) /
    lengthscale_j^2 of a Matern-5/2 kernel's correlation where lengthscales are long. The effective number of
    hyperparameters, sum_j v_j / (v_j + 0.03^2), has the expectation 1 for tau = 0.03 sqrt(36/5) / (D - 1) (Piironen and
    Vehtari 2017, eq. 3.12). Where there is one hyperparameter it is 1 / 2.
    """
    return _NOISE * np.sqrt(36.0 / 5.0) / max(dimension - 1, 1)
