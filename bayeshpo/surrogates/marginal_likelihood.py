"""Marginal likelihood of a Gaussian process as one node with its analytic gradient, and its conditional's factors.

With C = K + s^2 I: log N(r | 0, C) = -1/2 r' C^-1 r - 1/2 log |C| - n/2 log 2 pi, with derivatives
G = 1/2 (a a' - C^-1) by K, -a by r and tr G by s^2, a = C^-1 r (Rasmussen and Williams 2006, eqs. 2.30 and 5.9). The
noise has an argument of its own, because adding it outside would go over the whole matrix again; noise that varies is
added outside.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from pytensor.graph.basic import Apply

from bayeshpo.surrogates.compiled_op import CompiledOp, LogDensityOp
from bayeshpo.surrogates.linear_algebra import (
    forward_substitution,
    gram_of_rows,
    stable_cholesky,
    triangular_inverse,
)
from bayeshpo.surrogates.symbolic import pt

_HALF_LOG_TWO_PI = 0.5 * np.log(2.0 * np.pi)


def _log_density(K, r, variance):
    L, _ = stable_cholesky(K, variance.item())
    a = forward_substitution(L, r)
    total = 0.0
    for i in range(r.shape[0]):
        total -= 0.5 * a[i] * a[i] + np.log(L[i, i]) + _HALF_LOG_TWO_PI
    return np.asarray(total if np.isfinite(total) else -np.inf)


def _log_density_gradient(K, r, variance):
    L, _ = stable_cholesky(K, variance.item())
    inverse = gram_of_rows(triangular_inverse(L))
    alpha = inverse @ np.ascontiguousarray(r)
    n = r.shape[0]
    G = np.empty((n, n))
    for i in range(n):
        for j in range(n):
            G[i, j] = 0.5 * (alpha[i] * alpha[j] - inverse[i, j])
    return G, -alpha, np.asarray(np.trace(G))


def _conditional_factors(K, r, variance):
    L, jitter = stable_cholesky(K, variance.item())
    M = triangular_inverse(L)
    alpha = M.T @ forward_substitution(L, r)
    return M, alpha, np.asarray(jitter)


class GaussianLogDensityGradient(CompiledOp):
    """(K (n, n), r (n,), s^2) -> derivatives of the log density by all of them."""

    gufunc_signature = "(n,n),(n),()->(n,n),(n),()"
    implementation = staticmethod(_log_density_gradient)

    def make_node(self, K: Any, r: Any, variance: Any) -> Apply:
        return Apply(self, [K, r, variance], [pt.dmatrix(), pt.dvector(), pt.dscalar()])

    def infer_shape(self, node: Apply, shapes: Any) -> list[Any]:
        return list(shapes)


class GaussianLogDensity(LogDensityOp):
    """(K (n, n), r (n,), s^2) -> log N(r | 0, K + s^2 I); -inf where that cannot be factorised."""

    gufunc_signature = "(n,n),(n),()->()"
    implementation = staticmethod(_log_density)
    gradient = GaussianLogDensityGradient


class ConditionalFactors(CompiledOp):
    """(K (n, n), r (n,), s^2) -> inverse Cholesky factor M (n, n) of C, weights C^-1 r (n,) and the jitter used."""

    gufunc_signature = "(n,n),(n),()->(n,n),(n),()"
    implementation = staticmethod(_conditional_factors)

    def make_node(self, K: Any, r: Any, variance: Any) -> Apply:
        inputs = [pt.as_tensor(K), pt.as_tensor(r), pt.as_tensor(variance)]
        return Apply(self, inputs, [pt.dmatrix(), pt.dvector(), pt.dscalar()])

    def infer_shape(self, node: Apply, shapes: Any) -> list[Any]:
        return list(shapes)


def gaussian_log_density(K: Any, r: Any, variance: Any = 0.0) -> Any:
    """log N(r | 0, K + variance I) of a covariance K (n, n) and residuals r (n,); a variance for all, or (n,)."""
    K, variance = _with_varying(K, variance)
    return GaussianLogDensity()(K, r, variance)


def conditional_factors(K: Any, r: Any, variance: Any = 0.0) -> Any:
    """Inverse Cholesky factor (n, n) of K + variance I, weights (n,) and jitter, as `ConditionalFactors` gives them.

    The variance is one for all, or (n,).
    """
    K, variance = _with_varying(K, variance)
    return ConditionalFactors()(K, r, variance)


def _with_varying(K: Any, variance: Any) -> tuple[Any, Any]:
    """K with a variance (n,) on its diagonal, and what is left for the nodes to add."""
    variance = pt.as_tensor(variance)
    return (K, variance) if variance.ndim == 0 else (K + pt.diag(variance), pt.as_tensor(0.0))
