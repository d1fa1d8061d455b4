"""Moves of one coordinate of every draw to a new place from about its prior.

What the population has lost, no proposal that is learned from it offers again: a tail that was thinned out by one trial
after another stays lost when a later trial brings it back. These proposals come from the prior's own marginals, so that
every coordinate's whole range is offered again and again (Metropolis within Gibbs; Tierney 1994).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bayeshpo.inference.differential_evolution import Target


@dataclass(frozen=True, eq=False)
class Marginals:
    """Normal distributions of the coordinates, each by itself.

    Attributes
    ----------
    mean, sd
        Means (Q,) and standard deviations (Q,).
    """

    mean: np.ndarray
    sd: np.ndarray

    @classmethod
    def of(cls, Q: np.ndarray) -> Marginals:
        """Those of draws Q (n, Q)."""
        return cls(Q.mean(axis=0), Q.std(axis=0))

    def sweep(
        self, Q: np.ndarray, logp: np.ndarray, target: Target, rng: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray, float]:
        """Propose one coordinate of every draw anew; returns draws, densities, acceptance.

        Parameters are as in `differential_evolution.sweep`.
        """
        shape, size = logp.shape, Q.shape[2]
        current = Q.reshape(-1, size)
        row, j = np.arange(len(current)), rng.integers(size, size=len(current))
        before, after = (current[row, j] - self.mean[j]) / self.sd[j], rng.standard_normal(len(current))
        proposal = current.copy()
        proposal[row, j] = self.mean[j] + self.sd[j] * after
        value = target(proposal)
        take = np.log(rng.random(len(current))) < value - logp.ravel() + 0.5 * (after**2 - before**2)
        moved = np.where(take[:, None], proposal, current).reshape(Q.shape)
        return moved, np.where(take, value, logp.ravel()).reshape(shape), float(take.mean())
