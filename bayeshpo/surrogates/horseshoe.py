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
    """f = mean + sum_j (w_j g_j + v_j g_j^2) + sum_{j<k} w_jk g_j g_k, all of the features g(x) of `features.py`.

    w_j ~ N(0, s_j^2), v_j ~ N(0, (q s_j)^2) and w_jk ~ N(0, (eta s_j s_k)^2): a hyperparameter that matters may be
    curved, and the product of two that matter may matter (effect hierarchy and heredity; Chipman 1996, Joseph 2006).
    The scales are those of the regularised horseshoe, s_j^2 = c^2 (tau lambda_j)^2 / (c^2 + (tau lambda_j)^2): nearly
    nothing for most hyperparameters, up to c for the few that matter (Piironen and Vehtari 2017, eq. 2.8).

    The weights are integrated out: with h = s g, f has the covariance L + q^2 C + eta^2 (L^2 - S) / 2, L, C and S the
    inner products of h, of g h and of h^2 (the kernel interaction trick, Agrawal, Huggins, Trippe and Broderick 2019).

    Parameters
    ----------
    mean_prior, noise_prior
        PyMC distributions of one number, in units of the standardised loss: by default Normal(0, 1) and
        LogNormal(-1, 1), which lets what a quadratic cannot follow be noise.
    tau_prior, lambda_prior, slab_prior
        tau, by default HalfCauchy(0.1); lambda for each hyperparameter, HalfCauchy(1); and c, LogNormal(1, 0.5), in
        units of the standardised loss from one end of a number's range to the other.
    curvature_prior
        q, by default HalfNormal(2): with 2 the squares do as much from the middle of the range to an end as the slopes.
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
    curvature_prior: Prior | None = None
    interaction_prior: Prior | None = None
    noise_prior: Prior | None = None
    name = "horseshoe"

    def __post_init__(self) -> None:
        priors.check("mean_prior", self.mean_prior)
        for argument in ("tau", "lambda", "slab", "curvature", "interaction", "noise"):
            priors.check(f"{argument}_prior", getattr(self, f"{argument}_prior"), positive=True)

    def priors(self, columns: Columns) -> Parameters:
        """mean, tau, lambda (D,), slab, curvature, interaction and noise."""
        return {
            "mean": register("mean", given(self.mean_prior, priors.mean_prior())),
            "tau": register("tau", given(self.tau_prior, pm.HalfCauchy.dist(0.1))),
            "lambda": register("lambda", given(self.lambda_prior, pm.HalfCauchy.dist(1.0)), dims="hyperparameter"),
            "slab": register("slab", given(self.slab_prior, pm.LogNormal.dist(1.0, 0.5))),
            "curvature": register("curvature", given(self.curvature_prior, pm.HalfNormal.dist(2.0))),
            "interaction": register("interaction", given(self.interaction_prior, pm.HalfNormal.dist(0.5))),
            "noise": register("noise", given(self.noise_prior, pm.LogNormal.dist(-1.0, 1.0))),
        }

    def covariance(self, columns: Columns, p: Parameters, X: Any, X2: Any | None = None) -> Any:
        """L + q^2 C + eta^2 (L^2 - S) / 2."""
        terms = self._terms(columns, p, X)
        others = terms if X2 is None else self._terms(columns, p, X2)
        return _quadratic(p, *(a @ b.T for a, b in zip(terms, others, strict=True)))

    def variance(self, columns: Columns, p: Parameters, X: Any) -> Any:
        """The same of each point with itself."""
        return _quadratic(p, *(pt.sqr(a).sum(axis=1) for a in self._terms(columns, p, X)))

    def _terms(self, columns: Columns, p: Parameters, X: Any) -> tuple[Any, Any, Any]:
        """h, g h and h^2, each (n, F)."""
        # Of 1 / s^2 = 1 / (tau lambda)^2 + 1 / c^2 nothing overflows where a half-Cauchy number is huge.
        scale = 1.0 / pt.sqrt(1.0 / pt.sqr(p["tau"] * p["lambda"]) + 1.0 / pt.sqr(p["slab"]))
        g = features(columns, X)
        h = g * scale[feature_columns(columns)]
        return h, g * h, pt.sqr(h)


def _quadratic(p: Parameters, L: Any, C: Any, S: Any) -> Any:
    return L + pt.sqr(p["curvature"]) * C + 0.5 * pt.sqr(p["interaction"]) * (pt.sqr(L) - S)
