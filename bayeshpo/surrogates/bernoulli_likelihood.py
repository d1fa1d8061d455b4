"""Marginal likelihood of a Gaussian process seen through successes and failures, by expectation propagation.

P(z | f) = prod_i Phi(z_i f_i), z = 1 or -1, f = m + g, g ~ N(0, K). Each factor is replaced by the Gaussian
exp(nu_i g_i - tau_i g_i^2 / 2) that leaves the moments of the approximate posterior of g_i as they are with the factor
itself in place (Minka 2001; Rasmussen and Williams 2006, sec. 3.6). With B = I + T^1/2 K T^1/2, T = diag(tau),
R = T^1/2 B^-1 T^1/2 and a = nu - R K nu, the posterior is N(K a, K - K R K), and the log likelihood has the derivatives
1/2 (a a' - R) by K and a by m. With the posterior N(c_i, v_i) of g_i without its own factor, the cavity, and
u_i = z_i (m_i + c_i) / sqrt(1 + v_i), it is

    -1/2 log |B| + 1/2 nu'K a + sum_i [log Phi(u_i) + 1/2 log(1 + tau_i v_i)
                                        - 1/2 (nu_i^2 v_i + 2 nu_i c_i - tau_i c_i^2) / (1 + tau_i v_i)].

Laplace's approximation takes fewer steps, but puts what surely fails too near to where it may finish (Kuss and
Rasmussen 2005). Loops, not array expressions, because these compile in a fifth of the time.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from pytensor.graph.basic import Apply

from bayeshpo.surrogates.compiled_op import CompiledOp, LogDensityOp
from bayeshpo.surrogates.linear_algebra import gram_of_rows, stable_cholesky, triangular_inverse
from bayeshpo.surrogates.symbolic import numba_njit, pt

_HALF_LOG_TWO_PI = 0.5 * np.log(2.0 * np.pi)
# All factors are replaced at once, and not all of the way: whole steps can go to and fro for ever.
_STEP = 0.8
_MOST_STEPS, _CONVERGED = 200, 1e-8


@numba_njit
def _log_ndtr(u):
    """log Phi(u), and its derivative phi / Phi; far below zero by the continued fraction of Mills' ratio."""
    if u > -6.0:
        log_p = math.log(0.5 * math.erfc(-u / math.sqrt(2.0)))
        return log_p, math.exp(-0.5 * u * u - _HALF_LOG_TWO_PI - log_p)
    tail = -u
    for k in range(40, 0, -1):
        tail = -u + k / tail
    return -0.5 * u * u - _HALF_LOG_TWO_PI - math.log(tail), tail


@numba_njit
def _times(A, x):
    """A x (n,) of A (n, n)."""
    n = x.shape[0]
    y = np.zeros(n)
    for i in range(n):
        for j in range(n):
            y[i] += A[i, j] * x[j]
    return y


@numba_njit
def _factor(K, tau):
    """M = L^-1 T^1/2 (n, n), so that R = M'M, and log |B| / 2; L is the factor of B."""
    n = K.shape[0]
    B = np.empty((n, n))
    for i in range(n):
        for j in range(n):
            B[i, j] = K[i, j] * math.sqrt(tau[i] * tau[j])
    L, _ = stable_cholesky(B, 1.0)
    M = triangular_inverse(L)
    half = 0.0
    for i in range(n):
        half += math.log(L[i, i])
        for j in range(i + 1):
            M[i, j] *= math.sqrt(tau[j])
    return M, half


@numba_njit
def _weights(K, M, nu):
    """a = nu - R K nu (n,)."""
    n = nu.shape[0]
    s = _times(M, _times(K, nu))
    a = nu.copy()
    for k in range(n):
        for j in range(k + 1):
            a[j] -= M[k, j] * s[k]
    return a


@numba_njit
def _variances(K, M):
    """Diagonal (n,) of K - K R K."""
    n = K.shape[0]
    variance, row = np.empty(n), np.empty(n)
    for i in range(n):
        variance[i] = K[i, i]
    for k in range(n):
        row[:] = 0.0
        for j in range(k + 1):
            for i in range(n):
                row[i] += M[k, j] * K[j, i]
        for i in range(n):
            variance[i] -= row[i] * row[i]
    return variance


@numba_njit
def _cavity(mean, variance, tau, nu):
    """Mean and variance of one g without its own factor."""
    v = 1.0 / (1.0 / variance - tau)
    return v * (mean / variance - nu), v


