"""Cholesky factors that survive near-singular covariances, and what is built from them, as compiled loops.

PyTensor's own Cholesky gives NaN for a matrix that is not positive definite; here the jitter grows until it is.
"""

from __future__ import annotations

import numpy as np

from bayeshpo.surrogates.symbolic import nan_cholesky, numba_njit

# Relative to the mean of the diagonal. Beyond the last one a covariance counts as not factorisable.
JITTERS = (0.0, 1e-10, 1e-8, 1e-6, 1e-4)
_JITTERS = np.array(JITTERS)


@numba_njit
def stable_cholesky(K, variance):
    """Lower factor L (n, n) of K + (variance + jitter) I and that jitter; L is NaN if no jitter was enough."""
    n = K.shape[0]
    if n == 0:
        return K, 0.0
    scale = np.trace(K) / n + variance
    for relative in _JITTERS:
        jitter = relative * scale
        C = K.copy()
        for i in range(n):
            C[i, i] += variance + jitter
        L = nan_cholesky(C, True, True)
        if np.isfinite(L[n - 1, n - 1]):
            return L, jitter
    return np.full((n, n), np.nan), np.inf


@numba_njit
def forward_substitution(L, r):
    """a = L^-1 r for a lower triangular L (n, n) and r (n,)."""
    n = r.shape[0]
    a = np.empty(n)
    for i in range(n):
        # Four sums side by side do not wait for each other.
        s0, s1, s2, s3 = 0.0, 0.0, 0.0, 0.0
        whole = i - i % 4
        for j in range(0, whole, 4):
            s0 += L[i, j] * a[j]
            s1 += L[i, j + 1] * a[j + 1]
            s2 += L[i, j + 2] * a[j + 2]
            s3 += L[i, j + 3] * a[j + 3]
        for j in range(whole, i):
            s0 += L[i, j] * a[j]
        a[i] = (r[i] - ((s0 + s1) + (s2 + s3))) / L[i, i]
    return a


@numba_njit
def triangular_inverse(L):
    """M = L^-1 (n, n), by rows so that the inner loop runs over contiguous memory."""
    n = L.shape[0]
    C = np.ascontiguousarray(L)
    M = np.zeros((n, n))
    for i in range(n):
        for k in range(i):
            w = -C[i, k] / C[i, i]
            for j in range(k + 1):
                M[i, j] += w * M[k, j]
        M[i, i] = 1.0 / C[i, i]
    return M


@numba_njit
def gram_of_rows(M):
    """M' M (n, n) for a lower triangular M (n, n): the inverse of K when M is the inverse of its factor."""
    n = M.shape[0]
    G = np.zeros((n, n))
    for k in range(n):
        for i in range(k + 1):
            w = M[k, i]
            for j in range(i + 1):
                G[i, j] += w * M[k, j]
    for i in range(n):
        for j in range(i):
            G[j, i] = G[i, j]
    return G


@numba_njit
def solved(A, b):
    """x = A^-1 b for A (n, n) and b (n,) by Gauss' elimination with pivots; not finite where there is none."""
    n = b.shape[0]
    A, x = A.copy(), b.copy()
    for k in range(n):
        pivot = k
        for i in range(k + 1, n):
            if abs(A[i, k]) > abs(A[pivot, k]):
                pivot = i
        if A[pivot, k] == 0.0:
            x[:] = np.nan
            return x
        if pivot != k:
            for j in range(k, n):
                A[k, j], A[pivot, j] = A[pivot, j], A[k, j]
            x[k], x[pivot] = x[pivot], x[k]
        for i in range(k + 1, n):
            w = A[i, k] / A[k, k]
            for j in range(k + 1, n):
                A[i, j] -= w * A[k, j]
            x[i] -= w * x[k]
    for i in range(n - 1, -1, -1):
        for j in range(i + 1, n):
            x[i] -= A[i, j] * x[j]
        x[i] /= A[i, i]
    return x
