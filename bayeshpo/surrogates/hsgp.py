"""A Gaussian process in few dimensions on fixed basis functions: Hilbert-space approximation.

On the box [0.5 - L, 0.5 + L]^D around the unit cube, phi_j are the eigenfunctions of the Laplacian that vanish at its
edges and w_j their frequencies (Solin and Särkkä 2020, eqs. 17 and 20); with the kernel's spectral density S,

    f = m + sum_j sqrt(S(w_j)) phi_j(x) z_j,   z_j ~ N(0, 1).

Lengthscales longer than half of L act as that, or the sum would lose its variance: over the cube, they look alike. The
weights z are integrated out: y ~ N(m, Phi S Phi' + s^2 I), the Gaussian of `low_rank.py`. Phi holds no
hyperparameter, so Phi'Phi and Phi'y are computed once a fit and a density costs M^3, whatever n (Riutort-Mayol et al.
2023, section 3).
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from math import gamma, pi
from typing import Any

import numpy as np
import pymc

from bayeshpo.errors import SpecificationError
from bayeshpo.surrogates.base import Parameters, Surrogate, TrainingData
from bayeshpo.surrogates.columns import Columns
from bayeshpo.surrogates.gaussian_process import multivariate_normal
from bayeshpo.surrogates.gp import GaussianProcess
from bayeshpo.surrogates.low_rank import low_rank_factors, low_rank_log_density
from bayeshpo.surrogates.symbolic import pm, pt

# Half the width of the box by number of dimensions: the wider, the longer the lengthscales that it can hold, and the
# coarser the functions, whose number is bounded.
HALF_WIDTHS = {1: 8.0, 2: 3.0, 3: 2.0}
# Lengthscales up to this share of the half width are held; beyond, the functions' vanishing at the edges is felt.
_LONGEST = 0.5
# How sharply longer ones are bent back to the longest.
_SHARPNESS = 8.0


@dataclass(frozen=True)
class HilbertSpaceGaussianProcess(Surrogate):
    """The model of `gp` with its Matern-5/2 kernel replaced by a sum of basis functions, in up to three dimensions.

    Parameters
    ----------
    functions
        Number M of basis functions, those of lowest frequency; a density costs M^3. Their frequencies bound the
        lengthscales from below.
    """

    functions: int = 256
    exact: GaussianProcess = field(default_factory=GaussianProcess, init=False)
    name = "hsgp"

    def __post_init__(self) -> None:
        if self.functions < 1:
            raise ValueError(f"expected functions >= 1, got {self.functions}")

    def arrays(self, columns: Columns, data: TrainingData) -> Mapping[str, np.ndarray]:
        """Of the functions: "basis" Phi (n, M), "products" Phi'Phi (M, M), "outcomes" Phi'y (M,), "sums" Phi'1 (M,)."""
        self.check(columns)
        basis = self._basis(np, columns, data.X)
        products = {"products": basis.T @ basis, "outcomes": basis.T @ data.y, "sums": basis.sum(axis=0)}
        return {"basis": basis} | products

    def believing(self, columns: Columns, data: TrainingData, X: np.ndarray, y: np.ndarray) -> TrainingData:
        """The data with more points, and the arrays of all of them."""
        return self.prepared(columns, data.extended(X, y))

    def check(self, columns: Columns) -> None:
        """Refuse columns that basis functions on a box cannot stand for."""
        if columns.dimension not in HALF_WIDTHS:
            raise SpecificationError(
                f"surrogate 'hsgp': expected at most {max(HALF_WIDTHS)} hyperparameters, got {columns.dimension}; "
                "use 'sparse'"
            )
        if columns.choices:
            name = columns.names[columns.choices[0][0]]
            raise SpecificationError(
                f"surrogate 'hsgp': expected numbers, got three or more unordered choices in '{name}'; use 'sparse'"
            )

    def model(self, columns: Columns, X: np.ndarray, y: np.ndarray) -> pymc.Model:
        """The PyMC model. Other outcomes need other arrays: see `prepared`."""
        arrays = self.prepared(columns, TrainingData.none(columns.dimension).extended(X, y)).arrays
        with pm.Model(coords={"hyperparameter": columns.names}) as model:
            X_data, y_data = pm.Data("X", X), pm.Data("y", y)
            data = {name: pm.Data(name, a) for name, a in arrays.items()}
            p = self.exact.priors(columns)
            weight = pt.sqrt(spectral_density(p, columns.dimension, self.functions))
            variance = self.exact.noise_variance(columns, p, {"X": X_data})
            G, v = self._products(p, weight, data)
            Phi = data["basis"] * weight
            pm.CustomDist(
                "outcome",
                self.exact.mean(columns, p, X_data),
                Phi @ Phi.T,
                G,
                v,
                variance,
                dist=lambda mean, K, *rest: multivariate_normal(mean, K, *rest[-2:]),
                signature="(n),(n,n),(m,m),(m),()->(n)",
                logp=lambda value, mean, _, G, v, s2: low_rank_log_density(
                    G, v, pt.sqr(value - mean).sum(), value.shape[0], s2
                ),
                observed=y_data,
            )
        return model

    def condition(self, columns: Columns, p: Parameters, data: Mapping[str, Any]) -> dict[str, Any]:
        """Conditional mean "weights" (M,) of the functions' coefficients, and "F" (M, M), F'F their covariance."""
        weight = pt.sqrt(spectral_density(p, columns.dimension, self.functions))
        F, w = low_rank_factors(*self._products(p, weight, data), self.exact.noise_variance(columns, p, data))
        return {"F": F * weight, "weights": w * weight}

    def predict(
        self, columns: Columns, p: Parameters, state: Parameters, data: Mapping[str, Any], Z: Any
    ) -> tuple[Any, Any]:
        """f(Z) = m + Phi(Z) w with w of the conditional mean and covariance."""
        basis = self._basis(pt, columns, Z)
        mean = self.exact.mean(columns, p, Z) + basis @ state["weights"]
        return mean, pt.maximum(pt.sqr(state["F"] @ basis.T).sum(axis=0), 1e-12)

    def anchored(
        self, columns: Columns, p: Parameters, state: Parameters, data: Mapping[str, Any], A: Any
    ) -> dict[str, Any]:
        """F Phi(A)' (M, a)."""
        return {"of_anchors": state["F"] @ self._basis(pt, columns, A).T}

    def covariance_with_anchors(
        self, columns: Columns, p: Parameters, state: Parameters, data: Mapping[str, Any], A: Any, Z: Any
    ) -> Any:
        """Phi(Z) F'F Phi(A)'."""
        return (state["F"] @ self._basis(pt, columns, Z).T).T @ state["of_anchors"]

    def fitted(self, columns: Columns, p: Parameters, state: Parameters, data: Mapping[str, Any]) -> Any:
        """As `predict`, from the basis at the trials, which no draw computes again."""
        return self.exact.mean(columns, p, data["X"]) + data["basis"] @ state["weights"]

    def leave_one_out(self, columns: Columns, p: Parameters, state: Parameters, data: Mapping[str, Any]) -> Any:
        """As for `gp`, with K^-1 r = (y - E f) / s^2, and (1 - Var f / s^2) / s^2 on the diagonal of K^-1."""
        s2 = self.exact.noise_variance(columns, p, data)
        variance = pt.sqr(state["F"] @ data["basis"].T).sum(axis=0)
        share = pt.maximum(1.0 - variance / s2, 1e-9)
        residual = data["y"] - self.fitted(columns, p, state, data)
        return 0.5 * (pt.log(share / (2.0 * np.pi * s2)) - pt.sqr(residual) / (s2 * share))

    def _products(self, p: Parameters, weight: Any, data: Mapping[str, Any]) -> tuple[Any, Any]:
        """A A' (M, M) and A (y - m) (M,) with A = S^1/2 Phi'."""
        G = weight[:, None] * data["products"] * weight[None, :]
        return G, weight * (data["outcomes"] - p["mean"] * data["sums"])

    def _basis(self, xp: Any, columns: Columns, X: Any) -> Any:
        """Phi (n, M) at X (n, D); ``xp`` is numpy, or pytensor.tensor for the symbolic form."""
        L, frequencies = HALF_WIDTHS[columns.dimension], basis_frequencies(columns.dimension, self.functions)
        basis = 1.0
        for j in range(columns.dimension):
            basis = basis * xp.sin((X[:, j, None] - 0.5 + L) * frequencies[None, :, j]) / np.sqrt(L)
        return basis


