"""Covariances of slopes under the stationary kernels, as single nodes with analytic gradients.

With v k(q) the covariance of f at scaled inputs a and b, d = a - b and q = |d|^2, the slopes of f along u at a and
along w at b have (Rasmussen and Williams 2006, section 9.4; Solak et al. 2003)

    cov(u' grad f(a), f(b))          =  2 v k'(q) u'd
    cov(u' grad f(a), w' grad f(b))  = -v (4 k''(q) (u'd) (w'd) + 2 k'(q) u'w)

and the gradients of these need k'''. Of the kernels in `kernels.py` (s as there), with e = exp(-s):

    rbf        k'' = e / 4          k''' = -e / 8
    matern32   k'' = 9/4 e / s      k''' = -27/8 (1 + s) e / s^3
    matern52   k'' = 25/12 e        k''' = -125/24 e / s

Matern-1/2 has no slopes. Where k'' or k''' is infinite at a = b, what it is multiplied by is nothing; 0 stands for it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from pytensor.graph.basic import Apply

from bayeshpo.surrogates.fast_exp import exp_negative
from bayeshpo.surrogates.kernel_op import CovarianceGradientOp, CovarianceOp, Loops
from bayeshpo.surrogates.symbolic import numba_njit


# For each kernel its first three derivatives: from a row of squared distances q[:count] to k[0] = k', k[1] = k'' and
# k[2] = k''', each [:count], with the buffers ``s`` and ``bits``.
@numba_njit
def _rbf(q, count, s, bits, k):
    for j in range(count):
        s[j] = 0.5 * q[j]
    exp_negative(s, count, bits, k[0])
    for j in range(count):
        e = k[0, j]
        k[0, j], k[1, j], k[2, j] = -0.5 * e, 0.25 * e, -0.125 * e


@numba_njit
def _matern32(q, count, s, bits, k):
    for j in range(count):
        s[j] = np.sqrt(3.0 * q[j])
    exp_negative(s, count, bits, k[0])
    for j in range(count):
        e, reciprocal = k[0, j], 1.0 / s[j] if s[j] > 0.0 else 0.0
        k[0, j], k[1, j] = -1.5 * e, 2.25 * e * reciprocal
        k[2, j] = -3.375 * (1.0 + s[j]) * e * reciprocal * reciprocal * reciprocal


@numba_njit
def _matern52(q, count, s, bits, k):
    for j in range(count):
        s[j] = np.sqrt(5.0 * q[j])
    exp_negative(s, count, bits, k[0])
    for j in range(count):
        e, reciprocal = k[0, j], 1.0 / s[j] if s[j] > 0.0 else 0.0
        k[0, j], k[1, j], k[2, j] = -5.0 / 6.0 * (1.0 + s[j]) * e, 25.0 / 12.0 * e, -125.0 / 24.0 * e * reciprocal


@numba_njit
def _row(a, u, BT, WT, count, q, along, back, inner):
    """For j < count, b_j and w_j in the columns of BT and WT, d = a - b_j: |d|^2, u'd, w_j'd and u'w_j."""
    for j in range(count):
        q[j], along[j], back[j], inner[j] = 0.0, 0.0, 0.0, 0.0
    for c in range(a.shape[0]):
        for j in range(count):
            t = a[c] - BT[c, j]
            q[j] += t * t
            along[j] += u[c] * t
            back[j] += WT[c, j] * t
            inner[j] += u[c] * WT[c, j]


@numba_njit
def _buffers(n):
    """For a row of n pairs: q, along, back and inner of `_row`, s, the kernel's derivatives and bits."""
    return np.empty(n), np.empty(n), np.empty(n), np.empty(n), np.empty(n), np.empty((3, n)), np.empty(n, np.int64)


