"""Where a trial's outcome comes out of what the surrogate said about it one step ahead."""

from __future__ import annotations

import numpy as np
from scipy.stats import norm

from bayeshpo.inference.base import Engine
from bayeshpo.inference.density import LogDensity
from bayeshpo.inference.posterior import Posterior
from bayeshpo.inference.predictive import predictive
from bayeshpo.inference.sequential import Sequential
from bayeshpo.searchers.objectives import CHOICE_DRAWS
from bayeshpo.surrogates.base import NUGGET, TrainingData


class Watched(Engine):
    """The default engine; its last posterior can be looked at."""

    name = "sequential"
    sequential = True
    posterior: Posterior

    def __init__(self) -> None:
        self._engine = Sequential()

    def prepare(self, density: LogDensity) -> None:
        """Compile now what fits need."""
        self._engine.prepare(density)

    def fit(
        self, density: LogDensity, data: TrainingData, *, rng: np.random.Generator, previous: Posterior | None = None
    ) -> Posterior:
        """The engine's own posterior."""
        self.posterior = self._engine.fit(density, data, rng=rng, previous=previous)
        return self.posterior


def position(posterior: Posterior, x: np.ndarray, loss: float) -> float:
    """Share of the predictive distribution of a trial at x (1, D) below its loss: uniform if the surrogate is right."""
    mean, variance = predictive(posterior.density).at(posterior, x, CHOICE_DRAWS)
    noise = posterior.density.constrain(posterior.thinned(CHOICE_DRAWS))["noise"]
    y = (loss - posterior.data.location) / posterior.data.scale
    return float(norm.cdf((y - mean[:, 0]) / np.sqrt(variance[:, 0] + noise**2 + NUGGET)).mean())
