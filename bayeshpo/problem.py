"""The Problem protocol: an objective with its space, and what it is able to give beyond a value."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

import numpy as np

from bayeshpo.aims import Aims, Direction
from bayeshpo.errors import SpecificationError
from bayeshpo.space import Configuration, SearchSpace, as_space
from bayeshpo.trial import Outcome, Trial


@dataclass(frozen=True)
class Capabilities:
    """What a problem can give beyond a value; searchers see this and the space, never the problem."""

    gradient: bool = False
    fidelity: bool = False
    aims: Aims = field(default_factory=Aims)


@runtime_checkable
class Problem(Protocol):
    """An objective with its search space.

    Attributes
    ----------
    name
        Short name used in records and figures.
    space, direction
        What is searched, and whether the value is minimised or maximised.
    optimum
        Best possible true value, in the problem's own direction; None where it is not known.
    work_unit
        What one unit of `Outcome.work` is.

    Notes
    -----
    A problem may say more of itself: ``noisy = False``, that `evaluate` gives true values, and ``optimisers``, some
    configurations of the best true value; see `is_noisy` and `optimisers`.
    """

    name: str
    space: SearchSpace
    direction: Direction
    optimum: float | None
    work_unit: str

    def evaluate(self, configuration: Configuration, *, rng: np.random.Generator) -> Outcome:
        """The objective at a configuration; randomness only from ``rng``."""
        ...


@runtime_checkable
class Differentiable(Problem, Protocol):
    """A problem that can give the derivative of its value by unit-cube coordinate."""

    def evaluate_with_gradient(self, configuration: Configuration, *, rng: np.random.Generator) -> Outcome:
        """As `evaluate`, with `Outcome.gradient` filled and its work counted."""
        ...


@runtime_checkable
class MultiFidelity(Problem, Protocol):
    """A problem whose trainings can be stopped after a share of them, and taken up again."""

    def evaluate_to(
        self, configuration: Configuration, fidelity: float, *, stopped: Outcome | None, rng: np.random.Generator
    ) -> Outcome:
        """Train until a share in (0, 1] of the training: from the start, or from where a stopped trial was.

        Gives what `evaluate` does, or `Outcome.stopped` with the curve so far, which may leave out what ``stopped`` has
        of it. Work and seconds are those of what is done now.
        """
        ...


@runtime_checkable
class MultiObjective(Problem, Protocol):
    """A problem of which outcomes have metrics that are objectives too.

    Attributes
    ----------
    objectives
        Directions of these metrics, by name.
    """

    objectives: Mapping[str, Direction]


@runtime_checkable
class Constrained(Problem, Protocol):
    """A problem of which outcomes have metrics that must keep to limits.

    Attributes
    ----------
    constraints
        What each of these metrics must be at least and at most, by name; None where there is no limit.
    """

    constraints: Mapping[str, tuple[float | None, float | None]]


def aims(problem: Problem) -> Aims:
    """What a problem asks for beside its value."""
    return Aims.of(
        problem.objectives if isinstance(problem, MultiObjective) else None,
        problem.constraints if isinstance(problem, Constrained) else None,
    )


@runtime_checkable
class TrueValue(Problem, Protocol):
    """A problem that knows its values without noise, at the price of a look-up: no training is done for them.

    They are for the records, from which regret is computed; searchers never see them.
    """

    def true_value(self, configuration: Configuration) -> float | None:
        """The value without noise and outliers; None where every evaluation fails."""
        ...


def is_noisy(problem: Problem) -> bool:
    """Whether values may differ from the true ones: so of every problem that does not say ``noisy = False``."""
    return getattr(problem, "noisy", True)


def optimisers(problem: Problem) -> tuple[Configuration, ...]:
    """Configurations whose true value is the optimum, where a problem names them: some, not always all."""
    return tuple(getattr(problem, "optimisers", ()))


def true_value(problem: Problem, trial: Trial) -> float | None:
    """The true value of a finished trial; None where it is not known."""
    if not trial.finished:
        return None
    if not is_noisy(problem):
        return trial.value
    return problem.true_value(trial.configuration) if isinstance(problem, TrueValue) else None


def capabilities(problem: Problem) -> Capabilities:
    """What a problem is able to give."""
    return Capabilities(
        gradient=isinstance(problem, Differentiable), fidelity=isinstance(problem, MultiFidelity), aims=aims(problem)
    )


def check_fidelity(whose: str, offered: Capabilities, instead: str) -> None:
    """Refuse, for a part that stops trainings, a problem whose trainings are whole (SpecificationError)."""
    if not offered.fidelity:
        raise SpecificationError(
            f"{whose}: expected a problem whose trainings can be stopped and taken up again "
            f"(bayeshpo.problem.MultiFidelity), such as taskset, got one of whole trainings; use {instead}"
        )


class FunctionProblem:
    """A user's own function of a dict as a problem.

    Parameters
    ----------
    objective
        Takes a dict of hyperparameters, returns a float.
    space
        Whatever `as_space` takes.
    direction
        "minimize" or "maximize".
    """

    optimum: float | None = None
    work_unit = "evaluation"

    def __init__(self, objective: Callable[[Configuration], Any], space: Any, direction: Direction) -> None:
        self.objective = objective
        self.space = as_space(space)
        self.direction: Direction = direction
        self.name = getattr(objective, "__name__", "objective")

    def evaluate(self, configuration: Configuration, *, rng: np.random.Generator) -> Outcome:
        """Call the function; what it returns is checked, what it raises is left to the caller."""
        start = time.perf_counter()
        value = self.objective(dict(configuration))
        return Outcome.of(value, seconds=time.perf_counter() - start)


def evaluate(
    problem: Problem,
    configuration: Configuration,
    *,
    rng: np.random.Generator,
    gradient: bool = False,
    fidelity: float = 1.0,
    stopped: Outcome | None = None,
) -> Outcome:
    """Evaluate with the clock running; an exception becomes a failed outcome with its reason.

    What a problem is not able to give is not asked of it: it is evaluated as a whole.
    """
    start = time.perf_counter()
    try:
        if isinstance(problem, MultiFidelity) and (fidelity < 1.0 or stopped is not None):
            outcome: Any = problem.evaluate_to(configuration, fidelity, stopped=stopped, rng=rng)
        elif isinstance(problem, Differentiable) and gradient:
            outcome = problem.evaluate_with_gradient(configuration, rng=rng)
        else:
            outcome = problem.evaluate(configuration, rng=rng)
    except Exception as error:
        return Outcome.raised(error, seconds=time.perf_counter() - start)
    return Outcome.of(outcome, seconds=time.perf_counter() - start)