def _loops(derivatives: Any) -> Loops:
    def gram(A, U, variance):
        n, v = A.shape[0], variance.item()
        AT, UT = np.ascontiguousarray(A.T), np.ascontiguousarray(U.T)
        K = np.empty((n, n))
        q, along, back, inner, s, k, bits = _buffers(n)
        for i in range(n):
            _row(A[i], U[i], AT, UT, i + 1, q, along, back, inner)
            derivatives(q, i + 1, s, bits, k)
            for j in range(i + 1):
                K[i, j] = -v * (4.0 * k[1, j] * along[j] * back[j] + 2.0 * k[0, j] * inner[j])
        for i in range(n):
            for j in range(i):
                K[j, i] = K[i, j]
        return K

    def gram_gradient(A, U, variance, W):
        n, d = A.shape
        v = variance.item()
        AT, UT = np.ascontiguousarray(A.T), np.ascontiguousarray(U.T)
        GA, GU = np.zeros((n, d)), np.zeros((n, d))
        q, along, back, inner, s, k, bits = _buffers(n)
        for i in range(n):
            _row(A[i], U[i], AT, UT, i + 1, q, along, back, inner)
            derivatives(q, i + 1, s, bits, k)
            for j in range(i):
                w = v * (W[i, j] + W[j, i])
                by_q = -4.0 * k[2, j] * along[j] * back[j] - 2.0 * k[1, j] * inner[j]
                for c in range(d):
                    t = A[i, c] - A[j, c]
                    by_d = w * (2.0 * by_q * t - 4.0 * k[1, j] * (back[j] * U[i, c] + along[j] * U[j, c]))
                    GA[i, c] += by_d
                    GA[j, c] -= by_d
                    GU[i, c] -= w * (4.0 * k[1, j] * back[j] * t + 2.0 * k[0, j] * U[j, c])
                    GU[j, c] -= w * (4.0 * k[1, j] * along[j] * t + 2.0 * k[0, j] * U[i, c])
            for c in range(d):
                GU[i, c] -= 4.0 * v * W[i, i] * k[0, i] * U[i, c]
        return GA, GU

    def cross(A, U, B, variance):
        m, n, v = A.shape[0], B.shape[0], variance.item()
        BT, none = np.ascontiguousarray(B.T), np.zeros((B.shape[1], n))
        K = np.empty((m, n))
        q, along, back, inner, s, k, bits = _buffers(n)
        for i in range(m):
            _row(A[i], U[i], BT, none, n, q, along, back, inner)
            derivatives(q, n, s, bits, k)
            for j in range(n):
                K[i, j] = 2.0 * v * k[0, j] * along[j]
        return K

    def cross_gradient(A, U, B, variance, W):
        m, d = A.shape
        n, v = B.shape[0], variance.item()
        BT, none = np.ascontiguousarray(B.T), np.zeros((d, n))
        GA, GU, GB = np.zeros((m, d)), np.zeros((m, d)), np.zeros((n, d))
        q, along, back, inner, s, k, bits = _buffers(n)
        for i in range(m):
            _row(A[i], U[i], BT, none, n, q, along, back, inner)
            derivatives(q, n, s, bits, k)
            for j in range(n):
                w = 2.0 * v * W[i, j]
                for c in range(d):
                    t = A[i, c] - B[j, c]
                    by_d = w * (2.0 * k[1, j] * along[j] * t + k[0, j] * U[i, c])
                    GA[i, c] += by_d
                    GB[j, c] -= by_d
                    GU[i, c] += w * k[0, j] * t
        return GA, GU, GB

    return Loops(gram, gram_gradient, cross, cross_gradient)


_LOOPS = {"rbf": _loops(_rbf), "matern32": _loops(_matern32), "matern52": _loops(_matern52)}
# The kernels whose functions have slopes.
KERNELS = tuple(_LOOPS)


class SlopeGramGradient(CovarianceGradientOp):
    """(A (n, d), U (n, d), v, W (n, n)) -> derivatives of the sum of W times the covariance by A and by U."""

    gufunc_signature = "(n,d),(n,d),(),(n,n)->(n,d),(n,d)"
    loops, loop = _LOOPS, "gram_gradient"


class SlopeGram(CovarianceOp):
    """(A (n, d), U (n, d), v) -> covariance (n, n) of the slopes along U at A."""

    gufunc_signature = "(n,d),(n,d),()->(n,n)"
    loops, loop, gradient = _LOOPS, "gram", SlopeGramGradient

    def infer_shape(self, node: Apply, shapes: Any) -> list[Any]:
        n = shapes[0][0]
        return [(n, n)]


class SlopeCrossGradient(CovarianceGradientOp):
    """(A (m, d), U (m, d), B (n, d), v, W (m, n)) -> derivatives of the sum of W times the covariance by A, U and B."""

    gufunc_signature = "(m,d),(m,d),(n,d),(),(m,n)->(m,d),(m,d),(n,d)"
    loops, loop = _LOOPS, "cross_gradient"


class SlopeCross(CovarianceOp):
    """(A (m, d), U (m, d), B (n, d), v) -> covariance (m, n) of the slopes along U at A with f at B."""

    gufunc_signature = "(m,d),(m,d),(n,d),()->(m,n)"
    loops, loop, gradient = _LOOPS, "cross", SlopeCrossGradient

    def infer_shape(self, node: Apply, shapes: Any) -> list[Any]:
        return [(shapes[0][0], shapes[2][0])]


def slopes(kernel: str, variance: Any, A: Any, U: Any, B: Any | None = None) -> Any:
    """Covariance of slopes along U (n, d) at scaled inputs A (n, d): with themselves (n, n), or with f at B (m, d)."""
    return SlopeGram(kernel)(A, U, variance) if B is None else SlopeCross(kernel)(A, U, B, variance)
