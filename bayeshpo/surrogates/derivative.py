"""Gaussian process that is told gradients beside losses."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from bayeshpo.errors import SpecificationError
from bayeshpo.surrogates import priors, slope_kernels
from bayeshpo.surrogates.base import NUGGET, Parameters, TrainingData
from bayeshpo.surrogates.columns import Columns
from bayeshpo.surrogates.gp import GaussianProcess
from bayeshpo.surrogates.gradient_gate import gradients_agree
from bayeshpo.surrogates.priors import Prior, given, register
from bayeshpo.surrogates.slope_kernels import slopes
from bayeshpo.surrogates.symbolic import pm, pt


@dataclass(frozen=True)
class DerivativeGaussianProcess(GaussianProcess):
    """The model of `gp` with slopes g = df/dx_j + slope_noise e,  e ~ N(0, 1), beside the losses.

    Losses and slopes are jointly normal: derivatives of a Gaussian process are Gaussian processes (Solak, Murray-Smith,
    Leithead, Leith and Rasmussen 2003). There is a slope where a trial brought one, along continuous hyperparameters
    that are active there; between integers, and between choices, nothing has a slope. Without slopes it is `gp`.
    Whether slopes agree with the losses is looked at before every fit, and where they do not all are left out
    (`bayeshpo.surrogates.gradient_gate`). A density costs the cube of the number of losses and slopes together.

    Parameters
    ----------
    slope_noise_prior
        PyMC distribution of one number, the standard deviation of a slope's error in units of the standardised loss
        across the unit cube. By default LogNormal(-3, 2), 95 % between 0.001 and 2.5: exact gradients, and those of
        truncated inner problems or of finite differences. See `GaussianProcess` for the others; the kernel must have
        slopes, which "matern12" has not.
    """

    slope_noise_prior: Prior | None = None
    name = "derivative"
    uses_gradients = True

    def __post_init__(self) -> None:
        super().__post_init__()
        priors.check("slope_noise_prior", self.slope_noise_prior, positive=True)
        if self.kernel not in slope_kernels.KERNELS:
            raise SpecificationError(
                f"surrogate 'derivative': expected a kernel with slopes, {list(slope_kernels.KERNELS)}, got "
                f"'{self.kernel}'; use 'gp' with it"
            )

    def arrays(self, columns: Columns, data: TrainingData) -> Mapping[str, np.ndarray]:
        """Of the slopes: "slopes" (k,), their points "slope_X" (k, D) and directions "slope_along" (k, D)."""
        told = np.empty(0, int), np.empty(0, int)
        if data.slopes is not None:
            told = np.nonzero(np.isfinite(data.slopes))
        known = np.empty(0) if data.slopes is None else data.slopes[told]
        arrays = {"slopes": known, "slope_X": data.X[told[0]], "slope_along": np.eye(columns.dimension)[told[1]]}
        if len(known) and not gradients_agree(self, columns, replace(data, arrays=arrays)):
            return {name: array[:0] for name, array in arrays.items()}
        return arrays

    def simulated(
        self,
        columns: Columns,
        p: Mapping[str, np.ndarray],
        blank: TrainingData,
        outcome: np.ndarray,
        rng: np.random.Generator,
    ) -> TrainingData:
        """Slopes wherever there are some, and losses, which come after them."""
        if blank.slopes is None:
            return replace(blank, y=outcome)
        slopes, n = blank.slopes.copy(), len(blank.y)
        slopes[np.isfinite(slopes)] = outcome[: len(outcome) - n]
        return replace(blank, y=outcome[len(outcome) - n :], slopes=slopes)

    def remarks(self, data: TrainingData) -> dict[str, Any]:
        """How many slopes the fit has seen, and whether the gate was shut before others."""
        used = len(data.arrays["slopes"])
        return {"slopes": used, "gate_shut": data.slopes is not None and used == 0}

    def priors(self, columns: Columns) -> Parameters:
        """Those of `gp`, and slope_noise."""
        slope_noise = given(self.slope_noise_prior, pm.LogNormal.dist(-3.0, 2.0))
        return {**super().priors(columns), "slope_noise": register("slope_noise", slope_noise)}

    def observed(self, p: Parameters, data: Mapping[str, Any]) -> Any:
        """Slopes and losses (k + n,)."""
        return pt.concatenate([data["slopes"], data["y"]])

    def moments(self, columns: Columns, p: Parameters, data: Mapping[str, Any]) -> tuple[Any, Any, Any]:
        """Mean (k + n,), covariance (k + n, k + n) and variances of the noise (k + n,) of slopes and losses."""
        mean, K, variance = super().moments(columns, p, data)
        of_slopes = slopes(self.kernel, pt.sqr(p["amplitude"]), *self._slope_inputs(columns, p, data))
        between = self._slopes_with(columns, p, data, data["X"])
        flat = pt.zeros_like(data["slopes"])
        return (
            pt.concatenate([flat, mean]),
            pt.concatenate([pt.concatenate([of_slopes, between], axis=1), pt.concatenate([between.T, K], axis=1)]),
            pt.concatenate([flat + pt.sqr(p["slope_noise"]) + NUGGET, pt.full_like(mean, variance)]),
        )

    def covariance_with_trials(self, columns: Columns, p: Parameters, data: Mapping[str, Any], Z: Any) -> Any:
        """Prior covariance of f at Z (m, D) with the slopes and with f at the trials (m, k + n)."""
        with_f = super().covariance_with_trials(columns, p, data, Z)
        return pt.concatenate([self._slopes_with(columns, p, data, Z).T, with_f], axis=1)

    def _slopes_with(self, columns: Columns, p: Parameters, data: Mapping[str, Any], X: Any) -> Any:
        """Covariance (k, n) of the slopes with f at X (n, D)."""
        at, along = self._slope_inputs(columns, p, data)
        return slopes(self.kernel, pt.sqr(p["amplitude"]), at, along, self.inputs(columns, p, X))

    def _slope_inputs(self, columns: Columns, p: Parameters, data: Mapping[str, Any]) -> tuple[Any, Any]:
        """Where the slopes are and along what, in the kernel's coordinates (k, E) each."""
        X, along = data["slope_X"], data["slope_along"]
        return self.inputs(columns, p, X), columns.scaled_slopes(X, along, p["lengthscale"])
