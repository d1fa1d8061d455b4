"""Surrogates that are Gaussian processes: a covariance is all that they have to say."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any

import numpy as np
import pymc

from bayeshpo.surrogates.base import NUGGET, Parameters, Surrogate, TrainingData
from bayeshpo.surrogates.columns import Columns
from bayeshpo.surrogates.marginal_likelihood import conditional_factors, gaussian_log_density
from bayeshpo.surrogates.symbolic import pm, pt
from bayeshpo.surrogates.training_data import lowest


class GaussianProcessSurrogate(Surrogate):
    """A surrogate whose latent function is integrated out.

    A subclass registers its priors and writes down its covariance, and its mean if that is no constant; the marginal
    likelihood y ~ N(mean(X), covariance(X) + (noise^2 + NUGGET) I) and the conditional are inherited (Rasmussen and
    Williams 2006, ch. 2).
    The prior named "noise" is the noise's standard deviation, unless `noise_variance` says otherwise.
    """

    @abstractmethod
    def priors(self, columns: Columns) -> Parameters:
        """Register the hyperparameters in the model that is open, and return them by name."""

    def mean(self, columns: Columns, p: Parameters, X: Any) -> Any:
        """Prior mean (n,) of f at X (n, D): a constant, unless it is overridden."""
        return pt.full((X.shape[0],), p["mean"])

    @abstractmethod
    def covariance(self, columns: Columns, p: Parameters, X: Any, X2: Any | None = None) -> Any:
        """Prior covariance of f: (n, n) at X (n, D), or (n, m) between X and X2 (m, D)."""

    def covariance_with_trials(self, columns: Columns, p: Parameters, data: Mapping[str, Any], Z: Any) -> Any:
        """Prior covariance (m, N) of f at Z (m, D) with what is observed."""
        return self.covariance(columns, p, Z, data["X"])

    def variance(self, columns: Columns, p: Parameters, X: Any) -> Any:
        """Diagonal (n,) of the prior covariance at X (n, D); overridden where it is cheaper."""
        return pt.diagonal(self.covariance(columns, p, X))

    def noise_variance(self, columns: Columns, p: Parameters, data: Mapping[str, Any]) -> Any:
        """Variance of the losses' noise, with the nugget: the same for all, or (n,)."""
        return pt.sqr(p["noise"]) + NUGGET

    def noise_at(self, columns: Columns, p: Parameters, state: Parameters, data: Mapping[str, Any], Z: Any) -> Any:
        """As `noise_variance` at trials there, one (m,) each."""
        return pt.zeros((Z.shape[0],)) + self.noise_variance(columns, p, {"X": Z})

    def observed(self, p: Parameters, data: Mapping[str, Any]) -> Any:
        """What the trials tell (N,), of which the losses y (n,) are the last; here they are all."""
        return data["y"]

    def moments(self, columns: Columns, p: Parameters, data: Mapping[str, Any]) -> tuple[Any, Any, Any]:
        """Of what is observed: prior mean (N,), covariance (N, N) without noise, and the noise's variance or (N,)."""
        X = data["X"]
        return self.mean(columns, p, X), self.covariance(columns, p, X), self.noise_variance(columns, p, data)

    def model(self, columns: Columns, X: np.ndarray, y: np.ndarray) -> pymc.Model:
        """The PyMC model: the data by name, the priors, and the likelihood."""
        named = self.prepared(columns, TrainingData(X, y, 0.0, 1.0, X[:0], lowest(y))).named()
        with pm.Model(coords={"hyperparameter": columns.names}) as model:
            data = {name: pm.Data(name, array) for name, array in named.items()}
            self.likelihood(columns, self.priors(columns), data)
        return model

    def likelihood(self, columns: Columns, p: Parameters, data: Mapping[str, Any]) -> None:
        """Add "outcome" to the model that is open: one observed node, the whole outcome vector."""
        mean, K, variance = self.moments(columns, p, data)
        pm.CustomDist(
            "outcome",
            mean,
            K,
            variance,
            dist=multivariate_normal,
            signature="(n),(n,n),(n)->(n)" if variance.ndim else "(n),(n,n),()->(n)",
            logp=lambda value, mean, K, variance: gaussian_log_density(K, value - mean, variance),
            observed=self.observed(p, data),
        )

    def condition(self, columns: Columns, p: Parameters, data: Mapping[str, Any]) -> dict[str, Any]:
        """Inverse Cholesky factor M (N, N), weights alpha (N,) and the jitter that was needed."""
        mean, K, variance = self.moments(columns, p, data)
        M, alpha, jitter = conditional_factors(K, self.observed(p, data) - mean, variance)
        return {"M": M, "alpha": alpha, "jitter": jitter}

    def predict(
        self, columns: Columns, p: Parameters, state: Parameters, data: Mapping[str, Any], Z: Any
    ) -> tuple[Any, Any]:
        """f(Z) | y: mean k alpha + m(Z), variance k(Z, Z) - |M k'|^2 (eqs. 2.25 and 2.26)."""
        k = self.covariance_with_trials(columns, p, data, Z)
        mean = self.mean(columns, p, Z) + k @ state["alpha"]
        variance = self.variance(columns, p, Z) - pt.sqr(state["M"] @ k.T).sum(axis=0)
        # Rounding can take the difference below zero beside a data point.
        return mean, pt.maximum(variance, 1e-12)

    def anchored(
        self, columns: Columns, p: Parameters, state: Parameters, data: Mapping[str, Any], A: Any
    ) -> dict[str, Any]:
        """M k(A)' (N, a)."""
        return {"explained": state["M"] @ self.covariance_with_trials(columns, p, data, A).T}

    def covariance_with_anchors(
        self, columns: Columns, p: Parameters, state: Parameters, data: Mapping[str, Any], A: Any, Z: Any
    ) -> Any:
        """k(Z, A) - (M k(Z)')' M k(A)' (eq. 2.24)."""
        k = self.covariance_with_trials(columns, p, data, Z)
        return self.covariance(columns, p, Z, A) - (state["M"] @ k.T).T @ state["explained"]

    def fitted(self, columns: Columns, p: Parameters, state: Parameters, data: Mapping[str, Any]) -> Any:
        """y less what alpha leaves to the noise: (K + s^2 I) alpha = y - m, so that m + K alpha = y - s^2 alpha."""
        # Of what is told the losses come last.
        y, alpha = (told[told.shape[0] - data["y"].shape[0] :] for told in (self.observed(p, data), state["alpha"]))
        return y - (self.noise_variance(columns, p, data) + state["jitter"]) * alpha

    def leave_one_out(self, columns: Columns, p: Parameters, state: Parameters, data: Mapping[str, Any]) -> Any:
        """N(y_i | y_i - alpha_i / c_i, 1 / c_i), c the diagonal of K^-1 = M'M (Rasmussen and Williams 2006, eq. 5.12).

        What is observed beside the losses stays among the others.
        """
        losses = slice(state["alpha"].shape[0] - data["y"].shape[0], None)
        alpha, c = state["alpha"][losses], pt.sqr(state["M"]).sum(axis=0)[losses]
        return 0.5 * (pt.log(c / (2.0 * np.pi)) - pt.sqr(alpha) / c)


def multivariate_normal(mean: Any, K: Any, variance: Any, size: Any) -> Any:
    """The distribution N(mean, K + variance I) behind an outcome whose log density is another expression.

    The variance is one number, or one (n,) for each outcome.
    """
    return pm.MvNormal.dist(mean, cov=K + variance * pt.eye(mean.shape[0]), size=size)
