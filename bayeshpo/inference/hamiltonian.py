"""Moves of a population of draws along its density's gradient: Hamiltonian Monte Carlo.

Each half of the population moves in the coordinates in which the other half is spherical (Buchholz, Chopin and Jacob
2021, for particles), so that a sweep with given steps leaves the target unchanged; the steps' size follows the
acceptance from sweep to sweep (Andrieu and Thoms 2008). With many hyperparameters neither differences nor independent
proposals get far; gradients do (Neal 2011, section 5.4.4).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from bayeshpo.inference.halves import halves


class Differentiable(Protocol):
    """A log density that knows its gradient."""

    def gradient(self, Q: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Log densities (m,) of points (m, Q), and their gradients (m, Q)."""
        ...


# How far a trajectory goes: a quarter of a turn about a spherical normal forgets where it came from.
_LENGTH = np.pi / 2.0
# Acceptance to aim at (Beskos et al. 2013: 0.65 in very many dimensions), and how fast the step size follows.
_ACCEPTANCE = 0.75
_RATE = 1.0
# A trajectory whose energy errs by so much diverged: the steps are too long for some narrow part of the target, which
# is then not visited (Betancourt 2017, section 6.2).
_DIVERGED = 20.0
# Each of them counts as so many refused ones.
_GRAVITY = 100.0
# Bounds of a step's size; and most steps of a trajectory: the shortest steps do not go the whole way.
_SIZES = (0.02, 0.8)
_MOST_STEPS = 16
# Weight of the diagonal in a covariance, as a number of draws for each coordinate: few draws know no correlations.
_SHRINKAGE = 1.0
# Steps are of different size for each draw, so that no trajectory is periodic.
_JITTER = (0.7, 1.0)


@dataclass
class Trajectories:
    """The moves, and what they have come to.

    Attributes
    ----------
    step
        Longest step, in units of the population's own spread.
    diverged
        Share of the last sweep's trajectories that diverged.
    """

    step: float = 0.2
    diverged: float = 0.0

    def sweep(
        self, Q: np.ndarray, logp: np.ndarray, target: Differentiable, rng: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray, float]:
        """One trajectory of every draw, half of each island at a time; returns draws, densities, acceptance.

        Parameters are as in `differential_evolution.sweep`, but for a target that gives its gradient too.
        """
        Q, logp = Q.copy(), logp.copy()
        islands, draws, size = Q.shape
        accepted, diverged = 0.0, 0.0
        for moving, resting in halves(draws, rng):
            factor = _spread(Q[:, resting].reshape(-1, size))
            moved, value, log_ratio = self._trajectories(
                Q[:, moving].reshape(-1, size), logp[:, moving].ravel(), target, factor, rng
            )
            Q[:, moving], logp[:, moving] = moved.reshape(islands, -1, size), value.reshape(islands, -1)
            accepted += float(np.exp(np.minimum(log_ratio, 0.0)).mean()) / 2.0
            diverged += float((log_ratio < -_DIVERGED).mean()) / 2.0
        surplus = max(accepted - _GRAVITY * diverged - _ACCEPTANCE, -_ACCEPTANCE)
        self.step, self.diverged = float(np.clip(self.step * np.exp(_RATE * surplus), *_SIZES)), diverged
        return Q, logp, accepted

    def _trajectories(
        self, q: np.ndarray, logp: np.ndarray, target: Differentiable, factor: np.ndarray, rng: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Draws (m, Q) and log densities (m,) after a leapfrog trajectory each, and the log acceptance ratios (m,)."""
        steps = min(_MOST_STEPS, int(np.ceil(_LENGTH / (np.mean(_JITTER) * self.step))))
        size = self.step * rng.uniform(*_JITTER, len(q))[:, None]
        momentum = rng.standard_normal(q.shape)
        joint = logp - 0.5 * (momentum**2).sum(axis=1)
        with np.errstate(invalid="ignore", over="ignore"):
            at, (value, slope) = q, target.gradient(q)
            for _ in range(steps):
                momentum = momentum + 0.5 * size * (slope @ factor)
                at = at + size * momentum @ factor.T
                value, slope = target.gradient(at)
                momentum = momentum + 0.5 * size * (slope @ factor)
            log_ratio = value - 0.5 * (momentum**2).sum(axis=1) - joint
        # A trajectory that left where the density is finite is refused.
        log_ratio = np.where(np.isfinite(log_ratio), log_ratio, -np.inf)
        take = np.log(rng.random(len(q))) < log_ratio
        return np.where(take[:, None], at, q), np.where(take, value, logp), log_ratio


def _spread(X: np.ndarray) -> np.ndarray:
    """Lower Cholesky factor (Q, Q) of the covariance of draws X (n, Q), shrunk towards its diagonal."""
    n, size = X.shape
    covariance, weight = np.cov(X.T).reshape(size, size), _SHRINKAGE * size
    shrunk = (n * covariance + weight * np.diag(np.diagonal(covariance))) / (n + weight)
    return np.linalg.cholesky(shrunk + 1e-8 * np.eye(size))
