"""Bayesian additive regression trees, infinitely many of them: all cuts and all leaves are integrated out.

The trees of a finite sum can change places, and one can explain what another did: as many modes, in spaces of trees
that have no gradient. Here they are not sampled.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from bayeshpo.surrogates import priors
from bayeshpo.surrogates.base import Parameters
from bayeshpo.surrogates.columns import Columns
from bayeshpo.surrogates.gaussian_process import GaussianProcessSurrogate
from bayeshpo.surrogates.kernels import stationary
from bayeshpo.surrogates.priors import Prior, given, register
from bayeshpo.surrogates.symbolic import pt


@dataclass(frozen=True)
class AdditiveTrees(GaussianProcessSurrogate):
    """f = mean + sum_t g_t(x),  t = 1 ... m to infinity, each tree g_t constant in its leaves, ~ N(0, amplitude^2 / m).

    The sum of trees of Chipman, George and McCulloch (2010), in the limit of infinitely many Mondrian trees (Roy and
    Teh 2009): a cell is cut across number j at the rate of its length there over lengthscale_j, anywhere alike, and its
    parts again, until a budget T ~ Exponential(1) of each tree's own is spent. Two points are in one leaf with
    probability exp(-T q), q(x, x') = sum_j |u_j(x) - u_j(x')| / lengthscale_j (Balog et al. 2016), over all budgets
    1 / (1 + q). So in the limit f is a Gaussian process of covariance amplitude^2 / (1 + q). Shallow trees are the most
    probable; they make sums of functions of few numbers each. Inputs u are those of `Columns.along` with norm 1.

    This is the limit, no sampler of trees. There is no posterior of single trees. Cuts are where the prior has them:
    they do not gather at a step that the trials show, as those of finitely many trees do, which Petrillo (2024) found
    better once tuned. And steps of infinitely many trees add up to no step: f is continuous, as rough along each number
    as a random walk, and the predictive mean has kinks at all values that were tried.

    Parameters
    ----------
    mean_prior, amplitude_prior, noise_prior
        PyMC distributions of one number, in units of the standardised loss; by default those of
        `bayeshpo.surrogates.priors`.
    lengthscale_prior
        Of one lengthscale, in units of the unit cube; lengthscales are independent. By default longer as dimensions
        are added, so that a tree is expected to cut the cube's edges 1.1 times, however many there are.

    Raises
    ------
    SpecificationError
        If a prior is no distribution of one number or has values that cannot be.
    """

    mean_prior: Prior | None = None
    amplitude_prior: Prior | None = None
    lengthscale_prior: Prior | None = None
    noise_prior: Prior | None = None
    name = "bart"

    def __post_init__(self) -> None:
        priors.check("mean_prior", self.mean_prior)
        for argument in ("amplitude_prior", "lengthscale_prior", "noise_prior"):
            priors.check(argument, getattr(self, argument), positive=True)

    def priors(self, columns: Columns) -> Parameters:
        """mean, amplitude, lengthscale (D,) and noise."""
        lengthscale = given(self.lengthscale_prior, priors.lengthscale_prior(columns.dimension, norm=1))
        return {
            "mean": register("mean", given(self.mean_prior, priors.mean_prior())),
            "amplitude": register("amplitude", given(self.amplitude_prior, priors.amplitude_prior())),
            "lengthscale": register("lengthscale", lengthscale, dims="hyperparameter"),
            "noise": register("noise", given(self.noise_prior, priors.noise_prior())),
        }

    def covariance(self, columns: Columns, p: Parameters, X: Any, X2: Any | None = None) -> Any:
        """amplitude^2 times the share of trees in which both points are in one leaf."""
        u, u2 = (None if Z is None else columns.scaled(Z, p["lengthscale"], norm=1) for Z in (X, X2))
        return stationary("leaf", pt.sqr(p["amplitude"]), u, u2)

    def variance(self, columns: Columns, p: Parameters, X: Any) -> Any:
        """amplitude^2 everywhere."""
        return pt.full((X.shape[0],), pt.sqr(p["amplitude"]))
