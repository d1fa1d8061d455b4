"""Stationary kernels of scaled inputs as single nodes with analytic gradients.

Inputs are divided by their lengthscales first, so a kernel is a function of the Euclidean distance r alone. Matern-5/2
(Rasmussen and Williams 2006, eq. 4.17): k(r) = (1 + s + s^2 / 3) exp(-s), s = sqrt(5) r, and with it
dk/da = -5/3 (1 + s) exp(-s) (a - b).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from pytensor.graph.basic import Apply

from bayeshpo.surrogates.compiled_op import CompiledOp
from bayeshpo.surrogates.fast_exp import exp_negative
from bayeshpo.surrogates.symbolic import numba_njit, pt


@numba_njit
def _scaled_distances(a, BT, count, out):
    """out[j] = sqrt(5) |a - b_j| for j < count, where column j of BT (d, n) is b_j."""
    for j in range(count):
        out[j] = 0.0
    for k in range(a.shape[0]):
        for j in range(count):
            t = a[k] - BT[k, j]
            out[j] += t * t
    for j in range(count):
        out[j] = np.sqrt(5.0 * out[j])


def _gram(A):
    n = A.shape[0]
    AT = np.ascontiguousarray(A.T)
    K = np.empty((n, n))
    s, e, bits = np.empty(n), np.empty(n), np.empty(n, np.int64)
    for i in range(n):
        _scaled_distances(A[i], AT, i, s)
        exp_negative(s, i, bits, e)
        for j in range(i):
            K[i, j] = (1.0 + s[j] + s[j] * s[j] / 3.0) * e[j]
        K[i, i] = 1.0
    for i in range(n):
        for j in range(i):
            K[j, i] = K[i, j]
    return K


def _gram_gradient(A, W):
    n, d = A.shape
    AT = np.ascontiguousarray(A.T)
    G = np.zeros((n, d))
    s, e, bits = np.empty(n), np.empty(n), np.empty(n, np.int64)
    for i in range(n):
        _scaled_distances(A[i], AT, i, s)
        exp_negative(s, i, bits, e)
        for j in range(i):
            w = -5.0 / 3.0 * (1.0 + s[j]) * e[j] * (W[i, j] + W[j, i])
            for k in range(d):
                t = w * (A[i, k] - A[j, k])
                G[i, k] += t
                G[j, k] -= t
    return G


def _cross(A, B):
    m, n = A.shape[0], B.shape[0]
    BT = np.ascontiguousarray(B.T)
    K = np.empty((m, n))
    s, bits = np.empty(n), np.empty(n, np.int64)
    for i in range(m):
        _scaled_distances(A[i], BT, n, s)
        exp_negative(s, n, bits, K[i])
        for j in range(n):
            K[i, j] *= 1.0 + s[j] + s[j] * s[j] / 3.0
    return K


def _cross_gradient(A, B, W):
    m, d = A.shape
    n = B.shape[0]
    BT = np.ascontiguousarray(B.T)
    GA, GB = np.zeros((m, d)), np.zeros((n, d))
    s, e, bits = np.empty(n), np.empty(n), np.empty(n, np.int64)
    for i in range(m):
        _scaled_distances(A[i], BT, n, s)
        exp_negative(s, n, bits, e)
        for j in range(n):
            w = -5.0 / 3.0 * (1.0 + s[j]) * e[j] * W[i, j]
            for k in range(d):
                t = w * (A[i, k] - B[j, k])
                GA[i, k] += t
                GB[j, k] -= t
    return GA, GB


class Matern52Gram(CompiledOp):
    """A (n, d) -> k(A, A) (n, n); half the exponentials of the general case."""

    gufunc_signature = "(n,d)->(n,n)"
    implementation = staticmethod(_gram)

    def make_node(self, A: Any) -> Apply:
        return Apply(self, [pt.as_tensor(A)], [pt.dmatrix()])

    def infer_shape(self, node: Apply, shapes: Any) -> list[Any]:
        n = shapes[0][0]
        return [(n, n)]

    def pullback(self, inputs: Any, outputs: Any, output_gradients: Any) -> list[Any]:
        return [Matern52GramGradient()(inputs[0], output_gradients[0])]


class Matern52GramGradient(CompiledOp):
    """(A (n, d), W (n, n)) -> derivative (n, d) of sum(W * k(A, A)) by A."""

    gufunc_signature = "(n,d),(n,n)->(n,d)"
    implementation = staticmethod(_gram_gradient)

    def make_node(self, A: Any, W: Any) -> Apply:
        return Apply(self, [A, W], [pt.dmatrix()])

    def infer_shape(self, node: Apply, shapes: Any) -> list[Any]:
        return [shapes[0]]


class Matern52Cross(CompiledOp):
    """(A (m, d), B (n, d)) -> k(A, B) (m, n)."""

    gufunc_signature = "(m,d),(n,d)->(m,n)"
    implementation = staticmethod(_cross)

    def make_node(self, A: Any, B: Any) -> Apply:
        return Apply(self, [pt.as_tensor(A), pt.as_tensor(B)], [pt.dmatrix()])

    def infer_shape(self, node: Apply, shapes: Any) -> list[Any]:
        return [(shapes[0][0], shapes[1][0])]

    def pullback(self, inputs: Any, outputs: Any, output_gradients: Any) -> list[Any]:
        return Matern52CrossGradient()(*inputs, output_gradients[0])


class Matern52CrossGradient(CompiledOp):
    """(A (m, d), B (n, d), W (m, n)) -> derivatives of sum(W * k(A, B)) by A and by B."""

    gufunc_signature = "(m,d),(n,d),(m,n)->(m,d),(n,d)"
    implementation = staticmethod(_cross_gradient)

    def make_node(self, A: Any, B: Any, W: Any) -> Apply:
        return Apply(self, [A, B, W], [pt.dmatrix(), pt.dmatrix()])

    def infer_shape(self, node: Apply, shapes: Any) -> list[Any]:
        return [shapes[0], shapes[1]]


def matern52(A: Any, B: Any | None = None) -> Any:
    """Matern-5/2 correlation of scaled inputs A (n, d) with themselves (n, n), or with B (m, d): (n, m)."""
    return Matern52Gram()(A) if B is None else Matern52Cross()(A, B)
