"""Pareto fronts and what they leave: against brute force and Monte Carlo."""

from __future__ import annotations

import numpy as np
import pytest

from bayeshpo.pareto import boxes, hypervolume, lowest, non_dominated, reference_point


def losses(n, K, seed=0):
    return np.random.default_rng(seed).random((n, K))


@pytest.mark.parametrize("K", [1, 2, 3, 4])
def test_non_dominated_by_definition(K):
    points = losses(40, K)
    for i, mask in enumerate(non_dominated(points)):
        dominated = any((q <= points[i]).all() and (q < points[i]).any() for q in points)
        assert mask == (not dominated)


def test_equal_points_do_not_dominate_each_other():
    assert non_dominated(np.array([[0.0, 1.0], [0.0, 1.0], [1.0, 1.0]])).tolist() == [True, True, False]


@pytest.mark.parametrize("K", [2, 3, 4])
def test_boxes_are_disjoint_and_cover_what_is_not_dominated(K):
    points, reference = losses(12, K), np.full(K, 0.9)
    lower, upper = boxes(points, reference)
    Y = np.random.default_rng(1).uniform(-0.5, 1.2, (4000, K))
    inside = ((Y[:, None] > lower) & (Y[:, None] < upper)).all(axis=2).sum(axis=1)
    free = (reference > Y).all(axis=1) & ~(points[None] <= Y[:, None]).all(axis=2).any(axis=1)
    np.testing.assert_array_equal(inside, free)
    assert 400 < free.sum() < 3600
    if K == 3:
        assert len(lower) <= 2 * len(points) + 1


def test_without_points_there_is_one_box_up_to_the_reference():
    for K in (2, 3, 4):
        lower, upper = boxes(np.empty((0, K)), np.ones(K))
        assert (lower == -np.inf).all()
        np.testing.assert_array_equal(upper, np.ones((1, K)))


@pytest.mark.parametrize("K", [2, 3])
def test_hypervolume_by_monte_carlo(K):
    points, reference = losses(15, K, seed=2), np.ones(K)
    Y = np.random.default_rng(3).random((40_000, K))
    share = (points[None] <= Y[:, None]).all(axis=2).any(axis=1)
    # Four standard errors.
    assert abs(hypervolume(points, reference) - share.mean()) < 4.0 * share.std() / np.sqrt(len(Y))


def test_hypervolume_of_staircases():
    assert hypervolume(np.array([[0.0, 0.5], [0.5, 0.0], [0.6, 0.6]]), np.ones(2)) == pytest.approx(0.75)
    assert hypervolume(np.array([[2.0, 0.0]]), np.ones(2)) == 0.0


def test_reference_points_are_beyond_the_front():
    points = np.array([[0.0, 4.0], [1.0, 2.0], [2.0, 0.0], [9.0, 9.0]])
    np.testing.assert_allclose(reference_point(points), [2.2, 4.4])
    # A front of one point has no range of its own; equal points have none at all.
    np.testing.assert_allclose(reference_point(np.array([[0.0, 0.0], [2.0, 4.0]])), [0.2, 0.4])
    np.testing.assert_allclose(reference_point(np.zeros((3, 2))), [0.1, 0.1])


def test_the_lowest_is_one_or_a_front_in_order():
    assert lowest(np.array([2.0, 1.0 + 1e-12, 1.0]), 1e-9) == [1]
    assert lowest(np.array([[2.0, 0.0], [0.0, 2.0], [2.0, 2.0]]), 1e-9) == [1, 0]
