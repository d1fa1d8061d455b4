"""Points that climb side by side: against closed forms and scipy's L-BFGS-B, and each as if it were alone."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import minimize

from bayeshpo.ascent import ascend

A = np.array([[30.0, 12.0, 0.0], [12.0, 8.0, -2.0], [0.0, -2.0, 200.0]])


def parabola(top):
    """-(z - top)' A (z - top) / 2, with condition number 80."""

    def function(Z):
        gap = Z - top
        return -0.5 * np.einsum("md,de,me->m", gap, A, gap), -gap @ A

    return function


def valley(Z):
    """Minus Rosenbrock's function on [-2, 2]^2, scaled to the square."""
    x, y = 4.0 * Z.T - 2.0
    slope = np.stack([400.0 * x * (y - x**2) + 2.0 * (1.0 - x), -200.0 * (y - x**2)], axis=1)
    return -(100.0 * (y - x**2) ** 2 + (1.0 - x) ** 2), 4.0 * slope


def everywhere(Z):
    return np.ones(Z.shape, dtype=bool)


def test_the_top_of_a_parabola_inside():
    top, start = np.array([0.3, 0.6, 0.5]), np.random.default_rng(0).random((6, 3))
    function = parabola(top)
    found = ascend(function, start, everywhere(start))
    np.testing.assert_allclose(found, np.tile(top, (6, 1)), atol=2e-3)
    assert function(found)[0].min() > -2e-6


def test_at_the_faces_of_the_cube_no_slope_leads_inwards():
    function, start = parabola(np.array([1.2, 0.5, -0.3])), np.random.default_rng(1).random((6, 3))
    found = ascend(function, start, everywhere(start))
    assert ((found >= 0.0) & (found <= 1.0)).all()
    _, slope = function(found)
    assert (slope[found == 1.0] >= 0.0).all()
    assert (slope[found == 0.0] <= 0.0).all()
    np.testing.assert_allclose(slope[(found > 0.0) & (found < 1.0)], 0.0, atol=0.05)
    best = minimize(lambda z: -function(z[None])[0][0], np.full(3, 0.5), bounds=[(0.0, 1.0)] * 3)
    np.testing.assert_allclose(function(found)[0], -best.fun, atol=1e-4)


def test_a_curved_valley_is_followed():
    start = np.random.default_rng(2).random((8, 2))
    values, _ = valley(ascend(valley, start, everywhere(start)))
    assert np.median(values) > -1e-3
    assert (values > valley(start)[0]).all()


def test_each_point_climbs_as_if_it_were_alone():
    start = np.random.default_rng(3).random((5, 2))
    alone = [ascend(valley, z[None], everywhere(z[None]))[0] for z in start]
    np.testing.assert_array_equal(ascend(valley, start, everywhere(start)), np.stack(alone))


def test_what_may_not_move_stays():
    start = np.array([[0.9, -1.0, 0.2], [0.1, 0.4, 0.9]])
    moves = np.array([[True, False, True], [True, True, False]])
    found = ascend(parabola(np.array([0.3, 0.6, 0.5])), start, moves)
    np.testing.assert_array_equal(found[~moves], start[~moves])
    assert (found[moves] != start[moves]).all()


@pytest.mark.parametrize("nothing", [np.nan, -np.inf])
def test_where_there_is_no_value_nothing_is_gained(nothing):
    """The top of the parabola is in a part that has none."""
    whole = parabola(np.array([0.3, 0.6, 0.5]))

    def function(Z):
        value, slope = whole(Z)
        return np.where(Z[:, 0] < 0.5, nothing, value), slope

    start = np.array([[0.9, 0.1, 0.1], [0.8, 0.9, 0.9], [0.2, 0.5, 0.5]])
    found = ascend(function, start, everywhere(start))
    np.testing.assert_array_equal(found[2], start[2])
    assert (found[:2, 0] >= 0.5).all()
    assert (whole(found[:2])[0] > whole(start[:2])[0]).all()