def spectral_density(p: Parameters, dimension: int, functions: int) -> Any:
    """Matern-5/2's spectral density (M,) at the functions' frequencies (Rasmussen and Williams 2006, eq. 4.15).

    alpha^2 2^D pi^(D/2) Gamma(5/2 + D/2) 5^(5/2) / Gamma(5/2) prod(l) (5 + sum (l w)^2)^-(5/2 + D/2).
    """
    longest = _LONGEST * HALF_WIDTHS[dimension]
    lengthscale = p["lengthscale"] * (1.0 + (p["lengthscale"] / longest) ** _SHARPNESS) ** (-1.0 / _SHARPNESS)
    order = (5.0 + dimension) / 2.0
    constant = (4.0 * pi) ** (dimension / 2.0) * gamma(order) / gamma(2.5) * 5.0**2.5
    squared = pt.sqr(basis_frequencies(dimension, functions) * lengthscale).sum(axis=1)
    return constant * pt.sqr(p["amplitude"]) * pt.prod(lengthscale) * (5.0 + squared) ** -order


@cache
def basis_frequencies(dimension: int, functions: int) -> np.ndarray:
    """The lowest frequencies pi j / (2 L), (M, D), of functions on the box, j = 1, 2, ... in each dimension."""
    # A ball's octant of so many points ends well within this number of steps along each axis.
    steps = range(1, int(np.ceil(3.0 * functions ** (1.0 / dimension))) + 1)
    indices = np.array(list(itertools.product(steps, repeat=dimension)))
    order = np.argsort((indices**2).sum(axis=1), kind="stable")
    return indices[order[:functions]] * pi / (2.0 * HALF_WIDTHS[dimension])
