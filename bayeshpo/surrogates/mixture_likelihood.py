"""Marginal likelihood of a Gaussian process under noise that is a mixture of normals, as Student's t is one of scales.

y_i = f_i + e_i with e_i ~ sum_k w_k N(0, s_k^2). Each trial has a variance of its own, c_i, which is to be to f what
the mixture is, and C = K + diag(c) takes the place of K + s^2 I everywhere. With R = C^-1, a = R r and d_i = R_ii, the
other trials leave r_i with the mean r_i - rho_i, rho_i = a_i / d_i, and f_i with the variance v_i = 1 / d_i - c_i
(Rasmussen and Williams 2006, eqs. 5.10 to 5.12). With t_k = v_i + s_k^2 and p_k proportional to w_k N(rho_i | 0, t_k):

log q(r) = log N(r | 0, C) + sum_i (log sum_k w_k N(rho_i | 0, t_k) - log N(rho_i | 0, 1 / d_i)),
1 / (v_i + c_i) = d_i = sum_k p_k / t_k.

This is expectation propagation (Minka 2001; for Student's t Jylanki, Vanhatalo and Vehtari 2011) with sites that are
centred at y_i and have the mean of f_i right; c_i is an average of the s_k^2, so no site has a negative precision, and
the conditional is that of a Gaussian process with the noise c. It is exact for one trial, for trials that are
independent, and for one component. Laplace's approximation is wrong by -0.2 a trial (nu = 3) wherever f follows the
data closely.

The iteration begins with the same c for all trials, and takes what matches the others' c for c. There always is a c
that matches (Brouwer: what matches is between the least and the largest s_k^2, and continuous in c), but where many
trials contradict the hyperparameters there can be several, and whole steps swing between them. After a few of these the
steps are implicit ones along d log c / dt = log(what matches / c), the longer the nearer to the end, where they are
Newton's (pseudo-transient continuation: Kelley and Keyes 1998). Which c is found can change with the hyperparameters
there, and the density then has a step; its gradient is right on either side of it.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from pytensor.graph.basic import Apply

from bayeshpo.surrogates.compiled_op import CompiledOp, LogDensityOp
from bayeshpo.surrogates.linear_algebra import gram_of_rows, solved, stable_cholesky, triangular_inverse
from bayeshpo.surrogates.symbolic import numba_njit, pt

_HALF_LOG_TWO_PI = 0.5 * np.log(2.0 * np.pi)
# Steps that c is replaced as a whole, and the largest change of log c and longest of Newton's steps where these do.
_WHOLE_STEPS, _NEAR, _LONGEST = 8, 0.05, 0.3
# Lengths of implicit steps in time, times the largest change of log c, which no step exceeds 1 of: one after the other
# until one of them arrives within so many steps.
_PACES, _MOST_STEPS = np.array([0.3, 0.15, 0.2]), 250
# The length of a step below which it is the last: what is left is its square.
_CONVERGED = 1e-4


@numba_njit
def _inverse(K, c):
    """R = (K + diag(c))^-1 (n, n) and half of log |R|."""
    C = K.copy()
    for i in range(K.shape[0]):
        C[i, i] += c[i]
    L, _ = stable_cholesky(C, 0.0)
    half = 0.0
    for i in range(K.shape[0]):
        half -= math.log(L[i, i])
    return gram_of_rows(triangular_inverse(L)), half


@numba_njit
def _site(rho, v, variances, weights, p):
    """Of one trial: the log of its density, h = sum p / t, sum p / t^2, c that matches, and slopes of h by rho and v.

    Leaves the components' shares p (k,) of the density.
    """
    # Of normals with the same mean the widest is nowhere far below the others.
    widest, total = np.inf, 0.0
    for k in range(variances.shape[0]):
        widest = min(widest, 1.0 / (v + variances[k]))
    for k in range(variances.shape[0]):
        precision = 1.0 / (v + variances[k])
        p[k] = weights[k] * math.sqrt(precision) * math.exp(0.5 * rho * rho * (widest - precision))
        total += p[k]
    h, h2, h3, c = 0.0, 0.0, 0.0, 0.0
    for k in range(variances.shape[0]):
        p[k] /= total
        precision = 1.0 / (v + variances[k])
        share = p[k] * precision
        h += share
        c += share * variances[k]
        share *= precision
        h2 += share
        h3 += share * precision
    by_v = 0.5 * (h * h + rho * rho * (h3 - h2 * h)) - 1.5 * h2
    return math.log(total) - 0.5 * rho * rho * widest - _HALF_LOG_TWO_PI, h, h2, c / h, -rho * (h2 - h * h), by_v


@numba_njit
def _sites(R, r, c, variances, weights):
    """a, v, p (n, k), and what `_site` gives of each trial, in rows."""
    n = r.shape[0]
    p = np.empty((n, variances.shape[0]))
    a, v, found = np.zeros(n), np.empty(n), np.empty((6, n))
    for i in range(n):
        for j in range(n):
            a[i] += R[i, j] * r[j]
        rho = a[i] / R[i, i]
        # Where the other trials know f_i by heart rounding is all that is left.
        v[i] = max(1.0 / R[i, i] - c[i], 1e-14 * c[i])
        for j, value in enumerate(_site(rho, v[i], variances, weights, p[i])):
            found[j, i] = value
    return a, v, p, found


@numba_njit
def _slope_of_matching(R, a, by_rho, by_v):
    """Of h - d: derivatives by c (n, n), and by a and by d, each (n,)."""
    n = a.shape[0]
    G, by_a, by_d = np.empty((n, n)), np.empty(n), np.empty(n)
    for i in range(n):
        d = R[i, i]
        by_a[i] = by_rho[i] / d
        by_d[i] = -(by_rho[i] * a[i] + by_v[i]) / (d * d) - 1.0
        for j in range(n):
            G[i, j] = -(by_a[i] * a[j] + by_d[i] * R[i, j]) * R[i, j]
        G[i, i] -= by_v[i]
    return G, by_a, by_d


@numba_njit
def _equivalent(K, r, variances, log_weights):
    """c (n,) at which each matches the others'; NaN where K cannot be factorised."""
    n = r.shape[0]
    weights, start, c = np.exp(log_weights), 0.0, np.empty(n)
    for k in range(variances.shape[0]):
        start += weights[k] * variances[k]
    for pace in _PACES:
        c[:] = start
        for turn in range(_MOST_STEPS if n else 0):
            R, half = _inverse(K, c)
            if not math.isfinite(half):
                return np.full(n, np.nan)
            a, _, _, found = _sites(R, r, c, variances, weights)
            off = 0.0
            for i in range(n):
                off = max(off, abs(math.log(found[3, i] / c[i])))
            whole = turn < _WHOLE_STEPS
            if off < _NEAR or not whole:
                step, length = _implicit_step(R, a, c, found, 0.0 if whole else off / pace)
                if length < _LONGEST or not whole:
                    for i in range(n):
                        c[i] *= math.exp(step[i] / max(length, 1.0))
                    if length < _CONVERGED:
                        return c
                    continue
            for i in range(n):
                c[i] = found[3, i]
    return c


