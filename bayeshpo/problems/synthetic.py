"""Closed-form test functions with known optima (Surjanovic and Bingham, Virtual Library of Simulation Experiments)."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod

import numpy as np

from bayeshpo.space import Configuration, as_space
from bayeshpo.trial import Direction, Outcome


class SyntheticFunction(ABC):
    """A function of named floats on a box, minimised, without noise.

    Attributes
    ----------
    bounds
        (low, high) by coordinate name.
    optimum, minimisers
        The global minimum, and the points (k, d) where it is attained.
    """

    name: str
    bounds: dict[str, tuple[float, float]]
    optimum: float | None
    minimisers: np.ndarray
    direction: Direction = "minimize"
    work_unit = "evaluation"

    def __init__(self) -> None:
        self.space = as_space(self.bounds)

    @abstractmethod
    def function(self, x: np.ndarray) -> float:
        """The value at a point (d,) in the function's own units."""

    def evaluate(self, configuration: Configuration, *, rng: np.random.Generator) -> Outcome:
        """The value at a configuration; ``rng`` is not used."""
        return Outcome(self.function(self.point(configuration)))

    def point(self, configuration: Configuration) -> np.ndarray:
        """A configuration as a point (d,)."""
        return np.array([configuration[name] for name in self.bounds], dtype=float)


class Branin(SyntheticFunction):
    """Branin's function on [-5, 10] x [0, 15]: three global minima of one value (Dixon and Szego, 1978)."""

    name = "branin"
    bounds = {"x1": (-5.0, 10.0), "x2": (0.0, 15.0)}  # noqa: RUF012 - a constant, never changed
    optimum = 5 / (4 * math.pi)
    minimisers = np.array([[-math.pi, 12.275], [math.pi, 2.275], [3 * math.pi, 2.475]])

    def function(self, x: np.ndarray) -> float:
        """The value at a point (2,)."""
        valley = x[1] - 5.1 / (4 * math.pi**2) * x[0] ** 2 + 5 / math.pi * x[0] - 6
        return float(valley**2 + 10 * (1 - 1 / (8 * math.pi)) * math.cos(x[0]) + 10)


class Hartmann6(SyntheticFunction):
    """Hartmann's six-dimensional function on the unit cube: six local minima (Dixon and Szego, 1978)."""

    name = "hartmann6"
    bounds = {f"x{j}": (0.0, 1.0) for j in range(1, 7)}  # noqa: RUF012 - a constant, never changed
    optimum = -3.32236801141551
    minimisers = np.array([[0.20168952, 0.15001069, 0.47687398, 0.27533243, 0.31165162, 0.65730054]])
    _weights = np.array([1.0, 1.2, 3.0, 3.2])
    _scales = np.array(
        [[10, 3, 17, 3.5, 1.7, 8], [0.05, 10, 17, 0.1, 8, 14], [3, 3.5, 1.7, 10, 17, 8], [17, 8, 0.05, 10, 0.1, 14]]
    )
    _centres = 1e-4 * np.array(
        [
            [1312, 1696, 5569, 124, 8283, 5886],
            [2329, 4135, 8307, 3736, 1004, 9991],
            [2348, 1451, 3522, 2883, 3047, 6650],
            [4047, 8828, 8732, 5743, 1091, 381],
        ]
    )

    def function(self, x: np.ndarray) -> float:
        """The value at a point (6,)."""
        return float(-self._weights @ np.exp(-(self._scales * (x - self._centres) ** 2).sum(axis=1)))
