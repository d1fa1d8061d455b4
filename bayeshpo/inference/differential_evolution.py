"""Moves of a population of draws by differences of its other members.

A proposal adds the difference of two members of the other half of the same island, on a random subset of coordinates
(ter Braak 2006; Vrugt et al. 2009). The halves take turns, so that each step leaves the target unchanged. Differences
carry the population's own scales: some moves are small, some cross from one part of the posterior to another.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.stats import rankdata

Target = Callable[[np.ndarray], np.ndarray]

# How often to look whether the draws have forgotten their start.
_CHECK_EVERY = 5


@dataclass(frozen=True)
class Moved:
    """A population after its moves.

    Attributes
    ----------
    Q, logp
        Draws (island, draw, Q) and their log densities (island, draw).
    sweeps
        Updates of every draw.
    acceptance
        Share of proposals accepted.
    memory
        Largest rank correlation of a hyperparameter with its value before the moves.
    """

    Q: np.ndarray
    logp: np.ndarray
    sweeps: int
    acceptance: float
    memory: float


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
        Bounds on the sweeps, and the rank correlation at which to stop.
    """
    start = _ranks(Q)
    accepted, remembered, done = 0.0, 1.0, 0
    while done < most and (done < least or remembered > memory):
        Q, logp, rate = sweep(Q, logp, target, rng)
        accepted += rate
        done += 1
        if done % _CHECK_EVERY == 0 and done >= least:
            remembered = _largest_correlation(start, _ranks(Q))
    return Moved(Q, logp, done, accepted / max(done, 1), remembered)


def sweep(
    Q: np.ndarray, logp: np.ndarray, target: Target, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, float]:
    """Propose a move for every draw once, half of each island at a time; returns draws, densities, acceptance."""
    Q, logp = Q.copy(), logp.copy()
    islands, draws, size = Q.shape
    order = rng.permutation(draws)
    halves = order[: draws // 2], order[draws // 2 :]
    accepted = 0
    for moving, resting in (halves, halves[::-1]):
        proposal = _propose(Q[:, moving], Q[:, resting], rng)
        value = target(proposal.reshape(-1, size)).reshape(islands, -1)
        take = np.log(rng.random(value.shape)) < value - logp[:, moving]
        Q[:, moving] = np.where(take[..., None], proposal, Q[:, moving])
        logp[:, moving] = np.where(take, value, logp[:, moving])
        accepted += int(take.sum())
    return Q, logp, accepted / (islands * draws)


def _propose(current: np.ndarray, others: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """current + scale x (a - b) on a subset of coordinates, a and b from ``others``; symmetric."""
    islands, m, size = current.shape
    first = rng.integers(others.shape[1], size=(islands, m))
    second = (first + rng.integers(1, others.shape[1], size=(islands, m))) % others.shape[1]
    row = np.arange(islands)[:, None]
    difference = others[row, first] - others[row, second]
    # One coordinate, a few, or all of them, equally often.
    share = rng.choice([0.0, 0.35, 1.0], size=(islands, m, 1))
    subset = rng.random((islands, m, size)) < share
    subset[row, np.arange(m)[None, :], rng.integers(size, size=(islands, m))] = True
    count = subset.sum(axis=2, keepdims=True)
    scale = 2.38 / np.sqrt(2.0 * count) * rng.uniform(0.3, 1.2, (islands, m, 1))
    # A whole difference now and then: from one mode to another.
    scale = np.where(rng.random((islands, m, 1)) < 0.15, 1.0, scale)
    jitter = 1e-4 * rng.standard_normal((islands, m, size))
    return current + subset * (scale * difference + jitter)


def _ranks(Q: np.ndarray) -> np.ndarray:
    ranks = rankdata(Q.reshape(-1, Q.shape[2]), axis=0)
    return (ranks - ranks.mean(axis=0)) / ranks.std(axis=0)


def _largest_correlation(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.abs((a * b).mean(axis=0)).max())
