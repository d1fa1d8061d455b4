"""Moves of a population of draws by differences of its other members.

A proposal adds the difference of two members of the other half of the same island, on a random subset of coordinates
(ter Braak 2006; Vrugt et al. 2009). The halves take turns, so that each step leaves the target unchanged. Differences
carry the population's own scales: some moves are small, some cross from one part of the posterior to another.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from bayeshpo.inference.halves import halves

Target = Callable[[np.ndarray], np.ndarray]


def sweep(
    Q: np.ndarray, logp: np.ndarray, target: Target, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, float]:
    """Propose a move for every draw once, half of each island at a time; returns draws, densities, acceptance."""
    Q, logp = Q.copy(), logp.copy()
    islands, draws, size = Q.shape
    accepted = 0
    for moving, resting in halves(draws, rng):
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
