"""Gaussian process of losses whose scale is learnt: a cubic outcome warping."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import pymc

from bayeshpo.surrogates import priors
from bayeshpo.surrogates.base import Parameters, Surrogate, multivariate_normal
from bayeshpo.surrogates.columns import Columns
from bayeshpo.surrogates.gp import GaussianProcess
from bayeshpo.surrogates.marginal_likelihood import gaussian_log_density
from bayeshpo.surrogates.outcome import mixture_of_normals
from bayeshpo.surrogates.priors import Prior, given, register
from bayeshpo.surrogates.symbolic import pm, pt


@dataclass(frozen=True)
class WarpedOutcomeGaussianProcess(GaussianProcess):
    """y = w(h(x) + noise e),  f(x) = w(h(x)),  w(h) = centre + (h + bend h^3) / (1 + bend),  h as `gp`'s f.

    Around the centre y is told apart 1 + bend times as finely as h, and far from it like the cube of h: for losses of
    which the good ones lie close together and the bad ones anywhere. w leaves centre - 1 and centre + 1 where they are
    for h = -1 and 1; with bend at 0 it is a shift, and all of this `gp`. A warped Gaussian process (Snelson, Rasmussen
    and Ghahramani 2004) with a map of which the inverse and the moments have closed forms. See `GaussianProcess`;
    lengthscales, amplitude and noise are those of h.

    Parameters
    ----------
    centre_prior
        PyMC distribution of one number, in units of the standardised loss; by default Normal(-0.5, 0.5), among the
        better trials.
    bend_prior
        PyMC distribution of one positive number, by default LogNormal(-1, 2).
    """

    centre_prior: Prior | None = None
    bend_prior: Prior | None = None
    name = "warped_outcome"

    def __post_init__(self) -> None:
        super().__post_init__()
        priors.check("centre_prior", self.centre_prior)
        priors.check("bend_prior", self.bend_prior, positive=True)

    def priors(self, columns: Columns) -> Parameters:
        """Those of `gp`, centre and bend."""
        return {
            **super().priors(columns),
            "centre": register("centre", given(self.centre_prior, pm.Normal.dist(-0.5, 0.5))),
            "bend": register("bend", given(self.bend_prior, pm.LogNormal.dist(-1.0, 2.0))),
        }

    def model(self, columns: Columns, X: np.ndarray, y: np.ndarray) -> pymc.Model:
        """The PyMC model; the density of y is that of h with what w stretches it by."""
        with pm.Model(coords={"hyperparameter": columns.names}) as model:
            data = {"X": pm.Data("X", X), "y": pm.Data("y", y)}
            p = self.priors(columns)
            mean, K, variance = self.moments(columns, p, data)
            pm.CustomDist(
                "outcome",
                mean,
                K,
                variance,
                p["centre"],
                p["bend"],
                dist=lambda mean, K, variance, centre, bend, size: _warped(
                    multivariate_normal(mean, K, variance, size), centre, bend
                ),
                signature="(n),(n,n),(),(),()->(n)",
                logp=lambda y, mean, K, variance, centre, bend: _log_density(y, mean, K, variance, centre, bend),
                observed=data["y"],
            )
        return model

    def observed(self, p: Parameters, data: Mapping[str, Any]) -> Any:
        """h with its noise (n,), of which the conditional is `gp`'s."""
        return _unwarped(data["y"], p["centre"], p["bend"])

    def predict(
        self, columns: Columns, p: Parameters, state: Parameters, data: Mapping[str, Any], Z: Any
    ) -> tuple[Any, Any]:
        """Mean and variance of w(h), for normal h of mean m and variance s.

        E h^3 = m^3 + 3 m s, Var h^3 = 9 m^4 s + 36 m^2 s^2 + 15 s^3 and Cov(h, h^3) = 3 m^2 s + 3 s^2.
        """
        m, s = super().predict(columns, p, state, data, Z)
        bend, m2 = p["bend"], pt.sqr(m)
        mean = p["centre"] + m * (1.0 + bend * (m2 + 3.0 * s)) / (1.0 + bend)
        of_cube = 9.0 * pt.sqr(m2) + 36.0 * m2 * s + 15.0 * pt.sqr(s)
        return mean, s * (1.0 + 6.0 * bend * (m2 + s) + pt.sqr(bend) * of_cube) / pt.sqr(1.0 + bend)

    def anchored(
        self, columns: Columns, p: Parameters, state: Parameters, data: Mapping[str, Any], A: Any
    ) -> dict[str, Any]:
        """Those of h, and the mean derivatives (3, a) of w there."""
        kept = super().anchored(columns, p, state, data, A)
        return kept | {"of_anchors": _mean_derivatives(*super().predict(columns, p, state, data, A), p["bend"])}

    def covariance_with_anchors(
        self, columns: Columns, p: Parameters, state: Parameters, data: Mapping[str, Any], A: Any, Z: Any
    ) -> Any:
        """With c that of h: sum_k E[w^(k)(h)] E[w^(k)(h')] c^k / k!, of which a cubic has three terms."""
        c = super().covariance_with_anchors(columns, p, state, data, A, Z)
        at = _mean_derivatives(*super().predict(columns, p, state, data, Z), p["bend"])
        terms = at[:, :, None] * state["of_anchors"][:, None, :]
        return c * (terms[0] + c * (terms[1] / 2.0 + c * terms[2] / 6.0))

    def noise_at(self, columns: Columns, p: Parameters, state: Parameters, data: Mapping[str, Any], Z: Any) -> Any:
        """That of h, stretched by the square of w's mean slope."""
        slope = _mean_derivatives(*super().predict(columns, p, state, data, Z), p["bend"])[0]
        return super().noise_at(columns, p, state, data, Z) * pt.sqr(slope)

    def outcome_at(
        self, columns: Columns, p: Parameters, state: Parameters, data: Mapping[str, Any], Z: Any, y: Any
    ) -> tuple[Any, Any]:
        """Of h with its noise, a normal, where w takes it to y; the density stretched by w."""
        h, (mean, variance) = self.observed(p, {"y": y}), self.normal.predict(columns, p, state, data, Z)
        variance = variance + self.noise_variance(columns, p, {"X": Z})
        log_density, below = mixture_of_normals(h, mean, variance[:, None], pt.zeros(1))
        return log_density - _log_slope(h, p["bend"]), below

    @property
    def normal(self) -> Surrogate:
        """That of h."""
        return _OfH(**{f.name: getattr(self, f.name) for f in fields(self)})

    def outcomes(
        self,
        columns: Columns,
        p: Mapping[str, np.ndarray],
        X: np.ndarray,
        f: np.ndarray,
        noise: np.ndarray | None,
        rng: np.random.Generator,
    ) -> np.ndarray:
        """w(h + noise e)."""
        h = super().outcomes(columns, p, X, f, noise, rng)
        return _warped(h, p["centre"][:, None], p["bend"][:, None])

    def fitted(self, columns: Columns, p: Parameters, state: Parameters, data: Mapping[str, Any]) -> Any:
        """As predicted: the mean of w(h) needs the variance of h too."""
        return self.predict(columns, p, state, data, data["X"])[0]

    def leave_one_out(self, columns: Columns, p: Parameters, state: Parameters, data: Mapping[str, Any]) -> Any:
        """That of h_i, stretched by w."""
        return super().leave_one_out(columns, p, state, data) - _log_slope(self.observed(p, data), p["bend"])


