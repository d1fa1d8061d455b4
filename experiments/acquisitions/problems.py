"""What acquisitions are compared on: tables of measured trainings, and functions with and without noise."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from bayeshpo.aims import sign_of
from bayeshpo.problems.synthetic import Ackley, Branin, Hartmann6, Rosenbrock
from bayeshpo.problems.tables import Table
from bayeshpo.problems.wrappers.noise import Noise
from bayeshpo.space import Configuration, SearchSpace

_REFERENCE = 10_000


@dataclass(frozen=True)
class Case:
    """A loss to minimise.

    Attributes
    ----------
    problem
        What is searched: one that knows its true values.
    reference
        Sorted true losses of all configurations, or of many uniform ones.
    lowest
        The lowest true loss, where it is known to be lower than those.
    """

    problem: Any
    reference: np.ndarray
    lowest: float = np.inf

    @property
    def space(self) -> SearchSpace:
        """What is searched."""
        return self.problem.space

    def observe(self, configuration: Configuration, rng: np.random.Generator) -> float:
        """A noisy loss of a configuration."""
        return sign_of(self.problem.direction) * self.problem.evaluate(configuration, rng=rng).value

    def true(self, configuration: Configuration) -> float:
        """The loss without noise."""
        return sign_of(self.problem.direction) * self.problem.true_value(configuration)


def _table(name: str) -> Case:
    problem = Table(name)
    return Case(problem, np.sort(sign_of(problem.direction) * problem.true_values))


def _function(function: Any, noise: float = 0.0) -> Case:
    """A function with normal noise of so many standard deviations of its values."""
    space = function.space
    points = space.decode(space.sample(_REFERENCE, np.random.default_rng(0)))
    reference = np.sort([function.true_value(c) for c in points])
    problem = Noise(function, noise * float(reference.std())) if noise else function
    return Case(problem, reference, function.optimum)


_FUNCTIONS: dict[str, Callable[[], Case]] = {
    "branin": lambda: _function(Branin()),
    "hartmann6": lambda: _function(Hartmann6()),
    "rosenbrock3": lambda: _function(Rosenbrock(3)),
    "ackley5": lambda: _function(Ackley(5)),
    "branin, much noise": lambda: _function(Branin(), 1.0),
    "hartmann6, noise": lambda: _function(Hartmann6(), 0.3),
}


@cache
def case(name: str) -> Case:
    """A case by its name."""
    return _FUNCTIONS[name]() if name in _FUNCTIONS else _table(name)
