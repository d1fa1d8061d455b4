"""Draws to begin with where there are many trials and no posterior of fewer.

Many trials make a posterior narrow and nearly normal: the way from the prior is long, and a Gaussian at the mode is
close. Its weighted draws (Tierney and Kadane 1986; Vehtari et al. 2024) take the prior's place where they are good
enough.
"""

from __future__ import annotations

import numpy as np

from bayeshpo.inference.density import LogDensity
from bayeshpo.inference.laplace import Laplace
from bayeshpo.surrogates.base import TrainingData


def draws_near_mode(
    density: LogDensity, data: TrainingData, n: int, rng: np.random.Generator
) -> tuple[np.ndarray, float] | None:
    """Equally weighted draws (n, Q) and the log evidence of the data, or None where a Gaussian misses the posterior."""
    posterior = Laplace().fit(density, data, rng=rng)
    evidence = posterior.report.evidence_increment
    if posterior.report.status != "ok" or evidence is None:
        return None
    return posterior.thinned(n), evidence
