"""The prior alone: what is believed before any trial, and the ablation that ignores the trials."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from bayeshpo.inference.base import Engine
from bayeshpo.inference.compilation import Stopwatch
from bayeshpo.inference.density import LogDensity
from bayeshpo.inference.posterior import Posterior
from bayeshpo.inference.report import InferenceReport
from bayeshpo.surrogates.base import TrainingData


@dataclass(frozen=True)
class Prior(Engine):
    """Exact, independent draws of the prior. The hyperparameters learn nothing; the latent function still does.

    Status "ok" says that the prior was drawn from, which cannot fail to converge; it says nothing about the posterior.
    R-hat and effective sample sizes are left out: independent draws have nothing to converge to.

    Parameters
    ----------
    chains, draws
        The sample is given as so many chains (>= 1) of so many draws (>= 1).
    """

    chains: int = 4
    draws: int = 250
    name = "prior"

    def __post_init__(self) -> None:
        if self.chains < 1 or self.draws < 1:
            raise ValueError(f"expected chains >= 1 and draws >= 1, got chains={self.chains}, draws={self.draws}")

    def fit(
        self, density: LogDensity, data: TrainingData, *, rng: np.random.Generator, previous: Posterior | None = None
    ) -> Posterior:
        """Draws of the prior, whatever the data."""
        watch = Stopwatch()
        Q = density.prior_draws(self.chains * self.draws, rng).reshape(self.chains, self.draws, -1)
        report = InferenceReport(self.name, "sampled", len(data.y), chains=self.chains, draws=self.draws)
        return Posterior(density, data, Q, replace(report, **watch.seconds()))
