"""An engine that counts what another one evaluates, and keeps its last posterior."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from bayeshpo.inference.base import Engine
from bayeshpo.inference.density import LogDensity
from bayeshpo.inference.posterior import Posterior
from bayeshpo.registry import create
from bayeshpo.surrogates.base import TrainingData


class Probe(Engine):
    """A registered engine under observation.

    Attributes
    ----------
    posterior
        Its last one.
    densities, gradients
        Evaluations of the log density without and with its gradient in the last fit.
    """

    posterior: Posterior
    densities: int
    gradients: int

    def __init__(self, name: str) -> None:
        self._engine: Engine = create("engine", name, {})
        self.name, self.sequential = name, self._engine.sequential
        self._counted: dict[LogDensity, Any] = {}

    def fit(
        self, density: LogDensity, data: TrainingData, *, rng: np.random.Generator, previous: Posterior | None = None
    ) -> Posterior:
        """The engine's own posterior."""
        counted = self._counted.setdefault(density, _Counted(density))
        counted.densities = counted.gradients = 0
        if previous is not None and previous.density is density:
            # Engines look whether the density is the one before.
            previous = replace(previous, density=counted)
        posterior = self._engine.fit(counted, data, rng=rng, previous=previous)
        self.densities, self.gradients = counted.densities, counted.gradients
        self.posterior = replace(posterior, density=density)
        return self.posterior


class _Counted:
    """A log density that counts its evaluations."""

    def __init__(self, density: LogDensity) -> None:
        self._density = density
        self.densities = self.gradients = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._density, name)

    def batch(self, Q: np.ndarray, *data: Any) -> np.ndarray:
        self.densities += len(Q)
        return self._density.batch(Q, *data)

    def value_and_gradient(self, *data: Any) -> Callable[[np.ndarray], tuple[float, np.ndarray]]:
        gradient = self._density.value_and_gradient(*data)

        def counting(q: np.ndarray) -> tuple[float, np.ndarray]:
            self.gradients += 1
            return gradient(q)

        return counting
