"""Linear and quadratic regression of which few terms matter: regularised horseshoe."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from bayeshpo.surrogates import priors
from bayeshpo.surrogates.base import Parameters
from bayeshpo.surrogates.columns import Columns
from bayeshpo.surrogates.features import feature_columns, features
from bayeshpo.surrogates.gaussian_process import GaussianProcessSurrogate
from bayeshpo.surrogates.priors import Prior, given, register
from bayeshpo.surrogates.symbolic import pm, pt


@dataclass(frozen=True)
class HorseshoeRegression(GaussianProcessSurrogate):
    """f = mean + sum_j w_j g_j(x) + sum_{j<=k} w_jk g_j(x) g_k(x),  w_j ~ N(0, s_j^2),  w_jk ~ N(0, (eta s_j s_k)^2).

    The scales are those of the regularised horseshoe, s_j^2 = c^2 (tau lambda_j)^2 / (c^2 + (tau lambda_j)^2): nearly
    nothing for most hyperparameters, up to c for the few that matter (Piironen and Vehtari 2017, eq. 2.8). The weights
    are integrated out: with h = s g, f has the covariance L + eta^2 L^2 / 2, L = h(x) h(x')' (the kernel interaction
    trick, Agrawal, Huggins, Trippe and Broderick 2019); a square's weight has half of the variance of a product's.
    Features g are those of `features.py`.

    Parameters
    ----------
    mean_prior, noise_prior
        PyMC distributions of one number, in units of the standardised loss: by default Normal(0, 1) and
        LogNormal(-1, 1), which lets what a quadratic cannot follow be noise.
    tau_prior, lambda_prior, slab_prior
        tau, by default HalfCauchy(0.1); lambda for each hyperparameter, HalfCauchy(1); and c, LogNormal(1, 0.5), in
        units of the standardised loss from one end of a number's range to the other.
    interaction_prior
        eta, by default HalfNormal(0.5), in units of one over the standardised loss.

    Raises
    ------
    SpecificationError
        If a prior is no distribution of one number or has values that cannot be.
    """

    mean_prior: Prior | None = None
    tau_prior: Prior | None = None
    lambda_prior: Prior | None = None
    slab_prior: Prior | None = None
    interaction_prior: Prior | None = None
    noise_prior: Prior | None = None
    name = "horseshoe"

    def __post_init__(self) -> None:
        priors.check("mean_prior", self.mean_prior)
        for argument in ("tau_prior", "lambda_prior", "slab_prior", "interaction_prior", "noise_prior"):
            priors.check(argument, getattr(self, argument), positive=True)

    def priors(self, columns: Columns) -> Parameters:
        """mean, tau, lambda (D,), slab, interaction and noise."""
        return {
            "mean": register("mean", given(self.mean_prior, priors.mean_prior())),
            "tau": register("tau", given(self.tau_prior, pm.HalfCauchy.dist(0.1))),
            "lambda": register("lambda", given(self.lambda_prior, pm.HalfCauchy.dist(1.0)), dims="hyperparameter"),
            "slab": register("slab", given(self.slab_prior, pm.LogNormal.dist(1.0, 0.5))),
            "interaction": register("interaction", given(self.interaction_prior, pm.HalfNormal.dist(0.5))),
            "noise": register("noise", given(self.noise_prior, pm.LogNormal.dist(-1.0, 1.0))),
        }

    def covariance(self, columns: Columns, p: Parameters, X: Any, X2: Any | None = None) -> Any:
        """L + eta^2 L^2 / 2."""
        h = self._scaled_features(columns, p, X)
        return _quadratic(h @ (h if X2 is None else self._scaled_features(columns, p, X2)).T, p["interaction"])

    def variance(self, columns: Columns, p: Parameters, X: Any) -> Any:
        """The same of each point with itself."""
        return _quadratic(pt.sqr(self._scaled_features(columns, p, X)).sum(axis=1), p["interaction"])

    def _scaled_features(self, columns: Columns, p: Parameters, X: Any) -> Any:
        """h (n, F)."""
        # Of 1 / s^2 = 1 / (tau lambda)^2 + 1 / c^2 nothing overflows where a half-Cauchy number is huge.
        scale = 1.0 / pt.sqrt(1.0 / pt.sqr(p["tau"] * p["lambda"]) + 1.0 / pt.sqr(p["slab"]))
        return features(columns, X) * scale[feature_columns(columns)]


def _quadratic(L: Any, eta: Any) -> Any:
    return L + 0.5 * pt.sqr(eta * L)
