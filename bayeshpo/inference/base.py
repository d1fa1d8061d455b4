"""The inference engine contract."""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np

from bayeshpo.inference.density import LogDensity
from bayeshpo.inference.posterior import Posterior
from bayeshpo.surrogates.base import TrainingData


class Engine(ABC):
    """Draws from a surrogate's posterior and says how well."""

    name: str
    # Whether a fit depends on the fits before it, so that a study taken up again has to repeat them.
    sequential: bool = False
    # Whether its reports have the evidence of the trials: with a sequential engine, of those that are new.
    has_evidence: bool = False

    def prepare(self, density: LogDensity) -> None:
        """Compile now what the fits of most engines begin with."""
        density.prepare()

    @abstractmethod
    def fit(
        self, density: LogDensity, data: TrainingData, *, rng: np.random.Generator, previous: Posterior | None = None
    ) -> Posterior:
        """The posterior given the data; ``previous`` is the one before the newest trials.

        What goes wrong is a status of the report, not an exception: the study goes on.
        """
