"""Marginal likelihood of a Gaussian process as one node with its analytic gradient, and its conditional's factors.

log N(r | 0, K) = -1/2 r' K^-1 r - 1/2 log |K| - n/2 log 2 pi, with derivatives 1/2 (a a' - K^-1) by K and -a by r,
a = K^-1 r (Rasmussen and Williams 2006, eqs. 2.30 and 5.9).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from pytensor.graph.basic import Apply

from bayeshpo.surrogates.compiled_op import CompiledOp
from bayeshpo.surrogates.linear_algebra import (
    forward_substitution,
    gram_of_rows,
    stable_cholesky,
    triangular_inverse,
)
from bayeshpo.surrogates.symbolic import pt

_HALF_LOG_TWO_PI = 0.5 * np.log(2.0 * np.pi)


def _log_density(K, r):
    L, _ = stable_cholesky(K)
    a = forward_substitution(L, r)
    total = 0.0
    for i in range(r.shape[0]):
        total -= 0.5 * a[i] * a[i] + np.log(L[i, i]) + _HALF_LOG_TWO_PI
    return np.asarray(total if np.isfinite(total) else -np.inf)


def _log_density_gradient(K, r):
    L, _ = stable_cholesky(K)
    inverse = gram_of_rows(triangular_inverse(L))
    alpha = inverse @ np.ascontiguousarray(r)
    n = r.shape[0]
    G = np.empty((n, n))
    for i in range(n):
        for j in range(n):
            G[i, j] = 0.5 * (alpha[i] * alpha[j] - inverse[i, j])
    return G, -alpha


def _conditional_factors(K, r):
    L, jitter = stable_cholesky(K)
    M = triangular_inverse(L)
    alpha = M.T @ forward_substitution(L, r)
    return M, alpha, np.asarray(jitter)


class GaussianLogDensity(CompiledOp):
    """(K (n, n), r (n,)) -> log N(r | 0, K); -inf where K cannot be factorised."""

    gufunc_signature = "(n,n),(n)->()"
    implementation = staticmethod(_log_density)

    def make_node(self, K: Any, r: Any) -> Apply:
        return Apply(self, [pt.as_tensor(K), pt.as_tensor(r)], [pt.dscalar()])

    def infer_shape(self, node: Apply, shapes: Any) -> list[tuple[()]]:
        return [()]

    def pullback(self, inputs: Any, outputs: Any, output_gradients: Any) -> list[Any]:
        (g,) = output_gradients
        dK, dr = gaussian_log_density_gradient(*inputs)
        return [g * dK, g * dr]


class GaussianLogDensityGradient(CompiledOp):
    """(K (n, n), r (n,)) -> derivatives of the log density by K and by r."""

    gufunc_signature = "(n,n),(n)->(n,n),(n)"
    implementation = staticmethod(_log_density_gradient)

    def make_node(self, K: Any, r: Any) -> Apply:
        return Apply(self, [pt.as_tensor(K), pt.as_tensor(r)], [pt.dmatrix(), pt.dvector()])

    def infer_shape(self, node: Apply, shapes: Any) -> list[Any]:
        return list(shapes)


class ConditionalFactors(CompiledOp):
    """(K (n, n), r (n,)) -> inverse Cholesky factor M (n, n), weights K^-1 r (n,) and the jitter used."""

    gufunc_signature = "(n,n),(n)->(n,n),(n),()"
    implementation = staticmethod(_conditional_factors)

    def make_node(self, K: Any, r: Any) -> Apply:
        return Apply(self, [pt.as_tensor(K), pt.as_tensor(r)], [pt.dmatrix(), pt.dvector(), pt.dscalar()])

    def infer_shape(self, node: Apply, shapes: Any) -> list[Any]:
        return [*shapes, ()]


gaussian_log_density = GaussianLogDensity()
gaussian_log_density_gradient = GaussianLogDensityGradient()
conditional_factors = ConditionalFactors()
