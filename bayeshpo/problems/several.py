"""Closed-form test functions with several objectives or with constraints."""

from __future__ import annotations

import math

import numpy as np

from bayeshpo.aims import Direction
from bayeshpo.problems.synthetic import Branin, SyntheticFunction
from bayeshpo.space import Configuration
from bayeshpo.trial import Outcome


class Gramacy(SyntheticFunction):
    """A plane above two limits, one of them wavy: the optimum is where both meet (Gramacy et al. 2016, section 2.1).

    Metrics ``waves`` and ``disc`` have to be at most 0.
    """

    name = "gramacy"
    bounds = {"x1": (0.0, 1.0), "x2": (0.0, 1.0)}  # noqa: RUF012 - a constant, never changed
    optimum = 0.5997880520101
    minimisers = np.array([[0.195122689, 0.404665363]])
    constraints = {"waves": (None, 0.0), "disc": (None, 0.0)}  # noqa: RUF012 - a constant, never changed

    def function(self, x: np.ndarray) -> float:
        """The value at a point (2,)."""
        return float(x.sum())

    def evaluate(self, configuration: Configuration, *, rng: np.random.Generator) -> Outcome:
        """The value and both metrics; ``rng`` is not used."""
        x = self.point(configuration)
        waves = 1.5 - x[0] - 2.0 * x[1] - 0.5 * math.sin(2.0 * math.pi * (x[0] ** 2 - 2.0 * x[1]))
        return Outcome(self.function(x), metrics={"waves": float(waves), "disc": float(x @ x - 1.5)})


class BraninCurrin(SyntheticFunction):
    """Branin's function beside Currin's, metric ``currin`` (Belakaria, Deshwal and Doppa 2019)."""

    name = "branin_currin"
    bounds = {"x1": (0.0, 1.0), "x2": (0.0, 1.0)}  # noqa: RUF012 - a constant, never changed
    optimum = Branin.optimum
    minimisers = (Branin.minimisers - np.array([-5.0, 0.0])) / 15.0
    objectives: dict[str, Direction] = {"currin": "minimize"}  # noqa: RUF012 - a constant, never changed

    def function(self, x: np.ndarray) -> float:
        """Branin's at a point (2,) of its range."""
        return Branin.function(Branin(), 15.0 * x + np.array([-5.0, 0.0]))

    def evaluate(self, configuration: Configuration, *, rng: np.random.Generator) -> Outcome:
        """Both values; ``rng`` is not used."""
        x = self.point(configuration)
        rise = 1.0 - math.exp(-0.5 / x[1]) if x[1] > 0.0 else 1.0
        curve = 2300.0 * x[0] ** 3 + 1900.0 * x[0] ** 2 + 2092.0 * x[0] + 60.0
        currin = rise * curve / (100.0 * x[0] ** 3 + 500.0 * x[0] ** 2 + 4.0 * x[0] + 20.0)
        return Outcome(self.function(x), metrics={"currin": float(currin)})


class DTLZ2(SyntheticFunction):
    """Three objectives whose front is an eighth of a sphere (Deb, Thiele, Laumanns and Zitzler 2002), d = 4.

    Metrics ``second`` and ``third``.
    """

    name = "dtlz2"
    bounds = {f"x{j}": (0.0, 1.0) for j in range(1, 5)}  # noqa: RUF012 - a constant, never changed
    optimum = 0.0
    minimisers = np.array([[1.0, 0.5, 0.5, 0.5]])
    objectives: dict[str, Direction] = {"second": "minimize", "third": "minimize"}  # noqa: RUF012 - a constant

    def function(self, x: np.ndarray) -> float:
        """The first objective at a point (4,)."""
        return self._all(x)[0]

    def evaluate(self, configuration: Configuration, *, rng: np.random.Generator) -> Outcome:
        """All three; ``rng`` is not used."""
        first, second, third = self._all(self.point(configuration))
        return Outcome(first, metrics={"second": second, "third": third})

    def _all(self, x: np.ndarray) -> tuple[float, float, float]:
        radius = 1.0 + float(np.square(x[2:] - 0.5).sum())
        a, b = 0.5 * math.pi * x[0], 0.5 * math.pi * x[1]
        return (
            radius * math.cos(a) * math.cos(b), radius * math.cos(a) * math.sin(b), radius * math.sin(a)
        )  # fmt: skip
