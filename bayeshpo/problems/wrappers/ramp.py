"""One number for each configuration: how far it is along a random direction of the cube."""

from __future__ import annotations

import numpy as np

from bayeshpo.problems.wrappers.base import REFERENCE
from bayeshpo.space import Configuration, SearchSpace


class Ramp:
    """The position along a direction that is uniform over the sphere; inactive hyperparameters count as their middle.

    Parameters
    ----------
    space
        Whose cube.
    seed
        Which direction.
    """

    def __init__(self, space: SearchSpace, seed: int) -> None:
        rng = np.random.default_rng(seed)
        self._space = space
        self._weights = rng.standard_normal(space.dimension)
        self._sorted = np.sort(self._along(space.sample(REFERENCE, rng)))

    def __call__(self, configuration: Configuration) -> float:
        """The position of a configuration."""
        return float(self._along(self._space.encode([configuration]))[0])

    def quantile(self, share: float) -> float:
        """What a share of the space's configurations is below."""
        return float(np.quantile(self._sorted, share))

    def rank(self, configuration: Configuration) -> float:
        """The share of the space's configurations that come before one, in [0, 1]."""
        return float(np.searchsorted(self._sorted, self(configuration)) / len(self._sorted))

    def _along(self, X: np.ndarray) -> np.ndarray:
        return np.where(X < 0.0, 0.0, X - 0.5) @ self._weights
