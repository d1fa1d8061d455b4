"""Stationary kernels of scaled inputs as single nodes with analytic gradients.

Inputs are divided by their lengthscales first, so a kernel is a variance v times a function k of a distance q alone.
Of the squared Euclidean one (Rasmussen and Williams 2006, eqs. 4.9 and 4.14 to 4.17), with dk/da = 2 k'(q) (a - b):

    rbf        s = q / 2        k = exp(-s)                       k' = -exp(-s) / 2
    matern12   s = sqrt(q)      k = exp(-s)                       k' = -exp(-s) / (2 s)
    matern32   s = sqrt(3 q)    k = (1 + s) exp(-s)               k' = -3/2 exp(-s)
    matern52   s = sqrt(5 q)    k = (1 + s + s^2 / 3) exp(-s)     k' = -5/6 (1 + s) exp(-s)

Of the sum of absolute differences, with dk/da = k'(q) sign(a - b), the one of `trees.py`:

    leaf                        k = 1 / (1 + q)                   k' = -1 / (1 + q)^2

Matern-1/2 has no derivative at a = b, the leaf's none where a coordinate is the same; 0 stands for it. The variance is
an argument, because multiplying by it outside would go over the whole matrix again.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from pytensor.graph.basic import Apply

from bayeshpo.errors import SpecificationError, unknown_name
from bayeshpo.surrogates.fast_exp import exp_negative
from bayeshpo.surrogates.kernel_op import CovarianceGradientOp, CovarianceOp, Loops
from bayeshpo.surrogates.symbolic import numba_njit


# For each kernel its value and its slope: from a row of distances q[:count] to k or k' in out[:count], with
# the buffers ``s`` and ``bits``.
@numba_njit
def _rbf(q, count, s, bits, out):
    for j in range(count):
        s[j] = 0.5 * q[j]
    exp_negative(s, count, bits, out)


@numba_njit
def _rbf_slope(q, count, s, bits, out):
    _rbf(q, count, s, bits, out)
    for j in range(count):
        out[j] *= -0.5


@numba_njit
def _matern12(q, count, s, bits, out):
    for j in range(count):
        s[j] = np.sqrt(q[j])
    exp_negative(s, count, bits, out)


@numba_njit
def _matern12_slope(q, count, s, bits, out):
    _matern12(q, count, s, bits, out)
    for j in range(count):
        out[j] = -0.5 * out[j] / s[j] if s[j] > 0.0 else 0.0


@numba_njit
def _matern32(q, count, s, bits, out):
    for j in range(count):
        s[j] = np.sqrt(3.0 * q[j])
    exp_negative(s, count, bits, out)
    for j in range(count):
        out[j] *= 1.0 + s[j]


@numba_njit
def _matern32_slope(q, count, s, bits, out):
    for j in range(count):
        s[j] = np.sqrt(3.0 * q[j])
    exp_negative(s, count, bits, out)
    for j in range(count):
        out[j] *= -1.5


@numba_njit
def _matern52(q, count, s, bits, out):
    for j in range(count):
        s[j] = np.sqrt(5.0 * q[j])
    exp_negative(s, count, bits, out)
    for j in range(count):
        out[j] *= 1.0 + s[j] + s[j] * s[j] / 3.0


@numba_njit
def _matern52_slope(q, count, s, bits, out):
    for j in range(count):
        s[j] = np.sqrt(5.0 * q[j])
    exp_negative(s, count, bits, out)
    for j in range(count):
        out[j] *= -5.0 / 6.0 * (1.0 + s[j])


@numba_njit
def _leaf(q, count, s, bits, out):
    for j in range(count):
        out[j] = 1.0 / (1.0 + q[j])


@numba_njit
def _leaf_slope(q, count, s, bits, out):
    for j in range(count):
        out[j] = -1.0 / ((1.0 + q[j]) * (1.0 + q[j]))


# For each distance a row of it, and its derivative by one coordinate's difference t.
@numba_njit
def _squares(a, BT, count, out):
    """out[j] = |a - b_j|^2 for j < count, where column j of BT (d, n) is b_j."""
    for j in range(count):
        out[j] = 0.0
    for k in range(a.shape[0]):
        for j in range(count):
            t = a[k] - BT[k, j]
            out[j] += t * t


@numba_njit
def _slope_of_square(t):
    return 2.0 * t


@numba_njit
def _absolutes(a, BT, count, out):
    """The same of the sum of absolute differences."""
    for j in range(count):
        out[j] = 0.0
    for k in range(a.shape[0]):
        for j in range(count):
            out[j] += abs(a[k] - BT[k, j])


@numba_njit
def _slope_of_absolute(t):
    return np.sign(t)


def _loops(value: Any, slope: Any, distances: Any = _squares, along: Any = _slope_of_square) -> Loops:
    def gram(A, variance):
        n, v = A.shape[0], variance.item()
        AT = np.ascontiguousarray(A.T)
        K = np.empty((n, n))
        q, s, k, bits = np.empty(n), np.empty(n), np.empty(n), np.empty(n, np.int64)
        for i in range(n):
            distances(A[i], AT, i, q)
            value(q, i, s, bits, k)
            for j in range(i):
                K[i, j] = v * k[j]
            K[i, i] = v
        for i in range(n):
            for j in range(i):
                K[j, i] = K[i, j]
        return K

    def gram_gradient(A, variance, W):
        n, d = A.shape
        v = variance.item()
        AT = np.ascontiguousarray(A.T)
        G = np.zeros((n, d))
        q, s, k, bits = np.empty(n), np.empty(n), np.empty(n), np.empty(n, np.int64)
        for i in range(n):
            distances(A[i], AT, i, q)
            slope(q, i, s, bits, k)
            for j in range(i):
                w = v * k[j] * (W[i, j] + W[j, i])
                for c in range(d):
                    t = w * along(A[i, c] - A[j, c])
                    G[i, c] += t
                    G[j, c] -= t
        return G

    def cross(A, B, variance):
        m, n, v = A.shape[0], B.shape[0], variance.item()
        BT = np.ascontiguousarray(B.T)
        K = np.empty((m, n))
        q, s, bits = np.empty(n), np.empty(n), np.empty(n, np.int64)
        for i in range(m):
            distances(A[i], BT, n, q)
            value(q, n, s, bits, K[i])
            for j in range(n):
                K[i, j] *= v
        return K

    def cross_gradient(A, B, variance, W):
        m, d = A.shape
        n, v = B.shape[0], variance.item()
        BT = np.ascontiguousarray(B.T)
        GA, GB = np.zeros((m, d)), np.zeros((n, d))
        q, s, k, bits = np.empty(n), np.empty(n), np.empty(n), np.empty(n, np.int64)
        for i in range(m):
            distances(A[i], BT, n, q)
            slope(q, n, s, bits, k)
            for j in range(n):
                w = v * k[j] * W[i, j]
                for c in range(d):
                    t = w * along(A[i, c] - B[j, c])
                    GA[i, c] += t
                    GB[j, c] -= t
        return GA, GB

    return Loops(gram, gram_gradient, cross, cross_gradient)


_EUCLIDEAN: dict[str, Loops] = {
    "rbf": _loops(_rbf, _rbf_slope),
    "matern12": _loops(_matern12, _matern12_slope),
    "matern32": _loops(_matern32, _matern32_slope),
    "matern52": _loops(_matern52, _matern52_slope),
}
_LOOPS = _EUCLIDEAN | {"leaf": _loops(_leaf, _leaf_slope, _absolutes, _slope_of_absolute)}
# Of any coordinates.
KERNELS = tuple(_EUCLIDEAN)


def check(kernel: str) -> None:
    """Refuse a kernel that there is none of.

    Raises
    ------
    SpecificationError
        With the nearest valid name.
    """
    if kernel not in KERNELS:
        raise SpecificationError(unknown_name("kernel", kernel, KERNELS))


class GramGradient(CovarianceGradientOp):
    """(A (n, d), v, W (n, n)) -> derivative (n, d) of sum(W * v k(A, A)) by A."""

    gufunc_signature = "(n,d),(),(n,n)->(n,d)"
    loops, loop = _LOOPS, "gram_gradient"


class Gram(CovarianceOp):
    """(A (n, d), v) -> v k(A, A) (n, n); half the exponentials of the general case."""

    gufunc_signature = "(n,d),()->(n,n)"
    loops, loop, gradient = _LOOPS, "gram", GramGradient

    def infer_shape(self, node: Apply, shapes: Any) -> list[Any]:
        n = shapes[0][0]
        return [(n, n)]


class CrossGradient(CovarianceGradientOp):
    """(A (m, d), B (n, d), v, W (m, n)) -> derivatives of sum(W * v k(A, B)) by A and by B."""

    gufunc_signature = "(m,d),(n,d),(),(m,n)->(m,d),(n,d)"
    loops, loop = _LOOPS, "cross_gradient"


class Cross(CovarianceOp):
    """(A (m, d), B (n, d), v) -> v k(A, B) (m, n)."""

    gufunc_signature = "(m,d),(n,d),()->(m,n)"
    loops, loop, gradient = _LOOPS, "cross", CrossGradient

    def infer_shape(self, node: Apply, shapes: Any) -> list[Any]:
        return [(shapes[0][0], shapes[1][0])]


def stationary(kernel: str, variance: Any, A: Any, B: Any | None = None) -> Any:
    """Covariance of scaled inputs A (n, d) with themselves (n, n), or with B (m, d): (n, m)."""
    return Gram(kernel)(A, variance) if B is None else Cross(kernel)(A, B, variance)
