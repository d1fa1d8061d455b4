"""Gaussian process of losses whose scale is learnt: a cubic outcome warping."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from bayeshpo.surrogates import priors
from bayeshpo.surrogates.base import Parameters, Surrogate, TrainingData
from bayeshpo.surrogates.columns import Columns
from bayeshpo.surrogates.cubic_map import CubicMap
from bayeshpo.surrogates.gaussian_process import multivariate_normal
from bayeshpo.surrogates.gp import GaussianProcess
from bayeshpo.surrogates.marginal_likelihood import gaussian_log_density
from bayeshpo.surrogates.outcome import mixture_of_normals
from bayeshpo.surrogates.priors import Prior, given, register
from bayeshpo.surrogates.symbolic import pm, pt


@dataclass(frozen=True)
class WarpedOutcomeGaussianProcess(GaussianProcess):
    """y = w(h(x) + noise e),  f(x) = w(h(x)),  w a cubic (`CubicMap`),  h as `gp`'s f.

    Around the lowest observed loss y is told apart 1 + bend times as finely as h, and far from it like the cube of h:
    for losses of which the good ones lie close together and the bad ones anywhere. w leaves 0, the mean of the losses,
    where it is; with bend at 0 all of this is `gp`. A warped Gaussian process (Snelson, Rasmussen and Ghahramani 2004)
    with a map of which the inverse and the moments have closed forms. See `GaussianProcess`; mean, lengthscales,
    amplitude and noise are those of h. As w rises, h is lowest where f is, and acquisitions are about h, which is
    normal.

    Parameters
    ----------
    bend_prior
        PyMC distribution of one positive number, by default LogNormal(-0.5, 1.5).
    """

    bend_prior: Prior | None = None
    name = "warped_outcome"

    def __post_init__(self) -> None:
        super().__post_init__()
        priors.check("bend_prior", self.bend_prior, positive=True)

    def priors(self, columns: Columns) -> Parameters:
        """Those of `gp`, and bend."""
        return {
            **super().priors(columns),
            "bend": register("bend", given(self.bend_prior, pm.LogNormal.dist(-0.5, 1.5))),
        }

    def arrays(self, columns: Columns, data: TrainingData) -> Mapping[str, np.ndarray]:
        """ "lowest" (1,), where the map is finest: known before the losses are, as location and scale are."""
        return {"lowest": np.array([data.lowest])}

    def likelihood(self, columns: Columns, p: Parameters, data: Mapping[str, Any]) -> None:
        """The density of y is that of h with what w stretches it by."""
        mean, K, variance = self.moments(columns, p, data)
        pm.CustomDist(
            "outcome",
            mean,
            K,
            variance,
            data["lowest"][0],
            p["bend"],
            dist=lambda mean, K, variance, lowest, bend, size: CubicMap(lowest, bend)(
                multivariate_normal(mean, K, variance, size)
            ),
            signature="(n),(n,n),(),(),()->(n)",
            logp=_log_density,
            observed=data["y"],
        )

    def observed(self, p: Parameters, data: Mapping[str, Any]) -> Any:
        """h with its noise (n,), of which the conditional is `gp`'s."""
        return _map(p, data).inverse(data["y"])

    def predict(
        self, columns: Columns, p: Parameters, state: Parameters, data: Mapping[str, Any], Z: Any
    ) -> tuple[Any, Any]:
        """Mean and variance of w(h)."""
        return _map(p, data).moments(*super().predict(columns, p, state, data, Z))

    def anchored(
        self, columns: Columns, p: Parameters, state: Parameters, data: Mapping[str, Any], A: Any
    ) -> dict[str, Any]:
        """Those of h, and the mean derivatives (3, a) of w there."""
        kept = super().anchored(columns, p, state, data, A)
        return kept | {"of_anchors": _map(p, data).mean_derivatives(*super().predict(columns, p, state, data, A))}

    def covariance_with_anchors(
        self, columns: Columns, p: Parameters, state: Parameters, data: Mapping[str, Any], A: Any, Z: Any
    ) -> Any:
        """With c that of h: sum_k E[w^(k)(h)] E[w^(k)(h')] c^k / k!, of which a cubic has three terms."""
        c = super().covariance_with_anchors(columns, p, state, data, A, Z)
        at = _map(p, data).mean_derivatives(*super().predict(columns, p, state, data, Z))
        terms = at[:, :, None] * state["of_anchors"][:, None, :]
        return c * (terms[0] + c * (terms[1] / 2.0 + c * terms[2] / 6.0))

    def noise_at(self, columns: Columns, p: Parameters, state: Parameters, data: Mapping[str, Any], Z: Any) -> Any:
        """That of h, stretched by the square of w's mean slope."""
        slope = _map(p, data).mean_derivatives(*super().predict(columns, p, state, data, Z))[0]
        return super().noise_at(columns, p, state, data, Z) * pt.sqr(slope)

    def outcome_at(
        self, columns: Columns, p: Parameters, state: Parameters, data: Mapping[str, Any], Z: Any, y: Any
    ) -> tuple[Any, Any]:
        """Of h with its noise, a normal, where w takes it to y; the density stretched by w."""
        w, (mean, variance) = _map(p, data), self.normal.predict(columns, p, state, data, Z)
        variance, h = variance + self.noise_variance(columns, p, {"X": Z}), w.inverse(y)
        log_density, below = mixture_of_normals(h, mean, variance[:, None], pt.zeros(1))
        return log_density - w.log_slope(h), below

    @property
    def normal(self) -> Surrogate:
        """That of h."""
        return _OfH(**{f.name: getattr(self, f.name) for f in fields(self)})

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
        """w(h + noise e)."""
        return self.of_normal(p, data, super().outcomes(columns, p, data, X, f, noise, rng))

    def of_normal(self, p: Mapping[str, np.ndarray], data: Mapping[str, np.ndarray], h: np.ndarray) -> np.ndarray:
        """w(h)."""
        return CubicMap(data["lowest"], p["bend"].reshape(-1, *[1] * (h.ndim - 1)), np)(h)

    def fitted(self, columns: Columns, p: Parameters, state: Parameters, data: Mapping[str, Any]) -> Any:
        """As predicted: the mean of w(h) needs the variance of h too."""
        return self.predict(columns, p, state, data, data["X"])[0]

    def leave_one_out(self, columns: Columns, p: Parameters, state: Parameters, data: Mapping[str, Any]) -> Any:
        """That of h_i, stretched by w."""
        return super().leave_one_out(columns, p, state, data) - _map(p, data).log_slope(self.observed(p, data))


@dataclass(frozen=True)
class _OfH(WarpedOutcomeGaussianProcess):
    """The same with h for f: what is predicted is as of `gp`."""

    predict = GaussianProcess.predict
    anchored = GaussianProcess.anchored
    covariance_with_anchors = GaussianProcess.covariance_with_anchors
    noise_at = GaussianProcess.noise_at
    fitted = GaussianProcess.fitted

    @property
    def normal(self) -> Surrogate:
        """Itself."""
        return self


def _map(p: Parameters, data: Mapping[str, Any]) -> CubicMap:
    return CubicMap(data["lowest"][0], p["bend"])


def _log_density(y: Any, mean: Any, K: Any, variance: Any, lowest: Any, bend: Any) -> Any:
    """log N(h | mean, K + variance I) - sum log w'(h)."""
    w = CubicMap(lowest, bend)
    h = w.inverse(y)
    return gaussian_log_density(K, h - mean, variance) - w.log_slope(h).sum()
