"""Sequential Monte Carlo from the prior to the posterior (Del Moral, Doucet and Jasra 2006), fitted anew at each n."""

from __future__ import annotations

import sys
from dataclasses import dataclass, replace

import numpy as np

from bayeshpo.inference.base import Engine
from bayeshpo.inference.density import LogDensity
from bayeshpo.inference.posterior import Posterior
from bayeshpo.inference.sequential import Sequential
from bayeshpo.surrogates.base import TrainingData


@dataclass(frozen=True)
class SMC(Engine):
    """A population of prior draws tempered to the posterior: the sequential engine without a memory of earlier fits.

    For posteriors with several modes: the population meets them while they are still connected, and proposals from a
    mixture fitted to it jump from one to another. R-hat, effective sample sizes and the status are those of the islands
    after their moves; islands that disagree on the weights of the modes show in R-hat, a mode that all of them missed
    does not. ``evidence_increment`` is the log marginal likelihood of all outcomes.

    Parameters
    ----------
    islands, draws
        Independent populations (>= 4) and draws of each (>= 100, even).
    memory
        Moves go on until no hyperparameter's rank correlation with its value before them is above this.
    sweeps
        A fifth of the moves of each draw at most; a second attempt, if the checks fail, has twice as many.
    """

    islands: int = 8
    draws: int = 320
    memory: float = 0.2
    sweeps: int = 30
    name = "smc"
    has_evidence = True

    def __post_init__(self) -> None:
        self._population()

    def fit(
        self, density: LogDensity, data: TrainingData, *, rng: np.random.Generator, previous: Posterior | None = None
    ) -> Posterior:
        """The posterior reached from exact draws of the prior; actions as of the sequential engine."""
        posterior = self._population().fit(density, data, rng=rng)
        return replace(posterior, report=replace(posterior.report, engine=self.name))

    def _population(self) -> Sequential:
        return Sequential(self.islands, self.draws, memory=self.memory, sweeps=self.sweeps, many=sys.maxsize)