@numba_njit
def _implicit_step(R, a, c, found, slowness):
    """Step of log c (n,) along log(what matches / c), Newton's where the slowness is 0, and the largest of it."""
    n = a.shape[0]
    A, _, _ = _slope_of_matching(R, a, found[4], found[5])
    off, length = np.empty(n), 0.0
    for i in range(n):
        # What matches is 1 / h - v, v = 1 / d - c.
        d, h, matching = R[i, i], found[1, i], found[3, i]
        off[i] = math.log(matching / c[i])
        for j in range(n):
            by_d = R[i, j] * R[i, j]
            A[i, j] = ((A[i, j] - by_d) / (h * h) + by_d / (d * d)) * c[j] / matching
        A[i, i] += 1.0 + slowness - c[i] / matching
    step = solved(A, off)
    for i in range(n):
        length = max(length, abs(step[i])) if math.isfinite(step[i]) else np.inf
    return step, length


@numba_njit
def _state(K, r, variances, log_weights):
    """R, half of log |R|, c, and what `_sites` gives, at the c that matches."""
    c = _equivalent(K, r, variances, log_weights)
    R, half = _inverse(K, c)
    return R, half, c, _sites(R, r, c, variances, np.exp(log_weights))


def _log_density(K, r, variances, log_weights):
    R, total, _, (a, _, _, found) = _state(K, r, variances, log_weights)
    for i in range(r.shape[0]):
        total += found[0, i] - 0.5 * (math.log(R[i, i]) + a[i] * (r[i] - a[i] / R[i, i]))
    return np.asarray(total if math.isfinite(total) else -np.inf)


