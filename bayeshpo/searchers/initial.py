"""Space-filling points: a scrambled Sobol sequence (Owen, 1998) on a mixed, conditional, constrained space."""

from __future__ import annotations

import math

import numpy as np
from scipy.stats.qmc import Sobol

from bayeshpo.errors import SpaceExhausted
from bayeshpo.space import SearchSpace

# Powers of two: lengths of the shortest and of the longest sequence.
_FIRST, _LAST = 6, 20


def sobol_points(space: SearchSpace, n: int, rng: np.random.Generator) -> np.ndarray:
    """The first ``n`` legal, distinct points (n, D) of a scrambled Sobol sequence, snapped; all of a smaller space.

    Illegal points, and points that stand for a configuration that came before, are passed over. The first points do
    not depend on how many are asked for.

    Parameters
    ----------
    space
        The search space.
    n
        Number of points.
    rng
        Source of the scrambling.

    Raises
    ------
    SpaceExhausted
        If hardly any point is legal.
    """
    engine = Sobol(space.dimension, scramble=True, rng=rng)
    last = _last_power(space)
    power = min(max(_FIRST, math.ceil(math.log2(max(n, 1)))), last)
    drawn = engine.random_base2(power)
    while True:
        X = _legal_and_distinct(space, drawn)
        if len(X) >= n:
            return X[:n]
        if power == last:
            return _with_the_rest(space, X, n)
        drawn = np.concatenate([drawn, engine.random_base2(power)])
        power += 1


def _legal_and_distinct(space: SearchSpace, U: np.ndarray) -> np.ndarray:
    X = space.snap(U)
    X = X[space.legal(X)]
    _, first = np.unique(X, axis=0, return_index=True)
    return X[np.sort(first)]


def _last_power(space: SearchSpace) -> int:
    """Length of the longest sequence, as a power of two: on a finite space most cells are met by then."""
    return min(_LAST, math.ceil(math.log2(16 * space.size))) if math.isfinite(space.size) else _LAST


def _with_the_rest(space: SearchSpace, X: np.ndarray, n: int) -> np.ndarray:
    """The points, and behind them those of the grid that the sequence has not met."""
    if math.isinf(space.size):
        raise SpaceExhausted(f"expected {n} distinct legal configurations, drawing gave {len(X)}")
    rows = np.concatenate([X, space.grid()])
    _, first = np.unique(rows, axis=0, return_index=True)
    return rows[np.sort(first)][:n]
