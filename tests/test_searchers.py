"""Laws of baseline searchers beyond the contract of all, and how far the gradient searchers get."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from ConfigSpace import ConfigurationSpace
from ConfigSpace.conditions import EqualsCondition
from ConfigSpace.forbidden import ForbiddenAndConjunction, ForbiddenEqualsClause
from ConfigSpace.hyperparameters import CategoricalHyperparameter, UniformFloatHyperparameter

from bayeshpo.errors import SpaceExhausted, SpecificationError
from bayeshpo.history import History
from bayeshpo.problem import Capabilities, capabilities
from bayeshpo.problems.logistic_breast_cancer import LogisticBreastCancer
from bayeshpo.problems.synthetic import Branin, Hartmann6
from bayeshpo.randomness import Streams
from bayeshpo.searchers.gradient.descent import Answer, diagonal, direction, updated
from bayeshpo.searchers.gradient.finite_difference import FiniteDifferenceSearcher
from bayeshpo.searchers.gradient.hypergradient import HypergradientSearcher
from bayeshpo.searchers.grid import GridSearcher
from bayeshpo.searchers.initial import sobol_points
from bayeshpo.searchers.random import RandomSearcher
from bayeshpo.searchers.sobol import SobolSearcher
from bayeshpo.space import SearchSpace, as_space
from bayeshpo.study import Study
from bayeshpo.trial import Outcome, Suggestion, Trial

FLOATS = {"a": (0.0, 1.0), "b": (0.0, 1.0), "c": (0.0, 1.0)}
FINITE = {"a": (1, 5), "b": [0.1, 0.2, 0.4], "c": ["x", "y"]}
BOTTOM, CURVATURES = np.array([0.3, 0.55, 0.8]), np.array([1.0, 4.0, 25.0])
SEARCHERS = {
    "random": (RandomSearcher, FLOATS),
    "random_finite": (RandomSearcher, FINITE),
    "sobol": (SobolSearcher, FLOATS),
    "sobol_finite": (SobolSearcher, FINITE),
    "grid": (GridSearcher, FINITE),
    "finite_difference": (FiniteDifferenceSearcher, FLOATS),
    "hypergradient": (HypergradientSearcher, FLOATS),
}


class Quadratic:
    """A separable bowl in the unit cube, with its gradient; some of the cube can be made to fail."""

    name, direction, optimum, work_unit = "quadratic", "minimize", 0.0, "evaluation"

    def __init__(self, space, bottom=BOTTOM, fails=lambda x: False, sign=1.0):
        self.space, self.bottom, self.fails, self.sign = as_space(space), bottom, fails, sign
        self.direction = "minimize" if sign > 0 else "maximize"

    def evaluate(self, configuration, *, rng):
        x = self.space.encode([configuration])[0]
        if self.fails(x):
            raise ArithmeticError("in the forbidden half")
        gap = x - self.bottom
        gradient = self.sign * 2 * CURVATURES * gap
        return Outcome(
            self.sign * float(CURVATURES @ gap**2), gradient=dict(zip(self.space.names, gradient.tolist(), strict=True))
        )

    evaluate_with_gradient = evaluate


def study(key, problem, seed=0, trials=()):
    searcher, _ = SEARCHERS[key]
    return Study(problem.space, searcher(), problem.direction, seed, name=problem.name, trials=trials)


def run(key, problem, budget, **arguments):
    s = study(key, problem, **arguments)
    list(s.run(problem, budget))
    return s


def thirds_fail(x):
    """A place and a sprinkle of failures."""
    return x[0] > 0.7 or int(1e6 * x.sum()) % 5 == 0


@pytest.mark.parametrize("key", SEARCHERS)
@pytest.mark.parametrize("fails", [lambda x: False, thirds_fail])
def test_a_study_resumed_from_records_goes_on_as_if_undisturbed(key, fails):
    problem = Quadratic(SEARCHERS[key][1], fails=fails)
    whole = run(key, problem, 28).history.trials
    for done in (1, 7, 8, 20):
        records = json.loads(json.dumps([t.to_record() for t in whole[:done]]))
        resumed = run(key, problem, 28, trials=[Trial.from_record(r) for r in records]).history.trials
        assert [(t.configuration, t.value) for t in resumed] == [(t.configuration, t.value) for t in whole]


@pytest.mark.parametrize("key", SEARCHERS)
def test_seeds_differ_and_asking_twice_changes_nothing(key):
    problem = Quadratic(SEARCHERS[key][1])
    first, other = (run(key, problem, 6, seed=s).history.trials for s in (0, 1))
    assert [t.configuration for t in first] != [t.configuration for t in other]
    searcher, history = SEARCHERS[key][0](), History(problem.space, trials=first)
    streams = Streams(problem.name, 0)
    assert searcher.ask(history, 2, streams) == searcher.ask(history, 2, streams)


@pytest.mark.parametrize("key", SEARCHERS)
def test_failures_everywhere_are_survived(key):
    problem = Quadratic(SEARCHERS[key][1], fails=lambda x: True)
    trials = run(key, problem, 20).history.trials
    assert len(trials) == 20
    assert not any(t.finished for t in trials)
    if not key.startswith("random_finite"):
        assert len({str(t.configuration) for t in trials}) == 20


def test_random_draws_are_independent_of_what_came_back():
    problem, other = Quadratic(FLOATS), Quadratic(FLOATS, fails=thirds_fail, sign=-1.0)
    a, b = (run("random", p, 10).history.trials for p in (problem, other))
    assert [t.configuration for t in a] == [t.configuration for t in b]


def test_random_draws_cover_the_space():
    X = run("random", Quadratic(FLOATS), 300).history.X
    # Means and variances of a uniform, within four standard errors.
    np.testing.assert_allclose(X.mean(axis=0), 0.5, atol=4 * np.sqrt(1 / 12 / 300))
    np.testing.assert_allclose(X.var(axis=0), 1 / 12, atol=4 * np.sqrt(1 / 180 / 300))


@pytest.mark.parametrize("key", ["grid", "sobol_finite"])
def test_a_finite_space_is_visited_once_and_then_exhausted(key):
    s = run(key, Quadratic(FINITE), 100)
    assert len(s.history) == 30 == len({str(t.configuration) for t in s.history.trials})
    with pytest.raises(SpaceExhausted, match="all 30 configurations of the space have been tried, or are pending"):
        s.ask()
    assert len(run(key, Quadratic(FINITE), 25).ask(9)) == 5


def conditional_space():
    space = ConfigurationSpace()
    kind = CategoricalHyperparameter("kind", ["plain", "tuned", "odd"])
    flag = CategoricalHyperparameter("flag", ["on", "off"])
    rate = UniformFloatHyperparameter("rate", 1e-3, 1.0, log=True)
    space.add(kind, flag, rate)
    space.add(EqualsCondition(rate, kind, "tuned"))
    space.add(ForbiddenAndConjunction(ForbiddenEqualsClause(kind, "odd"), ForbiddenEqualsClause(flag, "on")))
    return SearchSpace(space)


@pytest.mark.parametrize("space", [as_space(FLOATS), as_space({"a": (1, 40), "b": (0.0, 1.0)}), conditional_space()])
def test_sobol_points_are_a_legal_distinct_sequence_whatever_their_number(space):
    X = sobol_points(space, 200, np.random.default_rng(0))
    for n in (1, 2, 63, 64, 65, 130):
        np.testing.assert_array_equal(sobol_points(space, n, np.random.default_rng(0)), X[:n])
    assert space.legal(X).all()
    np.testing.assert_allclose(space.snap(X), X, atol=1e-12)
    assert len(np.unique(X, axis=0)) == 200


def test_sobol_points_of_a_finite_space_are_a_sequence_to_the_last():
    space = as_space({"a": CategoricalHyperparameter("a", ["x", "y", "z"], weights=[1, 1, 1000]), "b": (1, 3)})
    X = sobol_points(space, 9, np.random.default_rng(0))
    for n in range(1, 9):
        np.testing.assert_array_equal(sobol_points(space, n, np.random.default_rng(0)), X[:n])
    np.testing.assert_array_equal(sobol_points(space, 10, np.random.default_rng(0)), X)


def test_sobol_points_fill_better_than_random():
    X = sobol_points(as_space(FLOATS), 64, np.random.default_rng(0))
    # A scrambled (0, 6, 1)-net in every coordinate: one point in each of 64 cells.
    for column in X.T:
        assert sorted(np.floor(64 * column).astype(int)) == list(range(64))


@pytest.mark.parametrize("searcher", [FiniteDifferenceSearcher(), HypergradientSearcher()])
def test_gradient_searchers_refuse_spaces_that_are_not_all_floats(searcher):
    able = Capabilities(gradient=True)
    searcher.check(as_space(FLOATS), able)
    with pytest.raises(SpecificationError, match=f"'{searcher.name}' needs floats only, got discrete a, c"):
        searcher.check(as_space({"a": (1, 4), "b": (0.0, 1.0), "c": ["x", "y"]}), able)
    with pytest.raises(SpecificationError, match="got discrete flag, kind"):
        searcher.check(conditional_space(), able)


def test_hypergradient_refuses_a_problem_without_gradients():
    problem = Hartmann6()
    with pytest.raises(SpecificationError, match="needs a problem that gives gradients"):
        HypergradientSearcher().check(problem.space, capabilities(problem))
    FiniteDifferenceSearcher().check(problem.space, capabilities(problem))


@pytest.mark.parametrize(
    ("searcher", "arguments", "message"),
    [
        (FiniteDifferenceSearcher, {"step": 0.6}, "finite_difference: expected a step in"),
        (FiniteDifferenceSearcher, {"tolerance": 0.0}, "finite_difference: expected a tolerance in"),
        (HypergradientSearcher, {"tolerance": -1.0}, "hypergradient: expected a tolerance in"),
    ],
)
def test_bad_arguments_are_refused(searcher, arguments, message):
    with pytest.raises(SpecificationError, match=message):
        searcher(**arguments)


@pytest.mark.parametrize("sign", [1.0, -1.0])
@pytest.mark.parametrize(("key", "budget", "tolerance"), [("hypergradient", 15, 1e-8), ("finite_difference", 50, 1e-8)])
def test_the_bottom_of_a_quadratic_is_reached(key, budget, tolerance, sign):
    for seed in range(5):
        best = run(key, Quadratic(FLOATS, sign=sign), budget, seed=seed).best
        assert sign * best.value < tolerance


@pytest.mark.parametrize(("key", "budget"), [("hypergradient", 15), ("finite_difference", 50)])
def test_a_minimum_on_the_boundary_is_reached(key, budget):
    bottom = np.array([-0.4, 0.5, 1.7])
    nearest = float(CURVATURES @ (np.clip(bottom, 0, 1) - bottom) ** 2)
    for seed in range(5):
        best = run(key, Quadratic(FLOATS, bottom=bottom), budget, seed=seed).best
        assert best.value - nearest < 1e-5
        assert (best.configuration["a"], best.configuration["c"]) == (0.0, 1.0)


@pytest.mark.parametrize(("key", "budget"), [("hypergradient", 40), ("finite_difference", 120)])
def test_failures_are_walked_around(key, budget):
    values = []
    for seed in range(5):
        values.append(run(key, Quadratic(FLOATS, fails=lambda x: x[2] > 0.85), budget, seed=seed).best.value)
    assert max(values) < 1e-4


def test_hypergradient_solves_logistic_regression():
    problem = LogisticBreastCancer()
    regrets = [run("hypergradient", problem, 30, seed=seed).best.value - problem.optimum for seed in range(5)]
    # Three valleys: most runs have found the lowest after 30 evaluations.
    assert np.median(regrets) < 1e-6


def test_finite_differences_beat_random_on_branin():
    regrets = {
        key: np.median([run(key, Branin(), 40, seed=seed).best.value - Branin.optimum for seed in range(5)])
        for key in ("finite_difference", "random")
    }
    assert regrets["finite_difference"] < 0.05 * regrets["random"]


@pytest.mark.parametrize(
    "x", [np.array([0.5, 0.5]), np.array([0.0, 0.5]), np.array([0.005, 1.0]), np.array([0.0, 1.0])]
)
def test_directions_lead_downhill_inside_the_cube(x):
    rng = np.random.default_rng(0)
    for _ in range(50):
        root, gradient = rng.normal(size=(2, 2)), rng.normal(size=2)
        for inverse in (None, root @ root.T + 1e-3 * np.eye(2)):
            move = direction(x, gradient, inverse)
            step = np.clip(x + 1e-6 * move, 0, 1) - x
            assert gradient @ step < 0 or not step.any()


def test_bfgs_keeps_the_secant_equation_and_refuses_negative_curvature():
    rng = np.random.default_rng(0)
    root = rng.normal(size=(4, 4))
    hessian, inverse = root @ root.T + np.eye(4), None
    for _ in range(6):
        step = rng.normal(size=4)
        inverse = updated(inverse, step, hessian @ step)
        np.testing.assert_allclose(inverse @ hessian @ step, step, atol=1e-9)
        assert np.linalg.eigvalsh(inverse).min() > 0
    assert updated(inverse, step, -hessian @ step) is None


@pytest.mark.parametrize("x", [0.5, 0.03, 0.0, 1.0, 0.01])
def test_slopes_are_exact_on_a_parabola_away_from_the_bounds_and_near_them_to_first_order(x):
    searcher, point = FiniteDifferenceSearcher(), np.array([x, 0.5])

    def loss(p):
        return 3 * (p[0] - 0.4) ** 2 + p[1]

    asking = searcher.slope(point, Answer(loss(point)))
    probes = next(asking)
    assert ((probes >= 0) & (probes <= 1)).all()
    assert len(probes) == (3 if x in (0.0, 1.0) else 4)
    with pytest.raises(StopIteration) as stop:
        asking.send([Answer(loss(p)) for p in probes])
    one_sided = 3 * searcher.step if x in (0.0, 1.0) else 0.0
    np.testing.assert_allclose(stop.value.value.gradient, [6 * (x - 0.4), 1.0], atol=one_sided + 1e-9)
    if not one_sided:
        np.testing.assert_allclose(stop.value.value.curvatures, [6.0, 0.0], atol=1e-8)


def test_slopes_make_do_with_the_probes_that_finished():
    searcher, point = FiniteDifferenceSearcher(), np.array([0.5, 0.5, 0.5])
    asking = searcher.slope(point, Answer(1.0))
    h = next(asking)[0, 0] - 0.5
    replies = [1.0 + 2 * h, np.inf, np.inf, 1.0 - 3 * h, np.inf, np.inf]
    with pytest.raises(StopIteration) as stop:
        asking.send([Answer(r) for r in replies])
    np.testing.assert_allclose(stop.value.value.gradient, [2.0, 3.0, 0.0])
    assert stop.value.value.curvatures is None


def test_second_differences_scale_the_step_only_where_the_loss_is_convex():
    np.testing.assert_allclose(diagonal(np.array([2.0, 4.0])), np.diag([0.5, 0.25]))
    assert diagonal(np.array([2.0, -4.0])) is None
    assert diagonal(None) is None


def test_every_probe_is_a_trial():
    calls = []
    problem = Hartmann6()
    evaluate = problem.evaluate
    problem.evaluate = lambda c, *, rng: calls.append(c) or evaluate(c, rng=rng)
    s = run("finite_difference", problem, 40)
    assert len(calls) == 40 == len(s.history)


def test_a_suggestion_of_another_searcher_is_passed_over():
    problem = Quadratic(FLOATS)
    own = run("hypergradient", problem, 5).history.trials
    foreign = Trial(Suggestion(own[0].configuration, 5, "random"), Outcome(-1.0))
    mixed = replace(History(problem.space), trials=(*own, foreign))
    streams = Streams(problem.name, 0)
    alone = HypergradientSearcher().ask(History(problem.space, trials=own), 1, streams)[0]
    assert HypergradientSearcher().ask(mixed, 1, streams)[0].configuration == alone.configuration