def _log_density_gradient(K, r, variances, log_weights):
    n, components = r.shape[0], variances.shape[0]
    R, _, _, (a, v, p, found) = _state(K, r, variances, log_weights)
    h, h2 = found[1], found[2]
    # Matched as c is, log q changes with d directly, and with c by way of the other trials' d.
    direct, by_c = np.empty(n), np.empty(n)
    for i in range(n):
        direct[i] = 0.5 * (a[i] / R[i, i]) ** 2 * (1.0 - h2[i] / R[i, i] ** 2)
    for i in range(n):
        by_c[i] = R[i, i] ** 2 * direct[i]
        for j in range(n):
            by_c[i] -= R[i, j] ** 2 * direct[j]
    G, by_a, by_d = _slope_of_matching(R, a, found[4], found[5])
    # How c moves with everything, by one solution of the transposed equations.
    x = solved(G.T, -by_c)
    b, of_d, total_d = np.zeros(n), np.zeros((n, n)), direct + x * by_d
    for i in range(n):
        for k in range(n):
            b[i] += R[i, k] * x[k] * by_a[k]
            w = R[i, k] * total_d[k]
            for j in range(n):
                of_d[i, j] += w * R[k, j]
    by_K, by_r, by_variances, by_weights = np.empty((n, n)), np.empty(n), np.zeros(components), np.zeros(components)
    for i in range(n):
        by_r[i] = b[i] - a[i]
        for j in range(n):
            by_K[i, j] = 0.5 * (a[i] * a[j] - R[i, j] - b[i] * a[j] - a[i] * b[j]) - of_d[i, j]
        rho = a[i] / R[i, i]
        for k in range(components):
            precision = 1.0 / (v[i] + variances[k])
            slope, more = 0.5 * (rho * rho * precision - 1.0) * precision, precision - h[i]
            by_variances[k] += p[i, k] * (slope + x[i] * (slope * more - precision * precision))
            by_weights[k] += p[i, k] * (1.0 + x[i] * more)
    return by_K, by_r, by_variances, by_weights


def _equivalent_variances(K, r, variances, log_weights):
    return _equivalent(K, r, variances, log_weights)


class MixtureLogDensityGradient(CompiledOp):
    """(K (n, n), r (n,), s_k^2 (k,), log w (k,)) -> derivatives of log q by all of them."""

    gufunc_signature = "(n,n),(n),(k),(k)->(n,n),(n),(k),(k)"
    implementation = staticmethod(_log_density_gradient)

    def make_node(self, *inputs: Any) -> Apply:
        return Apply(self, list(inputs), [pt.dmatrix(), *(pt.dvector() for _ in range(3))])

    def infer_shape(self, node: Apply, shapes: Any) -> list[Any]:
        return list(shapes)


class MixtureLogDensity(LogDensityOp):
    """(K (n, n), r (n,), s_k^2 (k,), log w (k,)) -> log q(r); -inf where it cannot be had."""

    gufunc_signature = "(n,n),(n),(k),(k)->()"
    implementation = staticmethod(_log_density)
    gradient = MixtureLogDensityGradient


class EquivalentVariances(CompiledOp):
    """(K (n, n), r (n,), s_k^2 (k,), log w (k,)) -> c (n,)."""

    gufunc_signature = "(n,n),(n),(k),(k)->(n)"
    implementation = staticmethod(_equivalent_variances)

    def make_node(self, *inputs: Any) -> Apply:
        return Apply(self, [pt.as_tensor(x) for x in inputs], [pt.dvector()])

    def infer_shape(self, node: Apply, shapes: Any) -> list[Any]:
        return [shapes[1]]


mixture_log_density = MixtureLogDensity()
equivalent_variances = EquivalentVariances()
