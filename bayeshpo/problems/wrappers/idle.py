"""Hyperparameters that do nothing."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace

import numpy as np
from ConfigSpace.hyperparameters import UniformFloatHyperparameter

from bayeshpo.errors import SpecificationError
from bayeshpo.problem import Problem
from bayeshpo.problems.wrappers.base import Wrapper
from bayeshpo.space import Configuration, SearchSpace
from bayeshpo.trial import Outcome


class Idle(Wrapper):
    """Floats in [0, 1] that do nothing, beside the problem's own hyperparameters: ``idle05``, ... beside four of them.

    Parameters
    ----------
    problem
        What is wrapped.
    dimension
        Number of hyperparameters with those that do nothing, above the problem's own.

    Raises
    ------
    SpecificationError
        If the dimension is not above the problem's own.
    """

    def __init__(self, problem: Problem, dimension: int) -> None:
        super().__init__(problem)
        own = problem.space.dimension
        if dimension <= own:
            raise SpecificationError(f"idle: expected a dimension above the problem's own of {own}, got {dimension}")
        self._idle = tuple(f"idle{j:02d}" for j in range(own + 1, dimension + 1))
        space = deepcopy(problem.space.configspace)
        space.add(*(UniformFloatHyperparameter(name, 0.0, 1.0) for name in self._idle))
        self.space = SearchSpace(space)
        self.optimisers = tuple(c | dict.fromkeys(self._idle, 0.5) for c in self.optimisers)

    def inward(self, configuration: Configuration) -> Configuration:
        """The problem's own hyperparameters."""
        return {name: value for name, value in configuration.items() if name not in self._idle}

    def outward(self, outcome: Outcome, configuration: Configuration, rng: np.random.Generator) -> Outcome:
        """The outcome, with slopes of 0 beside those of the problem."""
        if outcome.gradient is None:
            return outcome
        return replace(outcome, gradient={**outcome.gradient, **dict.fromkeys(self._idle, 0.0)})
