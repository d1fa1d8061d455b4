"""What a trial costs: the log of its seconds, by a Gaussian process of their own.

log c(x) = f(x) + noise, f as of `gp`; an acquisition per unit of cost is divided by exp(E[f(x)]) (Snoek, Larochelle and
Adams 2012, section 3.2, who take the mean of the log too).
"""

from __future__ import annotations

import numpy as np

from bayeshpo.acquisitions.beside import ModelBeside
from bayeshpo.history import History
from bayeshpo.inference.density import log_density
from bayeshpo.inference.laplace import Laplace
from bayeshpo.surrogates.base import TrainingData
from bayeshpo.surrogates.columns import Columns
from bayeshpo.surrogates.gp import GaussianProcess
from bayeshpo.surrogates.scale import Scale

_ENGINE = Laplace(draws=400)
# Seconds below a millisecond are those of the clock.
_LEAST = 1e-3


class Cost(ModelBeside):
    """Mean log seconds of a trial under a posterior; without one, because nothing is known of them, 0 everywhere.

    Parameters
    ----------
    posterior
        Of a Gaussian process of standardised log seconds.
    """

    name = "cost"

    @classmethod
    def of(cls, history: History, rng: np.random.Generator) -> Cost:
        """What the trials have cost, failed ones too; those that did a share of a training, by the whole of it."""
        seconds = np.array([t.outcome.seconds for t in history.trials])
        logs = np.log(np.maximum(seconds, _LEAST) / history.shares)
        if len(logs) < 2 or np.ptp(logs) == 0.0 or (seconds <= _LEAST).all():
            return cls()
        scale, X = Scale.of(logs), history.X.reshape(-1, history.space.dimension)
        data = TrainingData(X, scale(logs), scale.location, scale.scale, X[:0])
        posterior = _ENGINE.fit(log_density(GaussianProcess(), Columns.of(history.space)), data, rng=rng)
        return cls(posterior)

    def log_cost(self, Z: np.ndarray) -> np.ndarray:
        """Mean log seconds (m,) at candidates Z (m, D)."""
        if self.posterior is None:
            return np.zeros(len(Z))
        mean, _ = self._predictive(self._draws, Z)
        return self.posterior.data.location + self.posterior.data.scale * mean.mean(axis=0)

    def with_gradient(self, Z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Mean log seconds (m,) at candidates Z (m, D) and its gradient (m, D)."""
        if self.posterior is None:
            return np.zeros(len(Z)), np.zeros(Z.shape)
        draws = len(self._draws.fitted)
        by_mean = np.full((draws, len(Z)), self.posterior.data.scale / draws)
        return self.log_cost(Z), self._predictive.pullback(self._draws, Z, by_mean, np.zeros_like(by_mean))
