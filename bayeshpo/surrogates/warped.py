"""Gaussian process of numbers whose scales are learnt: Kumaraswamy input warping."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from bayeshpo.errors import SpecificationError
from bayeshpo.surrogates import priors
from bayeshpo.surrogates.base import Parameters
from bayeshpo.surrogates.columns import Columns
from bayeshpo.surrogates.gp import GaussianProcess
from bayeshpo.surrogates.priors import Prior, given, register
from bayeshpo.surrogates.symbolic import pm, pt

# How far numbers are kept from 0 and 1, where the warping's slope can be infinite.
_EDGE = 1e-6


@dataclass(frozen=True)
class WarpedGaussianProcess(GaussianProcess):
    """f ~ GP(mean, amplitude^2 k(w(x) / lengthscale, w(x') / lengthscale)),  w_j(x) = 1 - (1 - x_j^a_j)^b_j.

    Each number is sent through the distribution function of Kumaraswamy (1980), with which f can change faster towards
    one end, both ends or the middle of its range (Snoek, Swersky, Zemel and Adams 2014, with a beta distribution's).
    Choices, and numbers that are inactive, stay as they are; lengthscales are in units of the warped cube. See
    `GaussianProcess`.

    Parameters
    ----------
    a_prior, b_prior
        PyMC distributions of one positive number, by default LogNormal(0, 0.75): no warping, a = b = 1, at the median.
    """

    a_prior: Prior | None = None
    b_prior: Prior | None = None
    name = "warped"

    def __post_init__(self) -> None:
        super().__post_init__()
        priors.check("a_prior", self.a_prior, positive=True)
        priors.check("b_prior", self.b_prior, positive=True)

    def check(self, columns: Columns) -> None:
        """Refuse columns without a number."""
        if not columns.numbers:
            raise SpecificationError("surrogate 'warped': expected a number to warp, got choices alone; use 'gp'")

    def input_priors(self, columns: Columns) -> Parameters:
        """lengthscale (D,), and a and b of each number."""
        pm.modelcontext(None).add_coord("number", [columns.names[j] for j in columns.numbers])
        default = pm.LogNormal.dist(0.0, 0.75)
        return {
            **super().input_priors(columns),
            "a": register("a", given(self.a_prior, default), dims="number"),
            "b": register("b", given(self.b_prior, default), dims="number"),
        }

    def inputs(self, columns: Columns, p: Parameters, X: Any) -> Any:
        """w(x) / lengthscale."""
        numbers = list(columns.numbers)
        x = X[:, numbers]
        inside = _EDGE + (1.0 - 2.0 * _EDGE) * pt.maximum(x, 0.0)
        warped = 1.0 - (1.0 - inside ** p["a"]) ** p["b"]
        w = pt.set_subtensor(X[:, numbers], pt.switch(columns.active(x), warped, x))
        return super().inputs(columns, p, w)
