"""Gaussian process with noise that depends on the hyperparameters."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bayeshpo.surrogates import priors
from bayeshpo.surrogates.base import NUGGET, Parameters
from bayeshpo.surrogates.columns import Columns
from bayeshpo.surrogates.features import feature_names, features
from bayeshpo.surrogates.gp import GaussianProcess
from bayeshpo.surrogates.priors import Prior, given, register
from bayeshpo.surrogates.symbolic import pm, pt


@dataclass(frozen=True)
class HeteroscedasticGaussianProcess(GaussianProcess):
    """The model of `gp` with y = f(x) + s(x) e,  log s(x) = log noise + g(x) slope,  e ~ N(0, 1).

    The features g are numbers less the middle of their range, and indicators of three or more unordered choices; those
    of inactive hyperparameters are 0. A log-linear noise model (Harvey 1976) in place of a second process for the
    noise (Goldberg, Williams and Bishop 1998): f is still integrated out. See `GaussianProcess`.

    Parameters
    ----------
    slope_prior
        PyMC distribution of one number, by default Normal(0, 1): change of the log noise from one end of a number's
        range to the other, or with one of three or more choices.
    """

    slope_prior: Prior | None = None
    name = "heteroscedastic"

    def __post_init__(self) -> None:
        super().__post_init__()
        priors.check("slope_prior", self.slope_prior)

    def priors(self, columns: Columns) -> Parameters:
        """Those of `gp`, and slope (F,)."""
        p = super().priors(columns)
        pm.modelcontext(None).add_coord("feature", feature_names(columns))
        slope = given(self.slope_prior, pm.Normal.dist(0.0, 1.0))
        return {**p, "slope": register("slope", slope, dims="feature")}

    def noise_variance(self, columns: Columns, p: Parameters, data: Mapping[str, Any]) -> Any:
        """s^2 with the nugget."""
        return pt.sqr(p["noise"] * pt.exp(features(columns, data["X"]) @ p["slope"])) + NUGGET
