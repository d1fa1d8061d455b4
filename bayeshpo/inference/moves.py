"""Move a population of draws until it has forgotten where it came from.

Two kernels take turns: differences of members (small steps, and directions that the population knows) and independent
proposals from a mixture fitted to the population (whole jumps, and between modes). Each moves one half of the
population at a time on what the other half shows, so that both leave the target unchanged.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.stats import rankdata

from bayeshpo.inference import differential_evolution, mixture
from bayeshpo.inference.differential_evolution import Target

# How often to look whether the draws have forgotten their start.
_CHECK_EVERY = 2
# Proposals that reach a share of the target are offered this many times its inverse: rank correlations do not see a
# tail that no draw has visited.
_OFFERS = 2.0
# Where they reach less, posteriors with such tails came out too narrow, whatever the other checks said.
_LEAST_REACH = 0.08


@dataclass(frozen=True)
class Moved:
    """A population after its moves.

    Attributes
    ----------
    Q, logp
        Draws (island, draw, Q) and their log densities (island, draw).
    sweeps
        Updates of every draw by each kernel.
    acceptance
        Share of the proposals by differences accepted.
    memory
        Largest rank correlation of a hyperparameter with its value before the moves.
    reach
        Effective share of the mixture's proposals, as `mixture.sweep` defines it.
    """

    Q: np.ndarray
    logp: np.ndarray
    sweeps: int
    acceptance: float
    memory: float
    reach: float

    @property
    def reached(self) -> bool:
        """Whether the proposals reach so much of the target that the other checks can be believed."""
        return self.reach >= _LEAST_REACH


def move(
    Q: np.ndarray, logp: np.ndarray, target: Target, rng: np.random.Generator, *, least: int, most: int, memory: float
) -> Moved:
    """Sweep until the draws have forgotten their start, at least and at most so many times.

    Parameters
    ----------
    Q, logp
        Draws (island, draw, Q) with an even number of draws, and their log densities (island, draw).
    target
        Log density (m,) of points (m, Q).
    rng
        Source of proposals.
    least, most, memory
        Bounds on the sweeps, and the rank correlation at which to stop once the proposals have reached everything.
    """
    start = _ranks(Q)
    accepted, reached, remembered, done = 0.0, 0.0, 1.0, 0
    while done < most and (done < least or remembered > memory or reached < _OFFERS):
        Q, logp, reach = mixture.sweep(Q, logp, target, rng)
        Q, logp, rate = differential_evolution.sweep(Q, logp, target, rng)
        accepted, reached, done = accepted + rate, reached + reach, done + 1
        if done % _CHECK_EVERY == 0 and done >= least:
            remembered = _largest_correlation(start, _ranks(Q))
    return Moved(Q, logp, done, accepted / max(done, 1), remembered, reached / max(done, 1))


def _ranks(Q: np.ndarray) -> np.ndarray:
    ranks = rankdata(Q.reshape(-1, Q.shape[2]), axis=0)
    spread = ranks.std(axis=0)
    # A population of copies of one draw has no ranks.
    return (ranks - ranks.mean(axis=0)) / np.where(spread > 0.0, spread, 1.0)


def _largest_correlation(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.abs((a * b).mean(axis=0)).max())
