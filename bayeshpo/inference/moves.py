"""Move a population of draws until it has forgotten where it came from.

Independent proposals from a mixture fitted to the population: whole jumps, and between modes. Where few of these are
accepted, small steps: differences of members and, with many hyperparameters, a trajectory along the gradient now and
then. Each moves one half of the population at a time on what the other half shows, so that all leave the target
unchanged. And single coordinates anew from their priors, for what the population does not know.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import numpy as np
from scipy.stats import rankdata

from bayeshpo.inference import differential_evolution, mixture
from bayeshpo.inference.differential_evolution import Target
from bayeshpo.inference.hamiltonian import Differentiable, Trajectories
from bayeshpo.inference.refreshment import Marginals

# How often proposals must have offered all of the target, which is the sum of their reaches: rank correlations do not
# see a tail that no draw has visited, and with fewer offers tails came out too light.
OFFERS = 2.0
# Where proposals reach more, differences have nothing to add.
_REACH_ENOUGH = 0.3
# Where they reach less a mixture makes so many: its fit costs more than they do.
_OFTEN = 3
# Sweeps for one with trajectories, and for one where proposals reach less than a hundredth. Their way is long, but they
# come to narrow parts of the target, which differences enter too seldom.
_ONE_IN, _ONE_IN_WHERE_LOST, _LOST = 4, 2, 0.01
# With more trajectories that diverge a sweep does not count as one that could have gone everywhere.
_FEW_DIVERGED = 0.005


@dataclass(frozen=True)
class Moved:
    """A population after its moves.

    Attributes
    ----------
    Q, logp
        Draws (island, draw, Q) and their log densities (island, draw).
    sweeps
        Updates of every draw.
    memory
        Largest rank correlation of a hyperparameter with its value before the moves.
    offered
        How often all of the target has been offered: the sum of the reaches of the mixture's proposals, as
        `mixture.reach` defines it, or of the shares of the ranks that trajectories have changed.
    log_integral
        Log of the target's integral, from the mixture's proposals; None where they are not good enough.
    """

    Q: np.ndarray
    logp: np.ndarray
    sweeps: int
    memory: float
    offered: float
    log_integral: float | None


def move(
    Q: np.ndarray, logp: np.ndarray, target: Target, prior: Marginals, rng: np.random.Generator, *, least: int,
    most: int, memory: float, offers: float, scouts: np.ndarray | None = None,
    trajectories: Trajectories | None = None,
) -> Moved:  # fmt: skip
    """Sweep until the draws have forgotten their start, at least and at most so many times.

    Parameters
    ----------
    Q, logp
        Draws (island, draw, Q) with an even number of draws, and their log densities (island, draw).
    target
        Log density (m,) of points (m, Q).
    prior
        Where coordinates are looked for anew.
    rng
        Source of proposals.
    least, most, memory, offers
        Bounds on the sweeps; the rank correlation and the number of offers at which to stop.
    scouts
        Draws (k, Q) about the target that owe nothing to the population, if there are any.
    trajectories
        Moves along the gradient, which the target must then have, now and then beside the differences.
    """
    start = _ranks(Q)
    offered, remembered, reach, done = 0.0, 1.0, 1.0, 0
    proposed: list[np.ndarray] = []
    while done < most and (done < least or remembered > memory or offered < offers):
        often = 1 if reach >= _REACH_ENOUGH else _OFTEN
        Q, logp, weights = mixture.sweep(Q, logp, target, rng, scouts, often)
        proposed.append(weights.ravel())
        offer = mixture.reach(weights)
        reach = offer / often
        turned, done = 0.0, done + 1
        if reach < _REACH_ENOUGH:
            Q, logp, _ = differential_evolution.sweep(Q, logp, target, rng)
            if trajectories is not None and done % (_ONE_IN if reach > _LOST else _ONE_IN_WHERE_LOST) == 0:
                before = _ranks(Q)
                Q, logp, _ = trajectories.sweep(Q, logp, cast(Differentiable, target), rng)
                if trajectories.diverged <= _FEW_DIVERGED:
                    turned = 1.0 - _largest_correlation(before, _ranks(Q))
        if reach < _REACH_ENOUGH or done == 1:
            Q, logp, _ = prior.sweep(Q, logp, target, rng)
        offered += max(offer, turned)
        if done >= least:
            remembered = _largest_correlation(start, _ranks(Q))
    # The first half of the sweeps was still on its way.
    return Moved(Q, logp, done, remembered, offered, mixture.log_integral(np.concatenate(proposed[done // 2 :])))


def _ranks(Q: np.ndarray) -> np.ndarray:
    ranks = rankdata(Q.reshape(-1, Q.shape[2]), axis=0)
    spread = ranks.std(axis=0)
    # A population of copies of one draw has no ranks.
    return (ranks - ranks.mean(axis=0)) / np.where(spread > 0.0, spread, 1.0)


def _largest_correlation(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.abs((a * b).mean(axis=0)).max())
