"""Probability that a configuration finishes: what an acquisition is multiplied by once trials have failed.

P(x) = E[Phi(mean / sqrt(1 + variance))] over posterior draws of a `FeasibilityProcess` (Rasmussen and Williams 2006,
eq. 3.25): the expected utility of a trial that gives nothing if it fails (Gelbart, Snoek and Adams 2014).
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

from bayeshpo.acquisitions.beside import ModelBeside
from bayeshpo.acquisitions.normal import cdf
from bayeshpo.inference.density import log_density
from bayeshpo.inference.laplace import Laplace
from bayeshpo.surrogates.base import TrainingData
from bayeshpo.surrogates.columns import Columns
from bayeshpo.surrogates.feasibility import FeasibilityProcess, statuses
from bayeshpo.surrogates.symbolic import UNCOMPILED, function, grad, pt

# With few failures the posterior is hardly more than the prior.
_ENGINE = Laplace(draws=400, prior_share=0.5)


class Feasibility(ModelBeside):
    """Log probability of finishing under a posterior; without one, because nothing has failed, all are sure to.

    Parameters
    ----------
    posterior
        Of a `FeasibilityProcess`.
    """

    name = "feasibility"

    @classmethod
    def of(cls, data: TrainingData, columns: Columns, rng: np.random.Generator) -> Feasibility:
        """What the finished and the failed trials tell."""
        if len(data.failed) == 0:
            return cls()
        posterior = _ENGINE.fit(log_density(FeasibilityProcess(), columns), statuses(data), rng=rng)
        return cls(posterior)

    def log_probability(self, Z: np.ndarray) -> np.ndarray:
        """log P (m,) at candidates Z (m, D)."""
        if self.posterior is None:
            return np.zeros(len(Z))
        return _formula()(*self._predictive(self._draws, Z))[0]

    def with_gradient(self, Z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """log P (m,) at candidates Z (m, D) and its gradient (m, D)."""
        if self.posterior is None:
            return np.zeros(len(Z)), np.zeros(Z.shape)
        value, *slopes = _formula()(*self._predictive(self._draws, Z))
        return value, self._predictive.pullback(self._draws, Z, *slopes)


@cache
def _formula() -> Any:
    """Mean and variance (S, m) to the log of the mean probability (m,), and its derivatives by both."""
    mean, variance = pt.dmatrix("mean"), pt.dmatrix("variance")
    # Where the probability is nothing its logarithm has to stay finite.
    value = pt.log(pt.maximum(pt.mean(cdf(mean / pt.sqrt(1.0 + variance)), axis=0), 1e-300))
    return function([mean, variance], [value, *grad(pt.sum(value), [mean, variance])], mode=UNCOMPILED)
