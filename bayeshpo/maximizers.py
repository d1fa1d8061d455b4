"""Maximise an acquisition over a mixed space: the inner search of Bayesian optimisation."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from scipy.spatial import KDTree

from bayeshpo.ascent import ascend
from bayeshpo.errors import SpaceExhausted, exhausted
from bayeshpo.space import INACTIVE, SearchSpace

_SAME = 1e-9
_FLAT = 1e-9
# Points that are no farther from each other are next to each other.
_NEXT = 0.1
# How many others a top is held against.
_NEAREST = 8


class Objective(Protocol):
    """What is maximised: on ever more draws from the first look to the last choice."""

    def rough(self, Z: np.ndarray) -> np.ndarray:
        """Acquisition (m,) at points (m, D), good enough to sort out the poor ones."""
        ...

    def value(self, Z: np.ndarray) -> np.ndarray:
        """Acquisition (m,) at points (m, D)."""
        ...

    def value_and_gradient(self, Z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Acquisition (m,) and gradient (m, D) at points (m, D)."""
        ...

    def close(self, Z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The same on more draws, for the last steps."""
        ...

    def careful(self, Z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Acquisition (m,) on all draws at points (m, D), and its standard error (m,)."""
        ...


@dataclass(frozen=True)
class Maximum:
    """Where an acquisition is largest.

    Attributes
    ----------
    x
        The point (D,), legal and untried.
    value, error
        Acquisition on all draws, and its Monte Carlo standard error.
    flat
        Whether the acquisition was the same everywhere, so that the point is a random one.
    """

    x: np.ndarray
    value: float
    error: float
    flat: bool


@dataclass(frozen=True)
class Maximizer:
    """Score many candidates roughly, the better ones again, refine from several hills, and choose on all draws.

    Continuous coordinates move by a projected quasi-Newton method, all starts side by side; discrete ones by steepest
    ascent over their neighbours, in turn with the continuous ones; the last steps are on more draws. A small finite
    space is searched exhaustively. The result is never worse than the best candidate that was scored twice.

    Parameters
    ----------
    candidates
        Number of random points scored, half as many again around the best trials.
    kept
        Number of them that are scored again.
    starts
        Number of candidates refined.
    exhaustive
        Largest finite space of which every point is scored.
    rounds
        Alternations of continuous and discrete search at most.
    """

    candidates: int = 2048
    kept: int = 128
    starts: int = 8
    exhaustive: int = 2048
    rounds: int = 4

    def __call__(
        self, objective: Objective, space: SearchSpace, taken: np.ndarray, best: np.ndarray, rng: np.random.Generator
    ) -> Maximum:
        """Maximise over what is legal and not among the points ``taken`` (n, D).

        Parameters
        ----------
        objective
            The acquisition.
        space
            Where to search.
        taken
            Tried and pending points (n, D).
        best
            Points around which to look closely (k, D).
        rng
            Source of candidates.

        Raises
        ------
        SpaceExhausted
            If no untried configuration is left.
        """

        def free(Z: np.ndarray) -> np.ndarray:
            return Z[space.legal(Z) & ~_among(Z, taken)]

        if space.size <= self.exhaustive:
            pool = free(self.pool(space, best, rng))
            if len(pool) == 0:
                raise exhausted(len(space.grid()))
            scores = objective.value(pool)
            refined = pool[_best_few(scores, 4 * self.starts)]
        else:
            pool = free(self.pool(space, best, rng))
            if len(pool) == 0:
                raise SpaceExhausted(f"no untried configuration among {self.candidates} random ones")
            roughly = _finite(objective.rough(pool))
            # The points of a broad hill would leave none of a narrow one that is higher.
            hills = _apart(pool, np.where(_tops(pool, roughly), roughly, -np.inf), 2 * self.starts)
            pool = pool[np.concatenate([hills, np.setdiff1d(_best_few(roughly, self.kept), hills)])]
            scores = objective.value(pool)
            # The best of all, the hills, and where there are too few of these the others.
            ranks = np.argsort(np.argsort(_finite(scores), kind="stable"))
            first = (np.arange(len(pool)) < len(hills)) | (ranks == len(pool) - 1)
            starts = pool[_apart(pool, ranks + len(pool) * first, self.starts)]
            refined = np.concatenate([starts, free(self._refine(objective, space, starts, free))])
        finite = scores[np.isfinite(scores)]
        if len(finite) == 0 or np.ptp(finite) < _FLAT:
            x = pool[rng.integers(len(pool))]
            value, error = objective.careful(x[None])
            return Maximum(x, float(value[0]), float(error[0]), True)
        refined = np.concatenate([refined, free(_last_steps(objective, space, refined))])
        values, errors = objective.careful(refined)
        k = int(np.argmax(np.where(np.isfinite(values), values, -np.inf)))
        return Maximum(refined[k], float(values[k]), float(errors[k]), False)

    def pool(self, space: SearchSpace, best: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Random points of the space and points around the best ones (m, D); all points of a small finite space."""
        if space.size <= self.exhaustive:
            return space.grid()
        return np.concatenate([space.sample(self.candidates, rng), self._around(best, space, rng)])

    def _around(self, best: np.ndarray, space: SearchSpace, rng: np.random.Generator) -> np.ndarray:
        """Perturbations of the best trials: some coordinates move a little; choices, and what was inactive, anew."""
        if len(best) == 0:
            return np.empty((0, space.dimension))
        n, D = self.candidates // 2, space.dimension
        Z = best[rng.integers(len(best), size=n)]
        if space.is_conditional:
            Z = np.where(Z == INACTIVE, rng.random((n, D)), Z)
        moved = rng.random((n, D)) < max(0.3, min(1.0, 3.0 / D))
        # Late in a search the best place may lie between trials that are close to each other.
        step = rng.standard_normal((n, D)) * 10.0 ** rng.uniform(-4.0, -0.5, (n, 1))
        Z = np.where(moved & ~space.categorical, Z + step, Z)
        Z = np.where(moved & space.categorical, rng.random((n, D)), Z)
        return space.snap(Z)

    def _refine(
        self, objective: Objective, space: SearchSpace, starts: np.ndarray, free: Callable[[np.ndarray], np.ndarray]
    ) -> np.ndarray:
        Z = starts.copy()
        for _ in range(self.rounds):
            before = Z.copy()
            if space.continuous.any():
                # Inactive entries would be put back in the end.
                Z = ascend(objective.value_and_gradient, Z, space.active(Z) & space.continuous)
            if not space.continuous.all():
                Z = np.stack([_step(objective, space, z, free) for z in Z])
            if np.allclose(Z, before, atol=1e-6):
                break
            if space.continuous.all():
                break
        return space.snap(Z)


def _last_steps(objective: Objective, space: SearchSpace, Z: np.ndarray) -> np.ndarray:
    """From the best of points Z (m, D) along what is continuous there; few draws have a maximum of their own."""
    if not space.continuous.any():
        return Z[:0]
    best = Z[[int(np.argmax(_finite(objective.close(Z)[0])))]]
    return space.snap(ascend(objective.close, best, space.active(best) & space.continuous))


def _step(
    objective: Objective, space: SearchSpace, z: np.ndarray, free: Callable[[np.ndarray], np.ndarray]
) -> np.ndarray:
    """Steepest ascent over discrete neighbours until none is better; at most as many steps as there are columns."""
    for _ in range(space.dimension + 1):
        options = free(_neighbours(space, z))
        if len(options) == 0:
            return z
        values = objective.value(np.concatenate([z[None], options]))
        k = int(np.argmax(values))
        if k == 0:
            return z
        z = options[k - 1]
    return z


def _neighbours(space: SearchSpace, z: np.ndarray) -> np.ndarray:
    """Points that differ from z (D,) in one discrete column: every other choice, or a smaller and a larger number."""
    rows = []
    for j, encoding in enumerate(space.encodings):
        if encoding.kind == "continuous":
            continue
        if encoding.kind == "categorical":
            targets = encoding.points()
        else:
            reach = 1.0 / encoding.size
            targets = z[j] + np.array([-0.25, -0.05, -reach, reach, 0.05, 0.25])
        for target in targets:
            rows.append(z.copy())
            rows[-1][j] = target
    moved = space.snap(np.array(rows))
    return np.unique(moved[~_among(moved, z[None])], axis=0)


def _among(Z: np.ndarray, taken: np.ndarray) -> np.ndarray:
    """Which rows of Z (m, D) are the same configuration as one of taken (n, D)."""
    if len(taken) == 0:
        return np.zeros(len(Z), dtype=bool)
    return (np.abs(Z[:, None, :] - taken[None, :, :]).max(axis=2) < _SAME).any(axis=1)


def _best_few(scores: np.ndarray, n: int) -> np.ndarray:
    return np.argsort(-_finite(scores), kind="stable")[:n]


def _finite(scores: np.ndarray) -> np.ndarray:
    return np.where(np.isfinite(scores), scores, -np.inf)


def _tops(Z: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """Which rows of Z (m, D) are no worse than any of those that are nearest to them."""
    if len(Z) <= _NEAREST:
        return np.ones(len(Z), dtype=bool)
    _, nearest = KDTree(Z).query(Z, k=_NEAREST + 1)
    return scores >= scores[nearest].max(axis=1)


def _apart(Z: np.ndarray, scores: np.ndarray, n: int) -> np.ndarray:
    """Indices of up to n best rows of Z (m, D) that are not next to each other; those of -inf are left out."""
    left = scores.astype(float)
    chosen = [int(np.argmax(left))]
    while len(chosen) < n:
        left[np.abs(Z - Z[chosen[-1]]).max(axis=1) <= _NEXT] = -np.inf
        k = int(np.argmax(left))
        if left[k] == -np.inf:
            break
        chosen.append(k)
    return np.array(chosen)
