"""Kernels: against scikit-learn's and plain numpy, gradients against differences."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.distance import cdist
from sklearn.gaussian_process.kernels import RBF, Matern
from surrogate_cases import central_differences

from bayeshpo.surrogates.kernels import KERNELS, stationary
from bayeshpo.surrogates.symbolic import UNCOMPILED, function, grad, pt

# Of lengthscale 1: scikit-learn's, and the one of trees.
ORACLES = {
    "rbf": RBF(),
    "matern12": Matern(nu=0.5),
    "matern32": Matern(nu=1.5),
    "matern52": Matern(nu=2.5),
    "leaf": lambda A, B: 1.0 / (1.0 + cdist(A, B, "cityblock")),
}
KINKED = ("matern12", "leaf")


def test_every_kernel_has_an_oracle():
    assert set(ORACLES) == {*KERNELS, "leaf"}


@pytest.mark.parametrize("kernel", ORACLES)
def test_kernels_are_the_oracles_and_gram_is_cross(kernel):
    a, b, v = pt.dmatrix("a"), pt.dmatrix("b"), pt.dscalar("v")
    outputs = [stationary(kernel, v, a), stationary(kernel, v, a, a), stationary(kernel, v, a, b)]
    compiled = function([v, a, b], outputs, mode=UNCOMPILED)
    for n, d, variance in [(1, 1, 1.0), (4, 2, 0.3), (9, 5, 7.0)]:
        rng = np.random.default_rng(n)
        A, B = rng.normal(0.0, 2.0, (n, d)), rng.normal(0.0, 2.0, (6, d))
        gram, own, cross = compiled(variance, A, B)
        np.testing.assert_allclose(cross, variance * ORACLES[kernel](A, B), rtol=1e-12)
        np.testing.assert_allclose(gram, own, rtol=1e-14)
        np.testing.assert_array_equal(gram, gram.T)
        np.testing.assert_array_equal(np.diag(gram), variance)
        assert np.linalg.eigvalsh(gram).min() > -1e-12 * variance


@pytest.mark.parametrize("kernel", ORACLES)
@pytest.mark.parametrize("duplicate", [False, True], ids=["apart", "with duplicates"])
def test_kernel_gradients(duplicate, kernel):
    rng = np.random.default_rng(5)
    A, B = rng.standard_normal((5, 3)), rng.standard_normal((4, 3))
    # Where there is a kink at a duplicate, there is no derivative to compare with.
    if duplicate and kernel not in KINKED:
        A[1], B[0] = A[0], A[2]
    W, V, s2 = rng.standard_normal((5, 5)), rng.standard_normal((5, 4)), np.array(1.7)
    a, b, w, u, v = pt.dmatrix("a"), pt.dmatrix("b"), pt.dmatrix("w"), pt.dmatrix("u"), pt.dscalar("v")
    gram, cross = pt.sum(w * stationary(kernel, v, a)), pt.sum(u * stationary(kernel, v, a, b))
    of_gram = function([v, a, w], [gram, *grad(gram, [a, v])], mode=UNCOMPILED)
    of_cross = function([v, a, b, u], [cross, *grad(cross, [a, b, v])], mode=UNCOMPILED)
    tolerance = {"rtol": 1e-5, "atol": 2e-5}
    # All rows of A move, so a duplicate's twin stays where it was.
    _, dA, dv = of_gram(s2, A, W)
    np.testing.assert_allclose(dA, central_differences(lambda x: of_gram(s2, x, W)[0], A), **tolerance)
    np.testing.assert_allclose(dv, of_gram(s2, A, W)[0] / s2, rtol=1e-12)
    _, dA, dB, dv = of_cross(s2, A, B, V)
    np.testing.assert_allclose(dA, central_differences(lambda x: of_cross(s2, x, B, V)[0], A), **tolerance)
    np.testing.assert_allclose(dB, central_differences(lambda x: of_cross(s2, A, x, V)[0], B), **tolerance)
    np.testing.assert_allclose(dv, of_cross(s2, A, B, V)[0] / s2, rtol=1e-12)


@pytest.mark.parametrize("kernel", KINKED)
def test_gradients_at_a_kink_are_finite(kernel):
    a, w = pt.dmatrix("a"), pt.dmatrix("w")
    slope = function([a, w], grad(pt.sum(w * stationary(kernel, 1.0, a)), a), mode=UNCOMPILED)
    assert np.isfinite(slope(np.zeros((3, 2)), np.ones((3, 3)))).all()
