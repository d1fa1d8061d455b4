"""What all wrappers share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from bayeshpo.errors import SpecificationError
from bayeshpo.problem import Constrained, Differentiable, MultiObjective, Problem, TrueValue, is_noisy, optimisers
from bayeshpo.space import Configuration, SearchSpace
from bayeshpo.trial import Outcome

# Configurations that stand for the whole space.
REFERENCE = 10_000


class Wrapper:
    """A problem around another one, here without any effect; each kind changes some of the three methods.

    A wrapper has its problem's capabilities: `evaluate_with_gradient`, `true_value`, `objectives` and `constraints` are
    there if the problem has them, and metrics stay what they are. Its optimum and optimisers are those of its own true
    values, or None where they are no longer known.

    Parameters
    ----------
    problem
        What is wrapped.
    """

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        self.name, self.space, self.direction = problem.name, problem.space, problem.direction
        self.optimum, self.optimisers = problem.optimum, optimisers(problem)
        self.work_unit, self.noisy = problem.work_unit, is_noisy(problem)
        # Capabilities are asked of instances, so that a wrapper has those of what it is around.
        if isinstance(problem, MultiObjective):
            self.objectives = problem.objectives
        if isinstance(problem, Constrained):
            self.constraints = problem.constraints
        if isinstance(problem, TrueValue):
            self.true_value = self._true_value
        if isinstance(problem, Differentiable):
            self.evaluate_with_gradient = self._evaluate_with_gradient

    def inward(self, configuration: Configuration) -> Configuration:
        """The problem's own configuration that one of the wrapper's stands for."""
        return configuration

    def outward(self, outcome: Outcome, configuration: Configuration, rng: np.random.Generator) -> Outcome:
        """What becomes of the problem's outcome at a configuration of the wrapper's."""
        return outcome

    def truth(self, value: float, configuration: Configuration) -> float | None:
        """What becomes of the problem's true value at a configuration of the wrapper's."""
        return value

    def evaluate(self, configuration: Configuration, *, rng: np.random.Generator) -> Outcome:
        """The problem's outcome, which takes its random numbers first, and then the wrapper's effect on it."""
        return self.outward(self.problem.evaluate(self.inward(configuration), rng=rng), configuration, rng)

    def _evaluate_with_gradient(self, configuration: Configuration, *, rng: np.random.Generator) -> Outcome:
        assert isinstance(self.problem, Differentiable)
        outcome = self.problem.evaluate_with_gradient(self.inward(configuration), rng=rng)
        return self.outward(outcome, configuration, rng)

    def _true_value(self, configuration: Configuration) -> float | None:
        assert isinstance(self.problem, TrueValue)
        value = self.problem.true_value(self.inward(configuration))
        return None if value is None else self.truth(value, configuration)


def moved(outcome: Outcome, function: Callable[[float], float]) -> Outcome:
    """An outcome with its value, its curve and its bound each put through a function."""
    return replace(
        outcome,
        value=None if outcome.value is None else function(outcome.value),
        curve=tuple((t, function(v)) for t, v in outcome.curve),
        bound=None if outcome.bound is None else function(outcome.bound),
    )


def free(space: SearchSpace, kind: str, wrapper: str) -> list[int]:
    """Columns of a kind that are always active and that no condition depends on.

    Raises
    ------
    SpecificationError
        If the space has forbidden clauses.
    """
    if space.configspace.forbidden_clauses:
        raise SpecificationError(f"{wrapper}: expected a space without forbidden clauses")
    parents = {condition.parent.name for condition in _plain_conditions(space)}
    return [
        j
        for j, encoding in enumerate(space.encodings)
        if encoding.kind == kind and j not in space.conditional and space.names[j] not in parents
    ]


def _plain_conditions(space: SearchSpace) -> list[Any]:
    found: list[Any] = []
    waiting: list[Any] = list(space.configspace.conditions)
    while waiting:
        condition = waiting.pop()
        parts = getattr(condition, "components", None)
        waiting += parts or []
        found += [] if parts else [condition]
    return found
