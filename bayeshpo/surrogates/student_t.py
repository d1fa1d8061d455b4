"""Gaussian process with Student's t for noise: some trials are far off, and say little."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from bayeshpo.surrogates import priors
from bayeshpo.surrogates.base import NUGGET, Parameters
from bayeshpo.surrogates.columns import Columns
from bayeshpo.surrogates.gp import GaussianProcess
from bayeshpo.surrogates.marginal_likelihood import conditional_factors
from bayeshpo.surrogates.mixture_likelihood import equivalent_variances, mixture_log_density
from bayeshpo.surrogates.outcome import mixture_of_normals
from bayeshpo.surrogates.priors import Prior, given, register
from bayeshpo.surrogates.symbolic import pm, pt

# Where Student's t is summed up: log precision in units of its standard deviation, close together about the middle,
# and far out to the left, where the precision of an outlier is.
_COMPONENTS, _CLOSE = 25, 3.0
_AT = np.linspace(np.arcsinh(-20.0 / _CLOSE), np.arcsinh(6.0 / _CLOSE), _COMPONENTS)


@dataclass(frozen=True)
class StudentTProcess(GaussianProcess):
    """The model of `gp` with y = f(x) + noise t,  t ~ Student's t with nu degrees of freedom.

    Student's t is a normal variable whose precision is drawn from Gamma(nu / 2, nu / 2) for each trial; the precisions
    and f are integrated out together (`mixture_likelihood`). Losses far off are told as they are, up to 30 spreads from
    the median, and the others alone set the scale (see `TrainingData.of`).

    Parameters
    ----------
    nu_prior
        PyMC distribution of one positive number. By default Gamma(2, 0.1) (Juarez and Steel 2010) above 1, where f is
        the mean of the outcomes: 95 % between 3 and 56, from heavy tails to nearly normal ones. See `GaussianProcess`
        for the others.
    """

    nu_prior: Prior | None = None
    name = "student_t"
    expects_outliers = True

    def __post_init__(self) -> None:
        super().__post_init__()
        priors.check("nu_prior", self.nu_prior, positive=True)

    def priors(self, columns: Columns) -> Parameters:
        """Those of `gp`, and nu."""
        nu = given(self.nu_prior, pm.Truncated.dist(pm.Gamma.dist(2.0, 0.1), lower=1.0))
        return {**super().priors(columns), "nu": register("nu", nu)}

    def likelihood(self, columns: Columns, p: Parameters, data: Mapping[str, Any]) -> None:
        """Normal f with Student's t added."""
        pm.CustomDist(
            "outcome",
            self.mean(columns, p, data["X"]),
            self.covariance(columns, p, data["X"]),
            p["noise"],
            p["nu"],
            dist=_outcomes,
            signature="(n),(n,n),(),()->(n)",
            logp=lambda y, mean, K, noise, nu: mixture_log_density(K, y - mean, *student_t_mixture(noise, nu)),
            observed=data["y"],
        )

    def condition(self, columns: Columns, p: Parameters, data: Mapping[str, Any]) -> dict[str, Any]:
        """That of `gp` with the variance (n,) of each trial's noise that stands for Student's t."""
        K, r = self.covariance(columns, p, data["X"]), data["y"] - self.mean(columns, p, data["X"])
        variance = equivalent_variances(K, r, *student_t_mixture(p["noise"], p["nu"]))
        M, alpha, jitter = conditional_factors(K, r, variance)
        return {"M": M, "alpha": alpha, "jitter": jitter, "variance": variance}

    def fitted(self, columns: Columns, p: Parameters, state: Parameters, data: Mapping[str, Any]) -> Any:
        """y less what alpha leaves to the noise."""
        return data["y"] - (state["variance"] + state["jitter"]) * state["alpha"]

    def outcome_at(
        self, columns: Columns, p: Parameters, state: Parameters, data: Mapping[str, Any], Z: Any, y: Any
    ) -> tuple[Any, Any]:
        """Of f's normal with Student's t added, as the mixture that stands for it."""
        mean, variance = self.predict(columns, p, state, data, Z)
        variances, log_weights = student_t_mixture(p["noise"], p["nu"])
        return mixture_of_normals(y, mean, variance[:, None] + variances, log_weights)

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
        """f + noise t."""
        return f + p["noise"][:, None] * rng.standard_t(p["nu"][:, None], f.shape)

    def leave_one_out(self, columns: Columns, p: Parameters, state: Parameters, data: Mapping[str, Any]) -> Any:
        """log sum_k w_k N(rho_i | 0, v_i + s_k^2): what the others leave of y_i (see `mixture_likelihood`).

        Their variances have seen y_i too: the density of one that is far off can come out too high.
        """
        d = pt.sqr(state["M"]).sum(axis=0)
        v = pt.maximum(1.0 / d - state["variance"] - state["jitter"], 0.0)
        variances, log_weights = student_t_mixture(p["noise"], p["nu"])
        t, rho = v[:, None] + variances, (state["alpha"] / d)[:, None]
        return pt.logsumexp(log_weights - 0.5 * (pt.sqr(rho) / t + pt.log(2.0 * np.pi * t)), axis=1)


def student_t_mixture(noise: Any, nu: Any) -> tuple[Any, Any]:
    """Variances (k,) and log weights (k,) of normals whose mixture is noise t + N(0, NUGGET).

    t = z / sqrt(g), g ~ Gamma(nu / 2, nu / 2): a sum over u = log g in place of the integral, at which the density is
    proportional to exp(nu / 2 (u - e^u)). For nu >= 1 it is within 0.002 of Student's log density up to 30 noise, and
    within 0.2 where farther out is not beyond everything.
    """
    u = _CLOSE * np.sinh(_AT) * pt.sqrt(2.0 / nu)
    log_weights = pt.special.log_softmax(0.5 * nu * (u - pt.exp(u)) + np.log(np.cosh(_AT)))
    return pt.sqr(noise) * pt.exp(-u) + NUGGET, log_weights


def _outcomes(mean: Any, K: Any, noise: Any, nu: Any, size: Any) -> Any:
    f = pm.MvNormal.dist(mean, cov=K + NUGGET * pt.eye(mean.shape[0]), size=size)
    return f + noise * pm.StudentT.dist(nu, size=f.shape)