@dataclass(frozen=True)
class _OfH(WarpedOutcomeGaussianProcess):
    """The same with h for f: what is predicted is as of `gp`."""

    predict = GaussianProcess.predict
    anchored = GaussianProcess.anchored
    covariance_with_anchors = GaussianProcess.covariance_with_anchors
    noise_at = GaussianProcess.noise_at
    fitted = GaussianProcess.fitted


def _warped(h: Any, centre: Any, bend: Any) -> Any:
    """w(h)."""
    return centre + (h + bend * h**3) / (1.0 + bend)


def _unwarped(y: Any, centre: Any, bend: Any) -> Any:
    """h with w(h) = y: the real root of the cubic, by hyperbolic functions."""
    root = pt.sqrt(3.0 * bend)
    return 2.0 / root * pt.sinh(pt.arcsinh(1.5 * root * (1.0 + bend) * (y - centre)) / 3.0)


def _mean_derivatives(m: Any, s: Any, bend: Any) -> Any:
    """Means (3, m) of the three derivatives of w at normal h of means m and variances s (m,)."""
    third = 6.0 * bend * pt.ones_like(m)
    return pt.stack([1.0 + 3.0 * bend * (pt.sqr(m) + s), third * m, third]) / (1.0 + bend)


def _log_slope(h: Any, bend: Any) -> Any:
    """log w'(h)."""
    return pt.log((1.0 + 3.0 * bend * pt.sqr(h)) / (1.0 + bend))


def _log_density(y: Any, mean: Any, K: Any, variance: Any, centre: Any, bend: Any) -> Any:
    """log N(h | mean, K + variance I) - sum log w'(h)."""
    h = _unwarped(y, centre, bend)
    return gaussian_log_density(K, h - mean, variance) - _log_slope(h, bend).sum()
