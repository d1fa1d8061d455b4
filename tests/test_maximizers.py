"""The inner search against dense grids and many random points, and what it must never return."""

from __future__ import annotations

import numpy as np
import pytest
from ConfigSpace import (
    Categorical,
    ConfigurationSpace,
    EqualsCondition,
    Float,
    ForbiddenAndConjunction,
    ForbiddenEqualsClause,
    InCondition,
    Integer,
)
from surrogate_cases import PLANE, density_on, wavy

from bayeshpo.acquisitions.compiled import compiled_acquisition
from bayeshpo.acquisitions.feasibility import Feasibility
from bayeshpo.acquisitions.log_ei import LogExpectedImprovement
from bayeshpo.acquisitions.outlook import Evidence
from bayeshpo.errors import SpaceExhausted
from bayeshpo.inference.predictive import predictive
from bayeshpo.inference.sequential import Sequential
from bayeshpo.maximizers import Maximizer
from bayeshpo.space import as_space

# Acquisitions are logarithms of utilities, so this is 99 % of the best utility that is known.
ALMOST = np.log(0.99)
LINE = as_space({"x": (0.0, 1.0)})


class Bumps:
    """log of a sum of Gaussian bumps, with its gradient; counts how it was called."""

    def __init__(self, D, seed=0, bumps=6, width=0.12):
        rng = np.random.default_rng(seed)
        self.centres, self.heights, self.width = rng.random((bumps, D)), rng.uniform(0.3, 1.0, bumps), width
        self.seen = []

    def rough(self, Z):
        return self.value(Z)

    def value(self, Z):
        self.seen.append(Z)
        return self._value(Z)[0]

    def value_and_gradient(self, Z):
        value, parts, difference = self._value(Z)
        weights = parts / parts.sum(axis=1, keepdims=True)
        return value, np.einsum("mk,mkd->md", weights / self.width**2, -difference)

    def close(self, Z):
        return self.value_and_gradient(Z)

    def careful(self, Z):
        return self.value(Z), np.full(len(Z), 0.01)

    def _value(self, Z):
        difference = Z[:, None, :] - self.centres[None]
        parts = self.heights * np.exp(-0.5 * (difference**2).sum(axis=2) / self.width**2) + 1e-12
        return np.log(parts.sum(axis=1)), parts, difference


class Flat:
    def __init__(self, value=0.0):
        self.level = value

    def rough(self, Z):
        return self.value(Z)

    def value(self, Z):
        return np.full(len(Z), self.level)

    def value_and_gradient(self, Z):
        return self.value(Z), np.zeros_like(Z)

    def close(self, Z):
        return self.value_and_gradient(Z)

    def careful(self, Z):
        return self.value(Z), np.zeros(len(Z))


def maximise(objective, space, taken=None, best=None, seed=0, **arguments):
    none = np.empty((0, space.dimension))
    taken, best = none if taken is None else taken, none if best is None else best
    return Maximizer(**arguments)(objective, space, taken, best, np.random.default_rng(seed))


def conditional_space(forbidden=False):
    """Six columns: choices, an integer and floats that depend on one of the choices."""
    space = ConfigurationSpace()
    kernel = Categorical("kernel", ["rbf", "poly", "linear"])
    gamma, degree = Float("gamma", (1e-4, 1.0), log=True), Integer("degree", (2, 9))
    coef = Float("coef0", (0.0, 1.0))
    shrinking = Categorical("shrinking", [True, False])
    space.add(kernel, Float("C", (1e-3, 1e3), log=True), gamma, degree, coef, shrinking)
    space.add(InCondition(gamma, kernel, ["rbf", "poly"]), EqualsCondition(degree, kernel, "poly"))
    space.add(EqualsCondition(coef, kernel, "poly"))
    if forbidden:
        space.add(
            ForbiddenAndConjunction(ForbiddenEqualsClause(kernel, "linear"), ForbiddenEqualsClause(shrinking, True))
        )
    return as_space(space)


