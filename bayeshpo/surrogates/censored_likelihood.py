"""Marginal likelihood of a Gaussian process of which some outcomes are known exactly, and others by a bound.

Of n outcomes y = f + s e, e ~ N(0, 1), the residuals r are told, and of m others no more than that they are at least b
(a Tobit likelihood; Tobin 1958, for Gaussian processes Groot and Lucas 2012). With C = K_nn + s^2 I, W = K_bn C^-1,
mu = W r and S = K_bb - W K_nb, all residuals from the prior mean,

log p = log N(r | 0, C) + log E prod_i Phi((f_i - b_i) / s),  f ~ N(mu, S),

where the expectation is one of expectation propagation (`bernoulli_likelihood`) with the covariance S / s^2 and the
mean (mu - b) / s; it leaves R_b (m, m) and a_b (m,). Both factors together are one propagation in which the factors of
what is told are as they should be from the start. So the derivatives are 1/2 (a a' - R) by K and -a by residuals and
bounds, with, the bounds first,

R = [R_b, -R_b W; -W' R_b, C^-1 + W' R_b W],  a = (a_b, C^-1 r - W' a_b).
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from pytensor.graph.basic import Apply

from bayeshpo.surrogates.bernoulli_likelihood import log_probability, propagated
from bayeshpo.surrogates.compiled_op import CompiledOp, LogDensityOp
from bayeshpo.surrogates.linear_algebra import forward_substitution, gram_of_rows, stable_cholesky, triangular_inverse
from bayeshpo.surrogates.symbolic import numba_njit, pt

_HALF_LOG_TWO_PI = 0.5 * np.log(2.0 * np.pi)


@numba_njit
def _told(K, bound, r, variance):
    """log N(r | 0, C), M = L^-1 (n, n), W (m, n), M r (n,), the jitter; S / s^2 (m, m) and (mu - b) / s (m,)."""
    m, n = bound.shape[0], r.shape[0]
    L, jitter = stable_cholesky(K[m:, m:].copy(), variance)
    white, M = forward_substitution(L, r), triangular_inverse(L)
    total = 0.0
    for i in range(n):
        total -= 0.5 * white[i] * white[i] + math.log(L[i, i]) + _HALF_LOG_TWO_PI
    A = np.zeros((m, n))
    for i in range(m):
        for j in range(n):
            for k in range(j + 1):
                A[i, j] += K[i, m + k] * M[j, k]
    W, S, above = np.zeros((m, n)), np.empty((m, m)), np.empty(m)
    for i in range(m):
        gap = -bound[i]
        for j in range(n):
            gap += A[i, j] * white[j]
            for k in range(j + 1):
                W[i, k] += A[i, j] * M[j, k]
        above[i] = gap / math.sqrt(variance)
        for j in range(m):
            left = K[i, j]
            for k in range(n):
                left -= A[i, k] * A[j, k]
            S[i, j] = left / variance
    return total, M, W, white, jitter, S, above


@numba_njit
def _factors(K, bound, r, variance):
    """M (m + n, m + n) with R = M'M, a (m + n,) and the jitter; S / s^2, (mu - b) / s, R_b s^2 and a_b s."""
    m, n = bound.shape[0], r.shape[0]
    _, inverse, W, white, jitter, S, above = _told(K, bound, r, variance)
    _, _, _, _, M_b, a_b, _ = propagated(S, above, np.ones(m))
    M, a, s = np.zeros((m + n, m + n)), np.zeros(m + n), math.sqrt(variance)
    for i in range(m):
        a[i] = a_b[i] / s
        for j in range(i + 1):
            M[i, j] = M_b[i, j] / s
            for k in range(n):
                M[i, m + k] -= M_b[i, j] * W[j, k] / s
    for i in range(n):
        for j in range(i + 1):
            M[m + i, m + j] = inverse[i, j]
            a[m + j] += inverse[i, j] * white[i]
        for k in range(m):
            a[m + i] -= W[k, i] * a[k]
    return M, a, jitter, S, above, gram_of_rows(M_b), a_b


def _log_density(K, bound, r, variance):
    total, _, _, _, _, S, above = _told(K, bound, r, variance.item())
    total += log_probability(S, above, np.ones(bound.shape[0]))
    return np.asarray(total if np.isfinite(total) else -np.inf)


def _log_density_gradient(K, bound, r, variance):
    m, s2 = bound.shape[0], variance.item()
    M, a, _, S, above, R_b, a_b = _factors(K, bound, r, s2)
    G = M.T @ M
    for i in range(G.shape[0]):
        for j in range(G.shape[0]):
            G[i, j] = 0.5 * (a[i] * a[j] - G[i, j])
    # Of what is told the variance is on the diagonal; of the bounds it is the unit.
    by_variance = 0.0
    for i in range(m, G.shape[0]):
        by_variance += G[i, i]
    for i in range(m):
        by_variance -= 0.5 * a_b[i] * above[i] / s2
        for j in range(m):
            by_variance -= 0.5 * (a_b[i] * a_b[j] - R_b[i, j]) * S[i, j] / s2
    return G, -a[:m], -a[m:], np.asarray(by_variance)


def _conditional_factors(K, bound, r, variance):
    M, a, jitter, _, _, _, _ = _factors(K, bound, r, variance.item())
    return M, a, np.asarray(jitter)


class CensoredLogDensityGradient(CompiledOp):
    """(K (m + n, m + n), b (m,), r (n,), s^2) -> derivatives of log p by all of them."""

    gufunc_signature = "(k,k),(m),(n),()->(k,k),(m),(n),()"
    implementation = staticmethod(_log_density_gradient)

    def make_node(self, *inputs: Any) -> Apply:
        return Apply(self, list(inputs), [pt.dmatrix(), pt.dvector(), pt.dvector(), pt.dscalar()])

    def infer_shape(self, node: Apply, shapes: Any) -> list[Any]:
        return list(shapes)


class CensoredLogDensity(LogDensityOp):
    """(K (m + n, m + n), b (m,), r (n,), s^2) -> log p, the bounds first; -inf where it cannot be had."""

    gufunc_signature = "(k,k),(m),(n),()->()"
    implementation = staticmethod(_log_density)
    gradient = CensoredLogDensityGradient


class CensoredFactors(CompiledOp):
    """(K (m + n, m + n), b (m,), r (n,), s^2) -> M (m + n, m + n), alpha (m + n,) and the jitter that was needed.

    f(x) has the mean m + k alpha and the variance k(x, x) - |M k'|^2.
    """

    gufunc_signature = "(k,k),(m),(n),()->(k,k),(k),()"
    implementation = staticmethod(_conditional_factors)

    def make_node(self, *inputs: Any) -> Apply:
        return Apply(self, [pt.as_tensor(x) for x in inputs], [pt.dmatrix(), pt.dvector(), pt.dscalar()])

    def infer_shape(self, node: Apply, shapes: Any) -> list[Any]:
        return [shapes[0], shapes[0][:1], ()]


censored_log_density = CensoredLogDensity()
censored_factors = CensoredFactors()
