"""What defaults and acquisitions are compared on: tables of measured trainings, and functions with noise and skew."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from bayeshpo.aims import sign_of
from bayeshpo.problem import Problem
from bayeshpo.problems.synthetic import Ackley, Branin, Hartmann6, Rosenbrock
from bayeshpo.problems.tables import Table
from bayeshpo.problems.wrappers.base import Wrapper, moved
from bayeshpo.problems.wrappers.noise import Noise
from bayeshpo.space import Configuration, SearchSpace
from bayeshpo.trial import Outcome

_TABLES = (
    "naval_propulsion", "parkinsons_telemonitoring", "protein_structure", "slice_localization", "car", "credit_g",
    "phoneme", "vehicle", "cifar100", "imagenet",
)  # fmt: skip
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

    def share_better(self, configuration: Configuration) -> float:
        """Share of all configurations whose true loss is lower."""
        return float(np.searchsorted(self.reference, self.true(configuration)) / len(self.reference))


class Skewed(Wrapper):
    """exp(3 value), which puts most values close to 0."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem)
        self.optimum = None if problem.optimum is None else _skew(problem.optimum)

    def outward(self, outcome: Outcome, configuration: Configuration, rng: np.random.Generator) -> Outcome:
        return moved(outcome, _skew)

    def truth(self, value: float, configuration: Configuration) -> float:
        return _skew(value)


def _skew(value: float) -> float:
    return float(np.exp(3.0 * value))


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
    "hartmann6, skewed": lambda: _function(Skewed(Hartmann6())),
}


@cache
def case(name: str) -> Case:
    """A case by its name."""
    return _table(name) if name in _TABLES else _FUNCTIONS[name]()


NAMES = (*_TABLES, "branin, much noise", "hartmann6, noise", "hartmann6, skewed")
