"""What every problem promises, wrapped or not.

Each promise is a function of a problem that raises an AssertionError saying what was expected and got; `check_problem`
goes through all of them. Problems that know their true values are looked at in many places, others, which train
something, in few.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from copy import deepcopy

import numpy as np

from bayeshpo.aims import sign_of
from bayeshpo.problem import Differentiable, MultiFidelity, Problem, TrueValue, aims, evaluate, is_noisy, optimisers
from bayeshpo.space import Configuration, SearchSpace
from bayeshpo.testing.differences import central_differences
from bayeshpo.trial import Outcome, Status

# Where problems are looked at: those that know their true values, and others.
_LOOKED_UP, _TRAINED = 300, 1
# What rounding may leave, relative to the value.
_ROUNDING = 1e-9
# How far a named optimiser may be from the optimum, which has been rounded, relative to it.
_ATTAINED = 1e-6
# How many times the error of a difference, and which share of itself, a slope may be away from it.
_ERRORS, _SLOPE = 5.0, 1e-5
# Shares of a training at which it is stopped and taken up again.
_SHARES = (0.1, 0.3, 1.0)


def check_problem(problem: Problem) -> None:
    """Put a problem through all of `PROBLEM_PROMISES`.

    Raises
    ------
    AssertionError
        If a promise is broken: which one, what was expected and what was got.
    """
    for promise in PROBLEM_PROMISES:
        promise(problem)


def described(problem: Problem) -> None:
    """It is a `Problem`, with a name, a direction, a unit of work, and an optimum that is finite or None."""
    if not isinstance(problem, Problem):
        raise _error(problem, "protocol", "a Problem", type(problem).__name__)
    if not (problem.name and problem.work_unit and isinstance(problem.space, SearchSpace)):
        raise _error(problem, "attributes", "a name, a work unit and a SearchSpace", vars(problem))
    if problem.direction not in ("minimize", "maximize"):
        raise _error(problem, "direction", "'minimize' or 'maximize'", problem.direction)
    if not math.isfinite(problem.optimum or 0.0):
        raise _error(problem, "optimum", "a finite number or None", problem.optimum)


def configurations_come_back(problem: Problem) -> None:
    """The space has columns, and its configurations are what their points decode to."""
    space, rng = problem.space, np.random.default_rng(1)
    X = space.sample(20, rng)
    if X.shape != (20, space.dimension) or space.dimension < 1 or not space.legal(X).all():
        raise _error(problem, "space", f"20 legal points of {space.dimension} columns", X.shape)
    again = space.encode(space.decode(X))
    if not np.allclose(again, X, atol=1e-9):
        raise _error(problem, "space", "points that come back", np.abs(again - X).max())


def outcomes_are_sound(problem: Problem) -> None:
    """An evaluation finishes with a finite value or fails with a reason; its work is positive and its info is JSON.

    A finished one has the metrics that the problem aims at.
    """
    for configuration in _configurations(problem):
        outcome = _outcome(problem, configuration)
        failed = outcome.value is None and outcome.status.failed and outcome.reason
        if not (failed or math.isfinite(math.nan if outcome.value is None else outcome.value)):
            raise _error(problem, "outcome", "a finite value, or a failure with a reason", outcome)
        if not (outcome.work > 0.0 and outcome.seconds >= 0.0):
            raise _error(problem, "cost", "positive work, and seconds", f"{outcome.work} and {outcome.seconds}")
        if outcome.value is not None and (missing := aims(problem).missing(outcome.metrics)):
            raise _error(problem, "metrics", f"finite numbers for {missing}", dict(outcome.metrics))
        json.dumps(outcome.info)
        if outcome.value is not None and outcome.curve and outcome.curve[-1] != (1.0, outcome.value):
            raise _error(problem, "curve", f"an end at (1, {outcome.value})", outcome.curve[-1])


def randomness_from_rng_alone(problem: Problem) -> None:
    """Equal generators give equal outcomes, and the configuration that was asked for is left as it was."""
    for configuration in _configurations(problem)[:3]:
        before = deepcopy(configuration)
        first, again = (problem.evaluate(configuration, rng=np.random.default_rng(7)) for _ in range(2))
        if first != again:
            raise _error(problem, "same rng", first, again)
        if configuration != before:
            raise _error(problem, "configuration", before, configuration)
        if is_noisy(problem):
            continue
        other = problem.evaluate(configuration, rng=np.random.default_rng(8))
        if None not in (first.value, other.value) and first.value != other.value:
            raise _error(problem, "noise", "none, by `noisy`", f"{first.value} and {other.value}")


def true_values_are_the_values_without_noise(problem: Problem) -> None:
    """Where there is no noise, the true value is the value; where every evaluation fails, there is none."""
    if not isinstance(problem, TrueValue):
        return
    for configuration in _configurations(problem):
        true, value = problem.true_value(configuration), _outcome(problem, configuration).value
        if true is None and value is not None:
            raise _error(problem, "true value", "one, as an evaluation finished", None)
        if not (is_noisy(problem) or value is None or value == true):
            raise _error(problem, "true value", value, true)


def optimum_is_never_beaten(problem: Problem) -> None:
    """No true value is better than the optimum, but those of configurations that do not keep to the limits."""
    if problem.optimum is None or not (isinstance(problem, TrueValue) or not is_noisy(problem)):
        return
    for configuration in _configurations(problem):
        true = _true(problem, configuration) if _keeps_to_limits(problem, configuration) else None
        if true is not None and sign_of(problem.direction) * (problem.optimum - true) > _ROUNDING * (1.0 + abs(true)):
            raise _error(problem, "optimum", f"nothing better than {problem.optimum}", f"{true} at {configuration}")


def optimum_is_attained(problem: Problem) -> None:
    """At each configuration that is named as an optimiser the true value is the optimum."""
    for configuration in optimisers(problem):
        again = problem.space.decode(problem.space.encode([configuration]))[0]
        true = _true(problem, again)
        if problem.optimum is None or true is None or abs(true - problem.optimum) > _ATTAINED * (1.0 + abs(true)):
            raise _error(problem, "optimiser", problem.optimum, f"{true} at {again}")


def gradients_are_right(problem: Problem) -> None:
    """With the same rng, the value is that of `evaluate`, and the gradient agrees with central differences."""
    if not isinstance(problem, Differentiable):
        return
    space = problem.space
    X = np.random.default_rng(3).uniform(0.1, 0.9, (2, space.dimension))
    slopes, errors = central_differences(lambda X: np.array([_at(problem, x) for x in X]), X)
    for x, slope, error in zip(X, slopes, errors, strict=True):
        outcome = problem.evaluate_with_gradient(space.decode(x)[0], rng=np.random.default_rng(7))
        if outcome.value is None:
            continue
        if outcome.value != _at(problem, x):
            raise _error(problem, "value beside the gradient", _at(problem, x), outcome.value)
        got = np.array([(outcome.gradient or {}).get(name, math.nan) for name in space.names])
        if not (np.abs(got - slope) <= _ERRORS * error + _SLOPE * (1.0 + np.abs(slope))).all():
            raise _error(problem, "gradient", slope, got)


def trainings_go_on(problem: Problem) -> None:
    """A training that is taken up again ends as a whole one does, after as much work, with all its curve."""
    if not isinstance(problem, MultiFidelity):
        return
    for configuration in _configurations(problem)[:3]:
        rng, stopped, work = np.random.default_rng(7), None, 0.0
        for fidelity in _SHARES:
            outcome = problem.evaluate_to(configuration, fidelity, stopped=stopped, rng=rng)
            stopped, work = outcome if stopped is None else outcome.after(stopped), work + outcome.work
            if stopped.status.failed:
                break
            if (stopped.status is Status.STOPPED) != (fidelity < 1.0):
                raise _error(problem, f"training up to {fidelity}", "a stopped trial, or in the end a value", outcome)
        whole = _outcome(problem, configuration)
        if stopped is None or (stopped.value, stopped.curve) != (whole.value, whole.curve):
            raise _error(problem, "training in parts", whole, stopped)
        if not (stopped.status.failed or math.isclose(work, whole.work)):
            raise _error(problem, "work in parts", whole.work, work)


PROBLEM_PROMISES: tuple[Callable[[Problem], None], ...] = (
    described,
    configurations_come_back,
    outcomes_are_sound,
    randomness_from_rng_alone,
    true_values_are_the_values_without_noise,
    optimum_is_never_beaten,
    optimum_is_attained,
    gradients_are_right,
    trainings_go_on,
)


def _configurations(problem: Problem) -> list[Configuration]:
    n = _LOOKED_UP if isinstance(problem, TrueValue) else _TRAINED
    return problem.space.decode(problem.space.sample(n, np.random.default_rng(2)))


def _outcome(problem: Problem, configuration: Configuration) -> Outcome:
    return evaluate(problem, configuration, rng=np.random.default_rng(7))


def _true(problem: Problem, configuration: Configuration) -> float | None:
    if isinstance(problem, TrueValue):
        return problem.true_value(configuration)
    return _outcome(problem, configuration).value


def _keeps_to_limits(problem: Problem, configuration: Configuration) -> bool:
    limits = aims(problem).constraints
    if not limits:
        return True
    metrics = _outcome(problem, configuration).metrics
    return all(bool(limit.allow(np.array(metrics.get(metric, math.nan)))) for metric, limit in limits.items())


def _at(problem: Problem, x: np.ndarray) -> float:
    value = problem.evaluate(problem.space.decode(x)[0], rng=np.random.default_rng(7)).value
    return math.nan if value is None else value


def _error(problem: Problem, promise: str, expected: object, got: object) -> AssertionError:
    return AssertionError(f"problem '{problem.name}': {promise}: expected {expected}, got {got}"[:1000])
