"""The variational bound on a Gaussian process' marginal likelihood (Titsias 2009), as one node with its gradient.

With inducing points u, Q = K_fu K_uu^-1 K_uf and k_ff the prior variances at the data (eq. 9):

    log N(r | 0, Q + s^2 I) - (sum k_ff - tr Q) / (2 s^2)  <=  log N(r | 0, K_ff + s^2 I).

It is the Gaussian of `low_rank.py` with A = L^-1 K_uf, L L' = K_uu, less what the inducing points leave unexplained.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from pytensor.graph.basic import Apply

from bayeshpo.surrogates.compiled_op import CompiledOp, LogDensityOp
from bayeshpo.surrogates.linear_algebra import stable_cholesky, triangular_inverse
from bayeshpo.surrogates.low_rank import low_rank_gradient, low_rank_inverse, low_rank_value
from bayeshpo.surrogates.symbolic import numba_njit, pt


@numba_njit
def _products(Kuu, Kuf, r):
    """L^-1 (M, M), A (M, n), A A' (M, M), A r (M,), r'r and the jitter of K_uu."""
    L, jitter = stable_cholesky(Kuu, 0.0)
    # Multiplied by the inverse: the products run at full speed, a triangular solve at a third of it.
    inverse_factor = triangular_inverse(L)
    A = inverse_factor @ np.ascontiguousarray(Kuf)
    r = np.ascontiguousarray(r)
    return inverse_factor, A, A @ A.T, A @ r, r @ r, jitter


def _bound(Kuu, Kuf, total, r, variance):
    s2 = variance.item()
    _, _, G, v, square, _ = _products(Kuu, Kuf, r)
    value = low_rank_value(G, v, square, r.shape[0], s2) - 0.5 * (total.item() - np.trace(G)) / s2
    return np.asarray(value if np.isfinite(value) else -np.inf)


def _bound_gradient(Kuu, Kuf, total, r, variance):
    s2, M = variance.item(), Kuu.shape[0]
    inverse_factor, A, G, v, square, _ = _products(Kuu, Kuf, r)
    dG, dv, dsquare, dvariance = low_rank_gradient(G, v, square, r.shape[0], s2)
    for i in range(M):
        dG[i, i] += 0.5 / s2
    transposed = np.ascontiguousarray(inverse_factor.T)
    # By A: 2 dG A + dv r'; A = L^-1 K_uf gives K_uf's, and K_uu's is -1/2 dK_uf A' L^-1.
    outer = dv.reshape(M, 1)
    dKuf = transposed @ (2.0 * dG) @ A + (transposed @ outer) @ r.reshape(1, -1)
    dKuu = -0.5 * transposed @ (2.0 * dG @ G + outer @ v.reshape(1, M)) @ inverse_factor
    dr = A.T @ dv + 2.0 * dsquare * r
    dvariance += 0.5 * (total.item() - np.trace(G)) / s2**2
    return dKuu, dKuf, np.asarray(-0.5 / s2), dr, np.asarray(dvariance)


def _conditional(Kuu, Kuf, r, variance):
    s2 = variance.item()
    inverse_factor, _, G, v, _, jitter = _products(Kuu, Kuf, r)
    inverse, _ = low_rank_inverse(G, s2)
    alpha = inverse_factor.T @ (inverse @ v) / s2
    known = -inverse
    for i in range(Kuu.shape[0]):
        known[i, i] += 1.0
    C, _ = stable_cholesky(known, 0.0)
    return np.ascontiguousarray(C.T) @ inverse_factor, alpha, np.asarray(jitter)


class InducingBoundGradient(CompiledOp):
    """(K_uu (M, M), K_uf (M, n), sum of k_ff, r (n,), s^2) -> derivatives of the bound by all of them."""

    gufunc_signature = "(m,m),(m,n),(),(n),()->(m,m),(m,n),(),(n),()"
    implementation = staticmethod(_bound_gradient)

    def make_node(self, *inputs: Any) -> Apply:
        outputs = [pt.dmatrix(), pt.dmatrix(), pt.dscalar(), pt.dvector(), pt.dscalar()]
        return Apply(self, list(inputs), outputs)

    def infer_shape(self, node: Apply, shapes: Any) -> list[Any]:
        return list(shapes)


class InducingBound(LogDensityOp):
    """(K_uu (M, M), K_uf (M, n), sum of k_ff, r (n,), s^2) -> the bound; -inf where K_uu cannot be factorised."""

    gufunc_signature = "(m,m),(m,n),(),(n),()->()"
    implementation = staticmethod(_bound)
    gradient = InducingBoundGradient


class InducingConditional(CompiledOp):
    """(K_uu (M, M), K_uf (M, n), r (n,), s^2) -> F (M, M), alpha (M,) and the jitter that K_uu needed.

    With the best q(u), f(z) has the mean k_zu alpha and the variance k_zz - |F k_uz|^2 (Titsias 2009, eq. 6):
    alpha = L^-T B^-1 v / s^2 and F'F = K_uu^-1 - (K_uu + K_uf K_fu / s^2)^-1 = L^-T (I - B^-1) L^-1.
    """

    gufunc_signature = "(m,m),(m,n),(n),()->(m,m),(m),()"
    implementation = staticmethod(_conditional)

    def make_node(self, *inputs: Any) -> Apply:
        return Apply(self, [pt.as_tensor(x) for x in inputs], [pt.dmatrix(), pt.dvector(), pt.dscalar()])

    def infer_shape(self, node: Apply, shapes: Any) -> list[Any]:
        (m, _), *_ = shapes
        return [(m, m), (m,), ()]


inducing_bound = InducingBound()
inducing_conditional = InducingConditional()
