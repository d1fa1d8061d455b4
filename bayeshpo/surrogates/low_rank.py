"""Gaussians whose covariance is of low rank but for a multiple of the identity: A'A + s^2 I, A (M, n) with M << n.

Everything follows from the products G = A A' (M, M), v = A r (M,) and r'r, so that n enters no matrix that is
factorised (Rasmussen and Williams 2006, appendix A.3). With B = I + G / s^2 and b = B^-1 v:

    log N(r | 0, A'A + s^2 I) = -1/2 (n log(2 pi s^2) + log |B| + r'r / s^2 - v'b / s^4).

Two surrogates use it: inducing points, A = L^-1 K_uf with L L' = K_uu (`inducing_bound.py`), and basis functions,
A = S^1/2 Phi' (`hsgp.py`).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from pytensor.graph.basic import Apply

from bayeshpo.surrogates.compiled_op import CompiledOp
from bayeshpo.surrogates.linear_algebra import forward_substitution, gram_of_rows, stable_cholesky, triangular_inverse
from bayeshpo.surrogates.symbolic import numba_njit, pt

_LOG_TWO_PI = np.log(2.0 * np.pi)


@numba_njit
def low_rank_value(G, v, square, n, variance):
    """Log density of r given G (M, M), v (M,), r'r, n and s^2; not finite where B cannot be factorised."""
    M = v.shape[0]
    B = G / variance
    for i in range(M):
        B[i, i] += 1.0
    L, _ = stable_cholesky(B, 0.0)
    a = forward_substitution(L, v)
    explained, half_log_det = 0.0, 0.0
    for i in range(M):
        explained += a[i] * a[i]
        half_log_det += np.log(L[i, i])
    return -0.5 * (n * (_LOG_TWO_PI + np.log(variance)) + (square - explained / variance) / variance) - half_log_det


@numba_njit
def low_rank_inverse(G, variance):
    """B^-1 (M, M) and the inverse (M, M) of B's lower Cholesky factor."""
    M = G.shape[0]
    B = G / variance
    for i in range(M):
        B[i, i] += 1.0
    L, _ = stable_cholesky(B, 0.0)
    inverse_factor = triangular_inverse(L)
    return gram_of_rows(inverse_factor), inverse_factor


@numba_njit
def low_rank_gradient(G, v, square, n, variance):
    """Derivatives of the log density by G (M, M), v (M,), r'r and s^2."""
    M = v.shape[0]
    inverse, _ = low_rank_inverse(G, variance)
    b = inverse @ np.ascontiguousarray(v)
    dG = np.empty((M, M))
    trace, vb, bb = 0.0, 0.0, 0.0
    for i in range(M):
        trace += inverse[i, i]
        vb += v[i] * b[i]
        bb += b[i] * b[i]
        for j in range(M):
            dG[i, j] = -0.5 * (inverse[i, j] / variance + b[i] * b[j] / variance**3)
    # tr(B^-1 G) / s^2 = M - tr B^-1, and b'G b / s^2 = v'b - b'b.
    dvariance = -0.5 * ((n - M + trace) - square / variance + (vb + bb) / variance**2) / variance
    return dG, b / variance**2, -0.5 / variance, dvariance


def _value(G, v, square, n, variance):
    value = low_rank_value(G, v, square.item(), n.item(), variance.item())
    return np.asarray(value if np.isfinite(value) else -np.inf)


def _gradient(G, v, square, n, variance):
    dG, dv, dsquare, dvariance = low_rank_gradient(G, v, square.item(), n.item(), variance.item())
    return dG, dv, np.asarray(dsquare), np.asarray(dvariance)


def _factors(G, v, variance):
    inverse, inverse_factor = low_rank_inverse(G, variance.item())
    return inverse_factor, inverse @ np.ascontiguousarray(v) / variance.item()


class LowRankLogDensity(CompiledOp):
    """(G (M, M), v (M,), r'r, n, s^2) -> log N(r | 0, A'A + s^2 I); -inf where B cannot be factorised."""

    gufunc_signature = "(m,m),(m),(),(),()->()"
    implementation = staticmethod(_value)

    def make_node(self, *inputs: Any) -> Apply:
        return Apply(self, [pt.as_tensor(x).astype("float64") for x in inputs], [pt.dscalar()])

    def infer_shape(self, node: Apply, shapes: Any) -> list[tuple[()]]:
        return [()]

    def pullback(self, inputs: Any, outputs: Any, output_gradients: Any) -> list[Any]:
        (g,) = output_gradients
        dG, dv, dsquare, dvariance = LowRankLogDensityGradient()(*inputs)
        return [g * dG, g * dv, g * dsquare, pt.zeros_like(inputs[3]), g * dvariance]


class LowRankLogDensityGradient(CompiledOp):
    """(G (M, M), v (M,), r'r, n, s^2) -> derivatives of the log density by all but n."""

    gufunc_signature = "(m,m),(m),(),(),()->(m,m),(m),(),()"
    implementation = staticmethod(_gradient)

    def make_node(self, *inputs: Any) -> Apply:
        return Apply(self, list(inputs), [pt.dmatrix(), pt.dvector(), pt.dscalar(), pt.dscalar()])

    def infer_shape(self, node: Apply, shapes: Any) -> list[Any]:
        return [shapes[0], shapes[1], (), ()]


class LowRankFactors(CompiledOp):
    """(G (M, M), v (M,), s^2) -> F (M, M) and B^-1 v / s^2 (M,).

    The weights w ~ N(0, I) of r = A'w + noise have the conditional mean B^-1 v / s^2 and covariance B^-1 = F'F.
    """

    gufunc_signature = "(m,m),(m),()->(m,m),(m)"
    implementation = staticmethod(_factors)

    def make_node(self, *inputs: Any) -> Apply:
        return Apply(self, [pt.as_tensor(x) for x in inputs], [pt.dmatrix(), pt.dvector()])

    def infer_shape(self, node: Apply, shapes: Any) -> list[Any]:
        return [shapes[0], shapes[1]]


low_rank_log_density = LowRankLogDensity()
low_rank_factors = LowRankFactors()
