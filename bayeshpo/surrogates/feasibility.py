"""Which configurations finish: a Gaussian process seen through the trials that did and those that failed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from bayeshpo.surrogates import priors
from bayeshpo.surrogates.base import Parameters, TrainingData
from bayeshpo.surrogates.bernoulli_likelihood import bernoulli_factors, bernoulli_log_density
from bayeshpo.surrogates.columns import Columns
from bayeshpo.surrogates.gaussian_process import GaussianProcessSurrogate
from bayeshpo.surrogates.kernels import stationary
from bayeshpo.surrogates.priors import register
from bayeshpo.surrogates.symbolic import pm, pt

_KERNEL = "matern52"


@dataclass(frozen=True)
class FeasibilityProcess(GaussianProcessSurrogate):
    """P(x finishes) = Phi(g(x)),  g ~ GP(amplitude level, amplitude^2 k(x / lengthscale, x' / lengthscale)).

    The outcomes y are 1 where a trial finished and -1 where it failed. g is integrated out by expectation propagation
    (`bernoulli_likelihood`). The amplitude's prior, LogNormal(1.5, 0.7), has most places nearly sure to finish or to
    fail, as memory and divergence decide it; with level ~ Normal(0.7, 0.7) seven in ten finish.
    """

    name = "feasibility"

    def priors(self, columns: Columns) -> Parameters:
        """level, amplitude and lengthscale (D,)."""
        lengthscale = priors.lengthscale_prior(columns.dimension)
        return {
            "level": register("level", pm.Normal.dist(0.7, 0.7)),
            "amplitude": register("amplitude", pm.LogNormal.dist(1.5, 0.7)),
            "lengthscale": register("lengthscale", lengthscale, dims="hyperparameter"),
        }

    def mean(self, columns: Columns, p: Parameters, X: Any) -> Any:
        """amplitude level everywhere."""
        return pt.full((X.shape[0],), p["amplitude"] * p["level"])

    def covariance(self, columns: Columns, p: Parameters, X: Any, X2: Any | None = None) -> Any:
        """amplitude^2 k."""
        scaled = [columns.scaled(A, p["lengthscale"]) for A in (X, X2) if A is not None]
        return stationary(_KERNEL, pt.sqr(p["amplitude"]), *scaled)

    def variance(self, columns: Columns, p: Parameters, X: Any) -> Any:
        """amplitude^2 everywhere."""
        return pt.full((X.shape[0],), pt.sqr(p["amplitude"]))

    def likelihood(self, columns: Columns, p: Parameters, data: Mapping[str, Any]) -> None:
        """A draw of the outcome is the sign of g with a standard normal variable added."""
        pm.CustomDist(
            "outcome",
            self.mean(columns, p, data["X"]),
            self.covariance(columns, p, data["X"]),
            dist=_signs,
            signature="(n),(n,n)->(n)",
            logp=lambda z, mean, K: bernoulli_log_density(K, mean, z),
            observed=data["y"],
        )

    def condition(self, columns: Columns, p: Parameters, data: Mapping[str, Any]) -> dict[str, Any]:
        """M (n, n) and alpha (n,) of the approximate posterior of g."""
        X = data["X"]
        M, alpha = bernoulli_factors(self.covariance(columns, p, X), self.mean(columns, p, X), data["y"])
        return {"M": M, "alpha": alpha}

    def fitted(self, columns: Columns, p: Parameters, state: Parameters, data: Mapping[str, Any]) -> Any:
        """Mean of g."""
        return self.mean(columns, p, data["X"]) + self.covariance(columns, p, data["X"]) @ state["alpha"]


def statuses(data: TrainingData) -> TrainingData:
    """Which trials finished, as the data of a `FeasibilityProcess`: 1 for those with a loss, -1 for failed ones.

    A training that was stopped is neither: it did not fail, and nobody knows that it would have come to its end.
    """
    X = np.concatenate([data.X, data.failed])
    y = np.repeat([1.0, -1.0], [len(data.X), len(data.failed)])
    return TrainingData(X, y, 0.0, 1.0, data.failed[:0])


def _signs(mean: Any, K: Any, size: Any) -> Any:
    g = pm.MvNormal.dist(mean, cov=K + pt.eye(mean.shape[0]), size=size)
    return pt.switch(pt.ge(g, 0.0), 1.0, -1.0)