@pytest.mark.parametrize("seed", range(8))
def test_a_broad_hill_does_not_hide_a_narrow_one_that_is_higher(seed):
    """Most candidates on the broad one are above all of those on the narrow one, whose top is 1.5 times as high."""
    objective = Bumps(2)
    objective.centres, objective.heights = np.array([[0.3, 0.3], [0.8, 0.8]]), np.array([1.0, 1.5])
    objective.width = np.array([0.15, 0.008])
    found = maximise(objective, PLANE, seed=seed)
    assert found.value >= np.log(1.5) + ALMOST


@pytest.mark.parametrize("seed", range(5))
def test_a_line_against_its_grid(seed):
    objective = Bumps(1, seed, width=0.03)
    found = maximise(objective, LINE, seed=seed)
    best = objective.value(np.linspace(0.0, 1.0, 100_001)[:, None]).max()
    assert found.value >= best + ALMOST
    assert found.value == objective.value(found.x[None])[0]
    assert (found.error, found.flat) == (0.01, False)


@pytest.mark.parametrize("seed", range(5))
def test_a_plane_against_its_grid(seed):
    objective = Bumps(2, seed, width=0.06)
    axis = np.linspace(0.0, 1.0, 401)
    grid = np.stack(np.meshgrid(axis, axis), axis=2).reshape(-1, 2)
    assert maximise(objective, PLANE, seed=seed).value >= objective.value(grid).max() + ALMOST


class OnDraws:
    """The real acquisition on a few draws, for the search and for the choice."""

    def __init__(self, n=10):
        density = density_on(PLANE)
        self.posterior = Sequential().fit(density, wavy(n), rng=np.random.default_rng(0))
        self.compiled = compiled_acquisition(LogExpectedImprovement(), predictive(density))
        known = Evidence.of(predictive(density), self.posterior, np.empty((0, 2)), 32, Feasibility())
        self.state = self.compiled.state(self.posterior.thinned(32), known)

    def rough(self, Z):
        return self.value(Z)

    def value(self, Z):
        return self.compiled.value(self.state, Z)

    def value_and_gradient(self, Z):
        return self.compiled.value_and_gradient(self.state, Z)

    def close(self, Z):
        return self.value_and_gradient(Z)

    def careful(self, Z):
        return self.value(Z), np.zeros(len(Z))


def test_expected_improvement_on_a_plane_against_its_grid():
    objective = OnDraws()
    axis = np.linspace(0.0, 1.0, 101)
    grid = np.stack(np.meshgrid(axis, axis), axis=2).reshape(-1, 2)
    best = max(objective.value(part).max() for part in np.array_split(grid, 10))
    data = objective.posterior.data
    for seed in range(3):
        found = maximise(objective, PLANE, data.X, data.X[np.argsort(data.y)[:5]], seed)
        assert found.value >= best + ALMOST


class OfFewDraws(Bumps):
    """The search sees the bumps beside where they are."""

    def __init__(self, D):
        super().__init__(D, bumps=1)
        self.few, self.many = self.centres + 0.03, self.centres

    def value_and_gradient(self, Z, many=False):
        self.centres = self.many if many else self.few
        return super().value_and_gradient(Z)

    def value(self, Z):
        return self.value_and_gradient(Z)[0]

    def close(self, Z):
        return self.value_and_gradient(Z, many=True)

    def careful(self, Z):
        return self.close(Z)[0], np.zeros(len(Z))


def test_last_steps_are_to_the_maximum_on_more_draws():
    space = as_space({"a": (0.0, 1.0), "b": (0.0, 1.0), "kind": ["x", "y"]})
    objective = OfFewDraws(3)
    found = maximise(objective, space)
    np.testing.assert_allclose(found.x[:2], objective.many[0, :2], atol=1e-4)
    of_few = np.append(objective.few[0, :2], found.x[2])[None]
    assert found.value > objective.careful(of_few)[0][0] + 0.05


@pytest.mark.parametrize("forbidden", [False, True], ids=["conditional", "and forbidden"])
@pytest.mark.parametrize("seed", range(6))
def test_a_mixed_conditional_space_against_many_random_points(forbidden, seed):
    space, objective = conditional_space(forbidden), Bumps(6, seed, bumps=8, width=0.25)
    found = maximise(objective, space, seed=seed)
    best = objective.value(space.sample(100_000, np.random.default_rng(100 + seed))).max()
    assert found.value >= best + ALMOST
    assert space.legal(found.x[None])[0]
    np.testing.assert_allclose(space.snap(found.x[None])[0], found.x, atol=1e-12)
    # It stands for a configuration, and that configuration for it.
    np.testing.assert_allclose(space.encode(space.decode(found.x[None]))[0], found.x, atol=1e-9)


