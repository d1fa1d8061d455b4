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
    noisy = False

    def __init__(self) -> None:
        self.space = as_space(self.bounds)

    @property
    def optimisers(self) -> tuple[Configuration, ...]:
        """The minimisers as configurations."""
        return tuple(dict(zip(self.bounds, x, strict=True)) for x in self.minimisers.tolist())

    @abstractmethod
    def function(self, x: np.ndarray) -> float:
        """The value at a point (d,) in the function's own units."""

    def true_value(self, configuration: Configuration) -> float:
        """The value at a configuration."""
        return self.function(self.point(configuration))

    def evaluate(self, configuration: Configuration, *, rng: np.random.Generator) -> Outcome:
        """The value at a configuration; ``rng`` is not used."""
        return Outcome(self.true_value(configuration))

    def point(self, configuration: Configuration) -> np.ndarray:
        """A configuration as a point (d,)."""
        return np.array([configuration[name] for name in self.bounds], dtype=float)


class _OfAnyDimension(SyntheticFunction):
    """A function of ``dimension`` floats that share their range.

    Raises
    ------
    ValueError
        If the dimension is below ``_least``.
    """

    _range: tuple[float, float]
    _least = 1

    def __init__(self, dimension: int) -> None:
        if dimension < self._least:
            raise ValueError(f"expected a dimension of at least {self._least}, got {dimension}")
        self.bounds = {f"x{j}": self._range for j in range(1, dimension + 1)}
        super().__init__()


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


class _Hartmann(SyntheticFunction):
    """Minus the sum of four bumps exp(-sum_j a_ij (x_j - p_ij)^2) on the unit cube."""

    _weights = np.array([1.0, 1.2, 3.0, 3.2])
    _scales: np.ndarray
    _centres: np.ndarray

    def function(self, x: np.ndarray) -> float:
        """The value at a point (d,)."""
        return float(-self._weights @ np.exp(-(self._scales * (x - self._centres) ** 2).sum(axis=1)))


class Hartmann3(_Hartmann):
    """Hartmann's three-dimensional function on the unit cube: four local minima (Dixon and Szego, 1978)."""

    name = "hartmann3"
    bounds = {f"x{j}": (0.0, 1.0) for j in range(1, 4)}  # noqa: RUF012 - a constant, never changed
    optimum = -3.862779787332663
    minimisers = np.array([[0.1145888711895025, 0.5556488936331067, 0.8525469841409667]])
    _scales = np.array([[3, 10, 30], [0.1, 10, 35], [3, 10, 30], [0.1, 10, 35]])
    _centres = 1e-4 * np.array([[3689, 1170, 2673], [4699, 4387, 7470], [1091, 8732, 5547], [381, 5743, 8828]])


class Hartmann6(_Hartmann):
    """Hartmann's six-dimensional function on the unit cube: six local minima (Dixon and Szego, 1978)."""

    name = "hartmann6"
    bounds = {f"x{j}": (0.0, 1.0) for j in range(1, 7)}  # noqa: RUF012 - a constant, never changed
    optimum = -3.32236801141551
    minimisers = np.array([[0.20168952, 0.15001069, 0.47687398, 0.27533243, 0.31165162, 0.65730054]])
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


class Levy(_OfAnyDimension):
    """Levy's function on [-10, 10]^d: ripples over a bowl, lowest, 0, where all coordinates are 1."""

    name = "levy"
    optimum = 0.0
    _range = (-10.0, 10.0)

    def __init__(self, dimension: int = 4) -> None:
        super().__init__(dimension)
        self.minimisers = np.ones((1, dimension))

    def function(self, x: np.ndarray) -> float:
        """The value at a point (d,)."""
        w = 1.0 + (x - 1.0) / 4.0
        inner = (w[:-1] - 1.0) ** 2 * (1.0 + 10.0 * np.sin(np.pi * w[:-1] + 1.0) ** 2)
        last = (w[-1] - 1.0) ** 2 * (1.0 + np.sin(2.0 * np.pi * w[-1]) ** 2)
        return float(np.sin(np.pi * w[0]) ** 2 + inner.sum() + last)


class Ackley(_OfAnyDimension):
    """Ackley's funnel with many dents on [-10, 15]^d, lowest, 0, at 0, which is not the middle (Ackley, 1987)."""

    name = "ackley"
    optimum = 0.0
    _range = (-10.0, 15.0)

    def __init__(self, dimension: int = 5) -> None:
        super().__init__(dimension)
        self.minimisers = np.zeros((1, dimension))

    def function(self, x: np.ndarray) -> float:
        """The value at a point (d,)."""
        bowl, dents = np.sqrt(np.square(x).mean()), np.cos(2.0 * np.pi * x).mean()
        return float(20.0 + np.e - 20.0 * np.exp(-0.2 * bowl) - np.exp(dents))


class Rosenbrock(_OfAnyDimension):
    """Rosenbrock's curved valley on [-2, 2]^d, lowest, 0, where all coordinates are 1 (Rosenbrock, 1960)."""

    name = "rosenbrock"
    optimum = 0.0
    _range = (-2.0, 2.0)
    _least = 2

    def __init__(self, dimension: int = 3) -> None:
        super().__init__(dimension)
        self.minimisers = np.ones((1, dimension))

    def function(self, x: np.ndarray) -> float:
        """The value at a point (d,)."""
        return float((100.0 * (x[1:] - x[:-1] ** 2) ** 2 + (1.0 - x[:-1]) ** 2).sum())
