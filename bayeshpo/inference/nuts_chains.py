"""What a no-U-turn sampler takes and gives, whichever library it comes from."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from bayeshpo.inference.optimization import Target


@dataclass(frozen=True)
class Settings:
    """How to sample.

    Attributes
    ----------
    tune, draws
        Adaptation steps, which are not kept, and kept draws of each chain.
    target_accept
        Acceptance rate that the step size is adapted to.
    """

    tune: int
    draws: int
    target_accept: float


@dataclass(frozen=True, eq=False)
class Chains:
    """Draws (chain, draw, Q) and sample statistics by ArviZ's names, each (chain, draw)."""

    draws: np.ndarray
    statistics: Mapping[str, np.ndarray]

    def followed_by(self, later: Chains) -> Chains:
        """The same chains, gone on with from their last draws."""
        statistics = {k: np.concatenate([v, later.statistics[k]], axis=1) for k, v in self.statistics.items()}
        return Chains(np.concatenate([self.draws, later.draws], axis=1), statistics)


# From a log density with its gradient, a starting point for each chain (chain, Q), settings and a source of seeds.
Sampler = Callable[[Target, np.ndarray, Settings, np.random.Generator], Chains]
