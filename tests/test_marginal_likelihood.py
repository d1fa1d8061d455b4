"""The marginal likelihood node over random kernels, well-conditioned to near-singular, against exact arithmetic."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pymc as pm
import pytest
from surrogate_cases import matern52

from bayeshpo.surrogates.base import NUGGET
from bayeshpo.surrogates.marginal_likelihood import gaussian_log_density
from bayeshpo.surrogates.symbolic import UNCOMPILED, function, grad, pt

KINDS = {
    "matern": lambda X, rng: matern52(X, X, np.exp(rng.normal(0.0, 1.0, 2)), 1.0),
    "smooth": lambda X, rng: np.exp(-0.5 * ((X[:, None] - X[None]) ** 2).sum(axis=2) / rng.uniform(0.1, 3.0)),
    "periodic": lambda X, rng: np.exp(-2.0 * np.sin(rng.uniform(1.0, 9.0) * (X[:, None, 0] - X[None, :, 0])) ** 2),
    "linear": lambda X, rng: rng.uniform(0.1, 3.0) + X @ X.T,
}


def random_case(kind, n, variance, rng):
    """A covariance (n, n) of this kind with this variance on its diagonal, and residuals (n,) that it could have."""
    X = rng.random((n, 2))
    K = np.exp(rng.normal()) * KINDS[kind](X, rng)
    K = (K + K.T) / 2.0 + variance * np.eye(n)
    values, vectors = np.linalg.eigh(K)
    return K, vectors @ (np.sqrt(np.maximum(values, 0.0)) * rng.standard_normal(n))


def exact(K, r):
    """Log density, its derivatives by K and r, and the inverse of K, from rational arithmetic on the floats given."""
    n = len(r)
    A = [[Fraction(float(v)) for v in row] + [Fraction(int(i == j)) for j in range(n)] for i, row in enumerate(K)]
    determinant = Fraction(1)
    for i in range(n):
        # Positive definite: no pivot is zero.
        pivot = A[i][i]
        determinant *= pivot
        A[i] = [v / pivot for v in A[i]]
        for k in range(n):
            if k != i:
                A[k] = [a - A[k][i] * b for a, b in zip(A[k], A[i], strict=True)]
    inverse = [row[n:] for row in A]
    b = [Fraction(float(v)) for v in r]
    alpha = [sum((inverse[i][j] * b[j] for j in range(n)), Fraction(0)) for i in range(n)]
    square = sum((x * y for x, y in zip(alpha, b, strict=True)), Fraction(0))
    log_determinant = math.log(determinant.numerator) - math.log(determinant.denominator)
    value = -0.5 * float(square) - 0.5 * log_determinant - 0.5 * n * math.log(2.0 * math.pi)
    a, inverse = np.array(alpha, dtype=float), np.array(inverse, dtype=float)
    return value, 0.5 * (np.outer(a, a) - inverse), -a, inverse


@pytest.fixture(scope="module")
def node():
    K, r = pt.dmatrix("K"), pt.dvector("r")
    value = gaussian_log_density(K, r)
    return function([K, r], [value, *grad(value, [K, r])], mode="NUMBA")


@pytest.fixture(scope="module")
def pymcs():
    K, r = pt.dmatrix("K"), pt.dvector("r")
    value = pm.logp(pm.MvNormal.dist(pt.zeros_like(r), cov=K), r)
    return function([K, r], [value, *grad(value, [K, r])], mode=UNCOMPILED)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("n", [1, 2, 9, 30])
def test_value_and_gradient_are_pymcs(kind, n, node, pymcs):
    rng = np.random.default_rng(n)
    for _ in range(4):
        K, r = random_case(kind, n, 0.05, rng)
        value, dK, dr = node(K, r)
        expected, expected_dK, expected_dr = pymcs(K, r)
        np.testing.assert_allclose(value, expected, rtol=1e-9)
        np.testing.assert_allclose(dr, expected_dr, rtol=1e-8, atol=1e-9)
        # PyMC's is the derivative through one triangle; ours by a symmetric change of K.
        symmetric = (expected_dK + expected_dK.T) / 2.0
        np.testing.assert_allclose(dK, symmetric, rtol=1e-7, atol=1e-8 * np.abs(dK).max())


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("n", [0, 1, 2, 8, 14])
@pytest.mark.parametrize("variance", [0.1, 1e-3, NUGGET], ids=["noisy", "calm", "near singular"])
def test_value_and_gradient_are_exact_up_to_the_condition_number(kind, n, variance, node):
    rng = np.random.default_rng(n)
    for _ in range(3):
        K, r = random_case(kind, n, variance, rng)
        value, dK, dr = node(K, r)
        expected, expected_dK, expected_dr, inverse = exact(K, r)
        # Higham (2002, ch. 10): solving by Cholesky is exact for a matrix that is off by n^2 roundings or fewer.
        loss = 4.0 * max(n, 1) ** 2 * np.finfo(float).eps * (np.linalg.cond(K) if n else 1.0)
        assert abs(value - expected) <= loss * (n + abs(r @ expected_dr)) + 1e-12 * abs(expected)
        scale = np.linalg.norm(inverse, 2) + expected_dr @ expected_dr if n else 0.0
        assert np.abs(dK - expected_dK).max(initial=0.0) <= 2.0 * loss * scale
        assert np.abs(dr - expected_dr).max(initial=0.0) <= loss * np.linalg.norm(expected_dr)


@pytest.mark.parametrize("kind", KINDS)
def test_gradient_is_the_limit_of_differences(kind, node):
    # Along a symmetric direction, by steps that are small beside the smallest eigenvalue.
    rng = np.random.default_rng(1)
    for variance in (0.1, 1e-2):
        K, r = random_case(kind, 7, variance, rng)
        D = rng.standard_normal((7, 7))
        D, step = (D + D.T) / 2.0, 1e-4 * variance
        _, dK, _ = node(K, r)
        difference = (node(K + step * D, r)[0] - node(K - step * D, r)[0]) / (2.0 * step)
        np.testing.assert_allclose((dK * D).sum(), difference, rtol=1e-4, atol=1e-4 * np.abs(dK).max())
