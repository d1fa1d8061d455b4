"""A kernel that is a product of one of numbers and one of unordered choices, beside `gp`'s one distance over all."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from bayeshpo.surrogates.base import Parameters
from bayeshpo.surrogates.columns import Columns
from bayeshpo.surrogates.gp import GaussianProcess
from bayeshpo.surrogates.symbolic import pt


@dataclass(frozen=True)
class ProductKernel(GaussianProcess):
    """`gp` with k(x, x') = k_numbers exp(-sum_j [x_j != x_j'] / lengthscale_j), j over three or more unordered choices.

    The exchangeable kernel of Kondor and Lafferty (2002) for each of them, with a scale of its own.
    """

    name = "product"

    def inputs(self, columns: Columns, p: Parameters, X: Any) -> Any:
        """x / lengthscale of all but the unordered choices."""
        chosen = [j for j, _ in columns.choices]
        lengthscale = p["lengthscale"]
        # Over an endless lengthscale choices are no distance apart.
        return columns.scaled(X, pt.set_subtensor(lengthscale[chosen], float("inf")) if chosen else lengthscale)

    def covariance(self, columns: Columns, p: Parameters, X: Any, X2: Any | None = None) -> Any:
        """amplitude^2 k."""
        K = super().covariance(columns, p, X, X2)
        if not columns.choices:
            return K
        chosen, Z = [j for j, _ in columns.choices], X if X2 is None else X2
        differ = pt.gt(pt.abs(X[:, None, chosen] - Z[None, :, chosen]), 1e-9)
        return K * pt.exp(-(differ / p["lengthscale"][chosen]).sum(axis=-1))
