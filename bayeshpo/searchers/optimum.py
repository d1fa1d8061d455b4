"""Where a surrogate's posterior mean is best over the whole space, and what is expected there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from bayeshpo.aims import LIKELY
from bayeshpo.history import History
from bayeshpo.maximizers import Maximizer
from bayeshpo.searchers.objectives import CHOICE_DRAWS, SEARCH_DRAWS
from bayeshpo.space import Configuration
from bayeshpo.trial import Trial

if TYPE_CHECKING:
    from bayeshpo.acquisitions.outlook import Evidence
    from bayeshpo.inference.posterior import Posterior
    from bayeshpo.inference.predictive import Predictive


@dataclass(frozen=True)
class Optimum:
    """The configuration of best posterior mean, tried or not.

    Attributes
    ----------
    configuration
        Active hyperparameters and constants by name.
    value, sd
        Posterior mean and standard deviation of the objective without noise there, in its own units and direction.
    """

    configuration: Configuration
    value: float
    sd: float


class LowMean:
    """The posterior mean with its sign turned, for a maximiser; nothing where a configuration would probably fail.

    Parameters
    ----------
    predictive, posterior, evidence
        The surrogate's predictive, the draws, and which configurations finish within all limits.
    """

    def __init__(self, predictive: Predictive, posterior: Posterior, evidence: Evidence) -> None:
        self.predictive, self.posterior, self._evidence = predictive, posterior, evidence
        self._few = predictive.condition(posterior.thinned(SEARCH_DRAWS), posterior.data)

    def rough(self, Z: np.ndarray) -> np.ndarray:
        """On few draws (m,)."""
        return self.value(Z)

    def value(self, Z: np.ndarray) -> np.ndarray:
        """On few draws (m,)."""
        return self._where_likely(Z, -self.predictive(self._few, Z)[0].mean(axis=0))

    def value_and_gradient(self, Z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """On few draws (m,), with its gradient (m, D), as if all were to finish."""
        mean, _ = self.predictive(self._few, Z)
        slope = np.full_like(mean, -1.0 / len(mean))
        return -mean.mean(axis=0), self.predictive.pullback(self._few, Z, slope, np.zeros_like(mean))

    def close(self, Z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The same: a mean of so few draws is nearly that of all."""
        return self.value_and_gradient(Z)

    def careful(self, Z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """On many draws (m,), and its Monte Carlo error."""
        mean, _ = self.predictive.at(self.posterior, Z, CHOICE_DRAWS)
        return self._where_likely(Z, -mean.mean(axis=0)), mean.std(axis=0) / np.sqrt(len(mean))

    def _where_likely(self, Z: np.ndarray, value: np.ndarray) -> np.ndarray:
        return np.where(self._evidence.log_probability(Z) >= LIKELY, value, -np.inf)


def optimum(
    low: LowMean, history: History, recommended: Trial, maximizer: Maximizer, rng: np.random.Generator
) -> Optimum:
    """Search the whole space for the lowest posterior mean; never worse than that of what is recommended."""
    space, data = history.space, low.posterior.data
    start, untaken = space.encode([recommended.configuration]), np.empty((0, space.dimension))
    found = maximizer(low, space, untaken, start, rng)
    points = start if found.flat else np.concatenate([start, found.x[None]])
    mean, variance = low.predictive.at(low.posterior, points, CHOICE_DRAWS)
    lowest = int(mean.mean(axis=0).argmin())
    sd = np.sqrt(variance[:, lowest].mean() + mean[:, lowest].var())
    value = history.sign * (data.location + data.scale * mean[:, lowest].mean())
    return Optimum(space.decode(points[lowest][None])[0], float(value), float(data.scale * sd))
