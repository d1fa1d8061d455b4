"""Infinitely many trees: against simulated ones, their kinks, and how the inner search gets along with these."""

from __future__ import annotations

import numpy as np
import pymc as pm
import pytest
from family_oracles import COLUMNS, NAMES
from surrogate_cases import PLANE, TREE, lognormal_law, wavy
from test_gp_family import covariance, drawn, trials

from bayeshpo.acquisitions.compiled import compiled_acquisition
from bayeshpo.acquisitions.feasibility import Feasibility
from bayeshpo.acquisitions.log_ei import LogExpectedImprovement
from bayeshpo.acquisitions.outlook import Evidence
from bayeshpo.errors import SpecificationError
from bayeshpo.inference.density import log_density
from bayeshpo.inference.predictive import predictive
from bayeshpo.inference.sequential import Sequential
from bayeshpo.maximizers import Maximizer
from bayeshpo.searchers.objectives import AcquisitionOverDraws
from bayeshpo.surrogates.columns import Columns
from bayeshpo.surrogates.priors import lengthscale_prior
from bayeshpo.surrogates.trees import AdditiveTrees

TREES, FLAT = AdditiveTrees(), Columns.of(PLANE)


def leaves(U, low, high, rates, budget, rng):
    """The leaves, as rows of U (n, E), of a Mondrian tree grown on the cell [low, high] (Roy and Teh 2009)."""
    speed = rates * (high - low)
    left = budget - rng.exponential(1.0 / speed.sum())
    if left <= 0.0 or len(U) < 2:
        return [np.arange(len(U))]
    j = np.searchsorted(np.cumsum(speed), rng.uniform(0.0, speed.sum()))
    cut = np.where(np.arange(len(speed)) == j, rng.uniform(low[j], high[j]), np.nan)
    below = U[:, j] < cut[j]
    cells = [(below, low, np.fmin(high, cut)), (~below, np.fmax(low, cut), high)]
    parts = [(np.flatnonzero(side), leaves(U[side], *cell, rates, left, rng)) for side, *cell in cells]
    return [rows[leaf] for rows, inside in parts for leaf in inside]


def test_it_is_the_share_of_mondrian_trees_in_which_two_points_have_one_leaf():
    grown, X, rng = 5_000, trials(6).X, np.random.default_rng(0)
    assert (X < 0.0).any()
    U, origin = coordinates(X)
    low, high = np.zeros(len(origin)), np.ones(len(origin))
    for p in drawn("bart", 2)[1]:
        p = p | {"lengthscale": rng.uniform(1.0, 6.0, len(NAMES))}
        together = np.zeros((6, 6))
        for _ in range(grown):
            # A budget of its own for each tree; every coordinate of a hyperparameter is cut at its rate.
            for leaf in leaves(U, low, high, 1.0 / p["lengthscale"][origin], rng.exponential(), rng):
                together[np.ix_(leaf, leaf)] += 1.0
        found = covariance(TREES, COLUMNS, p, X) / p["amplitude"] ** 2
        error = np.sqrt(found * (1.0 - found) / grown)
        assert (np.abs(together / grown - found) <= 4.5 * error + 1e-12).all()
        # Of pairs that differ, some are mostly together and some mostly apart.
        assert found.min() < 0.5 < np.sort(found, axis=None)[-7]


def coordinates(X):
    """What a tree may cut, and the column that each comes from: numbers, and indicators of choices.

    A conditional number is told as (x, 1 - x, 1) / 2, all 0 where it is inactive.
    """
    parts, origin = [], []
    for j, (name, x) in enumerate(zip(NAMES, X.T, strict=True)):
        if name in ("booster", "rule"):
            part = [np.isclose(x, centre) for centre in np.array([1.0, 3.0, 5.0]) / 6.0]
        elif name == "x":
            part = [x]
        else:
            part = [np.where(x >= 0.0, u, 0.0) for u in (x / 2.0, (1.0 - x) / 2.0, np.full(len(x), 0.5))]
        parts, origin = parts + part, origin + [j] * len(part)
    return np.column_stack(parts).astype(float), np.array(origin)


