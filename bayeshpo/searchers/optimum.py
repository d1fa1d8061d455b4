"""Where a surrogate's posterior mean is best over the whole space, and what is expected there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from bayeshpo.errors import SpecificationError
from bayeshpo.maximizers import Maximizer
from bayeshpo.searchers.objectives import CHOICE_DRAWS, SEARCH_DRAWS
from bayeshpo.space import Configuration
from bayeshpo.trial import History, Trial

if TYPE_CHECKING:
    from bayeshpo.acquisitions.feasibility import Feasibility
    from bayeshpo.inference.posterior import Posterior
    from bayeshpo.inference.predictive import Predictive

# Configurations that are less likely to finish are no optimum.
_LIKELY = np.log(0.5)


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
    predictive, posterior, feasibility
        The surrogate's predictive, the draws, and which configurations finish.
    """

    def __init__(self, predictive: Predictive, posterior: Posterior, feasibility: Feasibility) -> None:
        self._predictive, self._posterior, self._feasibility = predictive, posterior, feasibility
        self._few = predictive.condition(posterior.thinned(SEARCH_DRAWS), posterior.data)

    def rough(self, Z: np.ndarray) -> np.ndarray:
        """On few draws (m,)."""
        return self.value(Z)

    def value(self, Z: np.ndarray) -> np.ndarray:
        """On few draws (m,)."""
        return self._where_likely(Z, -self._predictive(self._few, Z)[0].mean(axis=0))

    def value_and_gradient(self, Z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """On few draws (m,), with its gradient (m, D), as if all were to finish."""
        mean, _ = self._predictive(self._few, Z)
        slope = np.full_like(mean, -1.0 / len(mean))
        return -mean.mean(axis=0), self._predictive.pullback(self._few, Z, slope, np.zeros_like(mean))

    def careful(self, Z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """On many draws (m,), and its Monte Carlo error."""
        mean, _ = self._predictive.at(self._posterior, Z, CHOICE_DRAWS)
        return self._where_likely(Z, -mean.mean(axis=0)), mean.std(axis=0) / np.sqrt(len(mean))

    def _where_likely(self, Z: np.ndarray, value: np.ndarray) -> np.ndarray:
        return np.where(self._feasibility.log_probability(Z) >= _LIKELY, value, -np.inf)


def optimum(
    predictive: Predictive,
    posterior: Posterior,
    feasibility: Feasibility,
    history: History,
    recommended: Trial | None,
    maximizer: Maximizer,
    rng: np.random.Generator,
) -> Optimum:
    """Search the whole space for the lowest posterior mean; never worse than that of what is recommended.

    Raises
    ------
    SpecificationError
        If the surrogate could not be fitted.
    """
    if posterior.report.status == "failed":
        raise SpecificationError(f"no optimum: the surrogate could not be fitted: {posterior.report.reason}")
    assert recommended is not None
    space, data = history.space, posterior.data
    start, untaken = space.encode([recommended.configuration]), np.empty((0, space.dimension))
    found = maximizer(LowMean(predictive, posterior, feasibility), space, untaken, start, rng)
    points = start if found.flat else np.concatenate([start, found.x[None]])
    mean, variance = predictive.at(posterior, points, CHOICE_DRAWS)
    lowest = int(mean.mean(axis=0).argmin())
    sd = np.sqrt(variance[:, lowest].mean() + mean[:, lowest].var())
    value = history.sign * (data.location + data.scale * mean[:, lowest].mean())
    return Optimum(space.decode(points[lowest][None])[0], float(value), float(data.scale * sd))
