"""Variance of the latent function: go where least is known, whatever it is worth.

By the law of total variance: E[s^2] + Var[mean] over posterior draws (uncertainty sampling: Lewis and Gale 1994; Seo et
al. 2000).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from bayeshpo.acquisitions.base import Acquisition, Candidates
from bayeshpo.acquisitions.normal import mixture_variance
from bayeshpo.surrogates.symbolic import pt


@dataclass(frozen=True)
class PredictiveVariance(Acquisition):
    """log of the variance of f(x) under the whole posterior, of the function and of the hyperparameters."""

    name = "variance"

    def over_draws(self, at: Candidates, known: Any, weight: Any) -> Any:
        """log variance (m,), squares of standardised losses."""
        return pt.log(mixture_variance(at.mean, at.variance, weight))