@numba_njit
def propagated(K, m, z):
    """tau and nu (n,) at which moments agree; mean and variance (n,) of g, M, a and log |B| / 2 there."""
    n = m.shape[0]
    tau, nu, mean, variance = np.zeros(n), np.zeros(n), np.zeros(n), np.empty(n)
    for i in range(n):
        variance[i] = K[i, i]
    steps = 0
    while True:
        change = 0.0
        for i in range(n):
            c, v = _cavity(mean[i], variance[i], tau[i], nu[i])
            s = math.sqrt(1.0 + v)
            u = z[i] * (m[i] + c) / s
            _, slope = _log_ndtr(u)
            curvature = slope * (u + slope)
            left = 1.0 + v * (1.0 - curvature)
            by_tau = curvature / left - tau[i]
            by_nu = (curvature * c + z[i] * slope * s) / left - nu[i]
            # In units of the cavity with an outcome's own noise.
            change = max(change, abs(by_tau) * s * s, abs(by_nu) * s)
            tau[i] += _STEP * by_tau
            nu[i] += _STEP * by_nu
        M, half = _factor(K, tau)
        a = _weights(K, M, nu)
        mean, variance = _times(K, a), _variances(K, M)
        steps += 1
        if steps == _MOST_STEPS or not change > _CONVERGED:
            return tau, nu, mean, variance, M, a, half


@numba_njit
def log_probability(K, m, z):
    """log P(z); not finite where it cannot be had."""
    tau, nu, mean, variance, _, _, half = propagated(K, m, z)
    total = -half
    for i in range(m.shape[0]):
        c, v = _cavity(mean[i], variance[i], tau[i], nu[i])
        log_p, _ = _log_ndtr(z[i] * (m[i] + c) / math.sqrt(1.0 + v))
        wide = 1.0 + tau[i] * v
        total += log_p + 0.5 * (nu[i] * mean[i] + math.log(wide))
        total -= 0.5 * (nu[i] * nu[i] * v + 2.0 * nu[i] * c - tau[i] * c * c) / wide
    return total


def _log_density(K, m, z):
    total = log_probability(K, m, z)
    return np.asarray(total if np.isfinite(total) else -np.inf)


def _log_density_gradient(K, m, z):
    _, _, _, _, M, a, _ = propagated(K, m, z)
    G = gram_of_rows(M)
    for i in range(m.shape[0]):
        for j in range(m.shape[0]):
            G[i, j] = 0.5 * (a[i] * a[j] - G[i, j])
    return G, a


def _conditional_factors(K, m, z):
    _, _, _, _, M, a, _ = propagated(K, m, z)
    return M, a


class BernoulliLogDensityGradient(CompiledOp):
    """(K (n, n), m (n,), z (n,)) -> derivatives of the log likelihood by K and by m."""

    gufunc_signature = "(n,n),(n),(n)->(n,n),(n)"
    implementation = staticmethod(_log_density_gradient)

    def make_node(self, *inputs: Any) -> Apply:
        return Apply(self, list(inputs), [pt.dmatrix(), pt.dvector()])

    def infer_shape(self, node: Apply, shapes: Any) -> list[Any]:
        return list(shapes[:2])


class BernoulliLogDensity(LogDensityOp):
    """(K (n, n), m (n,), z (n,)) -> log P(z), z = 1 for a success and -1 for a failure."""

    gufunc_signature = "(n,n),(n),(n)->()"
    implementation = staticmethod(_log_density)
    gradient = BernoulliLogDensityGradient


class BernoulliFactors(CompiledOp):
    """(K (n, n), m (n,), z (n,)) -> M (n, n) and alpha (n,).

    f(x) has the mean m + k alpha and the variance k(x, x) - |M k'|^2.
    """

    gufunc_signature = "(n,n),(n),(n)->(n,n),(n)"
    implementation = staticmethod(_conditional_factors)

    def make_node(self, *inputs: Any) -> Apply:
        return Apply(self, [pt.as_tensor(x) for x in inputs], [pt.dmatrix(), pt.dvector()])

    def infer_shape(self, node: Apply, shapes: Any) -> list[Any]:
        return list(shapes[:2])


bernoulli_log_density = BernoulliLogDensity()
bernoulli_factors = BernoulliFactors()
