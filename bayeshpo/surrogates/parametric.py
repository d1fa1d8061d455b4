"""Surrogates whose latent function is an expression of their hyperparameters: known, once these are."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any

import numpy as np
import pymc

from bayeshpo.surrogates.base import NUGGET, Parameters, Surrogate
from bayeshpo.surrogates.columns import Columns
from bayeshpo.surrogates.outcome import drawn, observed_at
from bayeshpo.surrogates.symbolic import pm, pt


class ParametricSurrogate(Surrogate):
    """A surrogate whose f at X follows from its hyperparameters.

    A subclass registers its priors and writes down its latent function; y ~ N(f(X), noise^2 + NUGGET) is inherited,
    with the prior named "noise", and can be overridden.
    """

    determined = True

    @abstractmethod
    def priors(self, columns: Columns) -> Parameters:
        """Register the hyperparameters in the model that is open, and return them by name."""

    @abstractmethod
    def latent(self, columns: Columns, p: Parameters, X: Any) -> Any:
        """The latent function f (n,) at X (n, D)."""

    def likelihood(self, p: Parameters, f: Any, y: Any) -> None:
        """Observe the outcomes y (n,) of the latent values f (n,)."""
        # The nugget: a noise of nothing would make outcomes that fit exactly infinitely likely.
        pm.Normal("outcome", f, pt.sqrt(pt.sqr(p["noise"]) + NUGGET), observed=y)

    def model(self, columns: Columns, X: np.ndarray, y: np.ndarray) -> pymc.Model:
        """The PyMC model, with "f" (n,) as a deterministic."""
        with pm.Model(coords={"hyperparameter": columns.names}) as model:
            X_data, y_data = pm.Data("X", X), pm.Data("y", y)
            p = self.priors(columns)
            f = pm.Deterministic("f", self.latent(columns, p, X_data))
            self.likelihood(p, f, y_data)
        return model

    def condition(self, columns: Columns, p: Parameters, data: Mapping[str, Any]) -> dict[str, Any]:
        """Nothing: the hyperparameters say all."""
        return {}

    def predict(
        self, columns: Columns, p: Parameters, state: Parameters, data: Mapping[str, Any], Z: Any
    ) -> tuple[Any, Any]:
        """f(Z), and the nugget for a variance, so that an improvement has a gradient where there is none yet."""
        return known(self.latent(columns, p, Z))

    def outcome_at(
        self, columns: Columns, p: Parameters, state: Parameters, data: Mapping[str, Any], Z: Any, y: Any
    ) -> tuple[Any, Any] | None:
        """Of the likelihood, where it is another than the normal one."""
        if self._is_normal:
            return None
        return observed_at(self.name, self._template(columns), p, Z, y)

    def outcomes(
        self,
        columns: Columns,
        p: Mapping[str, np.ndarray],
        data: Mapping[str, np.ndarray],
        X: np.ndarray,
        f: np.ndarray,
        noise: np.ndarray | None,
        rng: np.random.Generator,
    ) -> np.ndarray:
        """Of the likelihood, where it is another than the normal one."""
        if self._is_normal:
            return super().outcomes(columns, p, data, X, f, noise, rng)
        return drawn(self.name, self._template(columns), p, X, rng)

    @property
    def _is_normal(self) -> bool:
        own = type(self)
        return own.likelihood is ParametricSurrogate.likelihood and own.model is ParametricSurrogate.model

    def _template(self, columns: Columns) -> pymc.Model:
        return self.model(columns, np.full((2, columns.dimension), 0.5), np.zeros(2))


def known(f: Any) -> tuple[Any, Any]:
    """Mean and variance of a latent function f (m,) that the hyperparameters determine."""
    return f, pt.full_like(f, NUGGET)
