"""Marginal likelihood of a Gaussian process that is seen through successes and failures, by Laplace's approximation.

P(z | f) = prod_i Phi(z_i f_i), z = 1 or -1, f ~ N(m, K). With g = f - m at the mode, a = K^-1 g, W the negative second
derivatives of log Phi, B = I + W^1/2 K W^1/2 and R = W^1/2 B^-1 W^1/2 (Rasmussen and Williams 2006, sec. 3.4,
algorithms 3.1 and 5.1, eqs. 3.32, 5.21 to 5.23):

log q(z) = -1/2 a'g + sum_i log Phi(z_i f_i) - 1/2 log |B|.

The likelihood is log-concave, so there is one mode, and B is never near singular.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from pytensor.graph.basic import Apply

from bayeshpo.surrogates.compiled_op import CompiledOp, LogDensityOp
from bayeshpo.surrogates.linear_algebra import stable_cholesky, triangular_inverse
from bayeshpo.surrogates.symbolic import numba_njit, pt

_HALF_LOG_TWO_PI = 0.5 * np.log(2.0 * np.pi)
_MOST_STEPS, _CONVERGED = 50, 1e-10
_HALVINGS = 20


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
def _likelihood(z, f):
    """log Phi(z f) (n,), and its first three derivatives by f, the second with the sign turned."""
    n = f.shape[0]
    value, first, second, third = np.empty(n), np.empty(n), np.empty(n), np.empty(n)
    for i in range(n):
        u = z[i] * f[i]
        value[i], r = _log_ndtr(u)
        first[i] = z[i] * r
        second[i] = r * (u + r)
        third[i] = z[i] * r * ((u + r) ** 2 + r * (u + r) - 1.0)
    return value, first, second, third


@numba_njit
def _factor(K, W):
    """M = L^-1 W^1/2 (n, n), so that R = M'M, and log |B| / 2; L is the factor of B."""
    n = K.shape[0]
    root = np.sqrt(W)
    L, _ = stable_cholesky(K * root.reshape(n, 1) * root.reshape(1, n), 1.0)
    half = 0.0
    for i in range(n):
        half += np.log(L[i, i])
    return triangular_inverse(L) * root.reshape(1, n), half


@numba_njit
def _height(K, m, z, a):
    """Log of likelihood and prior at g = K a, but for a constant."""
    g = K @ a
    return _likelihood(z, m + g)[0].sum() - 0.5 * (a @ g)


@numba_njit
def _mode(K, m, z):
    """a (n,) at the mode, by Newton's steps, halved where one overshoots."""
    n = m.shape[0]
    a = np.zeros(n)
    height = _height(K, m, z, a)
    for _ in range(_MOST_STEPS):
        g = K @ a
        _, slope, W, _ = _likelihood(z, m + g)
        M, _ = _factor(K, W)
        b = W * g + slope
        step = b - M.T @ (M @ (K @ b)) - a
        value = _height(K, m, z, a + step)
        for _ in range(_HALVINGS):
            if value >= height - 1e-12 * abs(height):
                break
            step = step / 2.0
            value = _height(K, m, z, a + step)
        rise, height = value - height, value
        a = a + step
        if not rise > _CONVERGED:
            break
    return a


def _log_density(K, m, z):
    K, m, z = np.ascontiguousarray(K), np.ascontiguousarray(m), np.ascontiguousarray(z)
    a = _mode(K, m, z)
    g = K @ a
    value, _, W, _ = _likelihood(z, m + g)
    _, half = _factor(K, W)
    total = value.sum() - 0.5 * (a @ g) - half
    return np.asarray(total if np.isfinite(total) else -np.inf)


def _log_density_gradient(K, m, z):
    K, m, z = np.ascontiguousarray(K), np.ascontiguousarray(m), np.ascontiguousarray(z)
    n = m.shape[0]
    a = _mode(K, m, z)
    _, slope, W, third = _likelihood(z, m + K @ a)
    M, _ = _factor(K, W)
    R = M.T @ M
    RK = R @ K
    # How log |B| changes with f, and how f changes with K and m: df = (I - K R) (dK slope + dm).
    by_f = -0.5 * (np.diag(K) - (K * RK.T).sum(axis=1)) * -third
    through = by_f - RK @ by_f
    G = np.empty((n, n))
    for i in range(n):
        for j in range(n):
            G[i, j] = 0.5 * (a[i] * a[j] - R[i, j] + through[i] * slope[j] + through[j] * slope[i])
    return G, slope + through


def _conditional_factors(K, m, z):
    K, m, z = np.ascontiguousarray(K), np.ascontiguousarray(m), np.ascontiguousarray(z)
    a = _mode(K, m, z)
    _, _, W, _ = _likelihood(z, m + K @ a)
    M, _ = _factor(K, W)
    return M, a


class BernoulliLogDensityGradient(CompiledOp):
    """(K (n, n), m (n,), z (n,)) -> derivatives of log q by K and by m."""

    gufunc_signature = "(n,n),(n),(n)->(n,n),(n)"
    implementation = staticmethod(_log_density_gradient)

    def make_node(self, *inputs: Any) -> Apply:
        return Apply(self, list(inputs), [pt.dmatrix(), pt.dvector()])

    def infer_shape(self, node: Apply, shapes: Any) -> list[Any]:
        return list(shapes[:2])


class BernoulliLogDensity(LogDensityOp):
    """(K (n, n), m (n,), z (n,)) -> log q(z), z = 1 for a success and -1 for a failure."""

    gufunc_signature = "(n,n),(n),(n)->()"
    implementation = staticmethod(_log_density)
    gradient = BernoulliLogDensityGradient


class BernoulliFactors(CompiledOp):
    """(K (n, n), m (n,), z (n,)) -> M (n, n) and alpha (n,).

    f(x) has the mean m + k alpha and the variance k(x, x) - |M k'|^2 (Rasmussen and Williams 2006, eqs. 3.21 and 3.24).
    """

    gufunc_signature = "(n,n),(n),(n)->(n,n),(n)"
    implementation = staticmethod(_conditional_factors)

    def make_node(self, *inputs: Any) -> Apply:
        return Apply(self, [pt.as_tensor(x) for x in inputs], [pt.dmatrix(), pt.dvector()])

    def infer_shape(self, node: Apply, shapes: Any) -> list[Any]:
        return list(shapes[:2])


bernoulli_log_density = BernoulliLogDensity()
bernoulli_factors = BernoulliFactors()
