"""A Gaussian process for many trials: inducing points and the variational bound on its marginal likelihood."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pymc

from bayeshpo.errors import SpecificationError
from bayeshpo.surrogates.base import Parameters, Surrogate, TrainingData
from bayeshpo.surrogates.columns import Columns
from bayeshpo.surrogates.gaussian_process import GaussianProcessSurrogate, multivariate_normal
from bayeshpo.surrogates.gp import GaussianProcess
from bayeshpo.surrogates.inducing_bound import inducing_bound, inducing_conditional
from bayeshpo.surrogates.inducing_points import AverageCovariance, greedy_choice, still_good, weights
from bayeshpo.surrogates.symbolic import pm, pt

# Variance of u about f at the inducing points, as a share of f's: the bound stays a bound, and K_uu factorisable.
_JITTER = 1e-10


@dataclass(frozen=True)
class SparseGaussianProcess(Surrogate):
    """A Gaussian process' model with its marginal likelihood replaced by the bound of Titsias (2009).

    Priors, mean and covariance are those of the exact model, so a posterior of the one can be carried on under the
    other. With no more trials than inducing points the two are the same.

    Parameters
    ----------
    inducing
        Number of inducing points at most; a density costs n M^2. They are trials, chosen greedily by conditional
        variance under the posterior before, good ones first, and kept while a fresh choice would hardly explain more.
    exact
        The model itself; its noise is the same everywhere.
    """

    inducing: int = 64
    exact: GaussianProcessSurrogate = field(default_factory=GaussianProcess)
    name = "sparse"

    def __post_init__(self) -> None:
        if self.inducing < 1:
            raise ValueError(f"expected inducing >= 1, got {self.inducing}")
        if not isinstance(self.exact, GaussianProcessSurrogate):
            raise SpecificationError(
                f"surrogate 'sparse': expected the exact model as an object, SAASGaussianProcess(), got {self.exact!r}"
            )
        inherited = ("arrays", "observed", "condition")
        if any(getattr(type(self.exact), name) is not getattr(GaussianProcessSurrogate, name) for name in inherited):
            raise SpecificationError(
                "surrogate 'sparse': expected an exact model that inherits its conditional from "
                f"GaussianProcessSurrogate, got '{self.exact.name}', which has its own; use it without 'sparse'"
            )

    def check(self, columns: Columns) -> None:
        """Refuse what the exact model refuses."""
        self.exact.check(columns)

    def prepared(
        self,
        columns: Columns,
        data: TrainingData,
        draws: Mapping[str, np.ndarray] | None = None,
        before: TrainingData | None = None,
    ) -> TrainingData:
        """The data with "inducing" (M, D): those of the data before, if they are still good, or chosen anew."""
        covariance = AverageCovariance(self.exact, columns, draws)
        weight = weights(data.y)
        chosen, left = greedy_choice(covariance, data.X, weight, self.inducing)
        if before is not None and len(before.arrays["inducing"]) >= len(chosen):
            inducing = before.arrays["inducing"]
            if still_good(covariance, data.X, weight, inducing, left):
                return replace(data, arrays={"inducing": inducing})
        return replace(data, arrays={"inducing": data.X[np.sort(chosen)]})

    def model(self, columns: Columns, X: np.ndarray, y: np.ndarray) -> pymc.Model:
        """The PyMC model; draws of the outcome are those of the exact model, its log density is the bound."""
        arrays = self.prepared(columns, TrainingData.none(columns.dimension).extended(X, y)).arrays
        with pm.Model(coords={"hyperparameter": columns.names}) as model:
            X_data, y_data, U = pm.Data("X", X), pm.Data("y", y), pm.Data("inducing", arrays["inducing"])
            p = self.exact.priors(columns)
            Kuu, Kuf, variance = self._covariances(columns, p, X_data, U)
            pm.CustomDist(
                "outcome",
                self.exact.mean(columns, p, X_data),
                self.exact.covariance(columns, p, X_data),
                Kuu,
                Kuf,
                self.exact.variance(columns, p, X_data).sum(),
                variance,
                dist=lambda mean, K, *rest: multivariate_normal(mean, K, *rest[-2:]),
                signature="(n),(n,n),(m,m),(m,n),(),()->(n)",
                logp=lambda value, mean, _, Kuu, Kuf, total, s2: inducing_bound(Kuu, Kuf, total, value - mean, s2),
                observed=y_data,
            )
        return model

    def condition(self, columns: Columns, p: Parameters, data: Mapping[str, Any]) -> dict[str, Any]:
        """The best q(u): factor M (M, M), weights alpha (M,) and the jitter that was needed."""
        Kuu, Kuf, variance = self._covariances(columns, p, data["X"], data["inducing"])
        residual = data["y"] - self.exact.mean(columns, p, data["X"])
        M, alpha, jitter = inducing_conditional(Kuu, Kuf, residual, variance)
        return {"M": M, "alpha": alpha, "jitter": jitter}

    def predict(
        self, columns: Columns, p: Parameters, state: Parameters, data: Mapping[str, Any], Z: Any
    ) -> tuple[Any, Any]:
        """The exact model's formula, with inducing points in place of the trials (Titsias 2009, eq. 6)."""
        return self.exact.predict(columns, p, state, {"X": data["inducing"]}, Z)

    def anchored(
        self, columns: Columns, p: Parameters, state: Parameters, data: Mapping[str, Any], A: Any
    ) -> dict[str, Any]:
        """The exact model's, with inducing points in place of the trials."""
        return self.exact.anchored(columns, p, state, {"X": data["inducing"]}, A)

    def covariance_with_anchors(
        self, columns: Columns, p: Parameters, state: Parameters, data: Mapping[str, Any], A: Any, Z: Any
    ) -> Any:
        """The exact model's, with inducing points in place of the trials."""
        return self.exact.covariance_with_anchors(columns, p, state, {"X": data["inducing"]}, A, Z)

    def noise_at(self, columns: Columns, p: Parameters, state: Parameters, data: Mapping[str, Any], Z: Any) -> Any:
        """The exact model's."""
        return self.exact.noise_at(columns, p, state, data, Z)

    def _covariances(self, columns: Columns, p: Parameters, X: Any, U: Any) -> tuple[Any, Any, Any]:
        """K_uu (M, M), K_uf (M, n) and the variance of the noise."""
        variance = self.exact.noise_variance(columns, p, {"X": X})
        if variance.ndim:
            raise SpecificationError(
                f"surrogate 'sparse': expected an exact model whose noise is the same everywhere, got "
                f"'{self.exact.name}', whose noise varies; use it without 'sparse'"
            )
        jitter = _JITTER * self.exact.variance(columns, p, U)
        Kuu = self.exact.covariance(columns, p, U) + pt.diag(jitter)
        return Kuu, self.exact.covariance(columns, p, U, X), variance