def test_better_than_its_random_candidates_in_every_case():
    space = conditional_space()
    for seed in range(10):
        objective = Bumps(6, seed, bumps=3, width=0.15)
        found = maximise(objective, space, seed=seed, candidates=64)
        assert found.value >= objective._value(objective.seen[0])[0].max()


def test_taken_points_are_never_returned():
    space = as_space({"n": (1, 40), "kernel": ["a", "b", "c"], "deep": (1, 30)})
    assert space.size > 2048
    objective, taken = Bumps(3, 1), np.empty((0, 3))
    # As a study without new knowledge would: the best is taken away each time.
    values = []
    for step in range(25):
        found = maximise(objective, space, taken, taken[:5], step)
        assert not (np.abs(taken - found.x).max(axis=1) < 1e-9).any()
        values.append(found.value)
        taken = np.concatenate([taken, found.x[None]])
    assert len(np.unique(taken.round(9), axis=0)) == 25
    ranked = np.sort(objective.value(space.grid()))[::-1]
    assert values[0] >= ranked[0] + ALMOST
    assert values[-1] >= ranked[100]


def test_a_small_finite_space_is_searched_to_its_last_point():
    space = as_space({"n": (1, 7), "kernel": ["a", "b", "c"]})
    objective, grid, taken = Bumps(2, 3), space.grid(), np.empty((0, 2))
    for step in range(21):
        left = grid[[not (np.abs(taken - z).max(axis=1) < 1e-9).any() for z in grid]]
        found = maximise(objective, space, taken, taken[:3], step)
        assert found.value == objective.value(left).max()
        taken = np.concatenate([taken, found.x[None]])
    np.testing.assert_allclose(np.unique(taken, axis=0), grid)
    with pytest.raises(SpaceExhausted, match="21 configurations"):
        maximise(objective, space, taken)


def test_exhaustion_of_forbidden_spaces():
    space = ConfigurationSpace()
    a, b = Categorical("a", ["x", "y"]), Categorical("b", ["x", "y"])
    space.add(a, b)
    space.add(ForbiddenAndConjunction(ForbiddenEqualsClause(a, "y"), ForbiddenEqualsClause(b, "y")))
    space = as_space(space)
    with pytest.raises(SpaceExhausted):
        maximise(Flat(), space, space.grid())
    left = maximise(Flat(), space, space.grid()[:2])
    np.testing.assert_array_equal(left.x, space.grid()[2])


@pytest.mark.parametrize("level", [0.0, -np.inf, np.nan, -1e5])
@pytest.mark.parametrize("space", [PLANE, conditional_space(True), as_space({"n": (1, 9), "k": ["a", "b", "c"]})])
def test_a_flat_acquisition_explores(level, space):
    found = [maximise(Flat(level), space, seed=seed) for seed in range(20)]
    assert all(m.flat for m in found)
    X = np.array([m.x for m in found])
    assert space.legal(X).all()
    # Twenty random points do not agree: 20 in 27 cells still give ten distinct ones.
    assert len(np.unique(X.round(9), axis=0)) >= 10
    assert X[:, 0].std() > 0.1


def test_equal_generators_give_equal_points():
    space, objective = conditional_space(), Bumps(6, 2)
    first, second = (maximise(objective, space, seed=4).x for _ in range(2))
    np.testing.assert_array_equal(first, second)


def test_a_hole_in_the_acquisition_is_walked_around():
    class Holed(Bumps):
        def _value(self, Z):
            value, parts, difference = super()._value(Z)
            return np.where(Z[:, 0] > 0.7, np.nan, value), parts, difference

    objective = Holed(2, 0)
    found = maximise(objective, PLANE)
    axis = np.linspace(0.0, 1.0, 401)
    grid = np.stack(np.meshgrid(axis, axis), axis=2).reshape(-1, 2)
    assert found.x[0] <= 0.7
    # The wall may stop the ascent; what was found among the candidates remains.
    assert found.value >= np.nanmax(objective.value(grid)) + np.log(0.9)