def test_steps_add_up_to_what_is_as_rough_as_a_random_walk():
    # Increments' variances grow with the distance, not with its square as where f has slopes.
    p = {"mean": 0.0, "amplitude": 1.3, "lengthscale": np.array([0.4, 1.0]), "noise": 0.1}
    K = covariance(TREES, FLAT, p, np.array([[0.3, 0.5], [0.3 + 1e-6, 0.5], [0.3 + 4e-6, 0.5]]))
    increments = [2.0 * (K[0, 0] - K[0, k]) for k in (1, 2)]
    np.testing.assert_allclose(increments, 2.0 * 1.3**2 * np.array([1e-6, 4e-6]) / 0.4, rtol=1e-4)


def test_two_numbers_hardly_interact_where_trees_are_shallow():
    # f(0, 0) - f(0, 1) - f(1, 0) + f(1, 1) is 0 in every draw of a sum of functions of one number.
    X, contrast = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]]), np.array([1.0, -1.0, -1.0, 1.0])

    def share(lengthscale):
        p = {"mean": 0.0, "amplitude": 1.0, "lengthscale": np.full(2, lengthscale), "noise": 0.1}
        K = covariance(TREES, FLAT, p, X)
        return contrast @ K @ contrast / (K[0, 0] - K[0, 1])

    assert share(100.0) < 0.1 < 1.0 < share(0.5)


def test_trees_are_as_deep_in_any_number_of_dimensions():
    # An edge of the cube is cut 1 / lengthscale times by the average tree.
    for dimension in (1, 2, 20):
        law = lognormal_law(lengthscale_prior(dimension, norm=1))
        np.testing.assert_allclose(dimension * np.exp(0.5 * law.args[0] ** 2) / law.median(), 1.09, rtol=2e-3)


def test_priors_are_arguments():
    tight, names = pm.LogNormal.dist(1.0, 1e-9), ("amplitude", "lengthscale", "noise")
    table = AdditiveTrees(**{f"{name}_prior": tight for name in ("mean", *names)}).describe(TREE)
    np.testing.assert_allclose(table.loc[["mean", *names], "mean"], np.e, rtol=1e-6)
    for name in names:
        with pytest.raises(SpecificationError, match=f"{name}_prior: expected a distribution of positive numbers"):
            AdditiveTrees(**{f"{name}_prior": pm.Normal.dist()})


@pytest.fixture(scope="module")
def objective():
    """Expected improvement on ten trials of a plane."""
    density = log_density(TREES, FLAT)
    posterior = Sequential().fit(density, wavy(10), rng=np.random.default_rng(0))
    known = Evidence.of(predictive(density), posterior, np.empty((0, 2)), 32, Feasibility())
    return AcquisitionOverDraws(compiled_acquisition(LogExpectedImprovement(), predictive(density)), posterior, known)


def test_slopes_are_finite_at_and_beside_what_was_tried(objective):
    X = objective.posterior.data.X
    crossed = np.array([[a, b] for a in X[:4, 0] for b in X[:4, 1]])
    for Z in (X, crossed, X + 1e-12, np.clip(X - 1e-9, 0.0, 1.0)):
        value, slope = objective.value_and_gradient(Z)
        assert np.isfinite(value).all()
        assert np.isfinite(slope).all()


def test_the_inner_search_gets_along_with_kinks(objective):
    axis = np.linspace(0.0, 1.0, 101)
    grid = np.stack(np.meshgrid(axis, axis), axis=2).reshape(-1, 2)
    data = objective.posterior.data
    best = max(objective.careful(part)[0].max() for part in np.array_split(grid, 10))
    for seed in range(3):
        found = Maximizer()(objective, PLANE, data.X, data.X[np.argsort(data.y)[:5]], np.random.default_rng(seed))
        # Logarithms of utilities: 98 % of the best one that is known.
        assert found.value >= best + np.log(0.98)
