"""Which points to keep: greedily, the one that the others know least about (Burt, Rasmussen and van der Wilk 2020).

The greedy choice by conditional variance is the pivoted Cholesky factorisation of the covariance. What is left of the
diagonal sums to tr(K_ff - Q_ff), which is what the variational bound charges for. The variances are weighted so that
good trials come first (Moss, Ober and Diethe 2023): a search has most of its trials, and its questions, around them.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import numpy as np

from bayeshpo.surrogates.columns import Columns
from bayeshpo.surrogates.gaussian_process import GaussianProcessSurrogate
from bayeshpo.surrogates.symbolic import UNCOMPILED, function, pm, pt

# Points whose conditional variance is less than this share of the largest variance tell nothing new.
_REDUNDANT = 1e-8
# Points are exchanged where what they leave unexplained is this many times that of a fresh choice.
_WORSE = 1.2
# Share of the trials that count as good: at this rank a standard deviation counts half of what it does at the best.
_GOOD = 0.1
_PRIOR_DRAWS = 8


class AverageCovariance:
    """The covariance of a surrogate averaged over draws of its hyperparameters: itself a covariance.

    Parameters
    ----------
    surrogate, columns
        The surrogate and the columns of the space.
    draws
        Hyperparameters, each (S, ...); a few draws of the prior where none are given.
    """

    def __init__(
        self, surrogate: GaussianProcessSurrogate, columns: Columns, draws: Mapping[str, np.ndarray] | None
    ) -> None:
        names, self._cross, self._diagonal, of_prior = _compiled(surrogate, columns)
        values = of_prior if draws is None else [np.asarray(draws[name]) for name in names]
        self._draws = [list(v) for v in zip(*values, strict=True)]

    def __call__(self, A: np.ndarray, B: np.ndarray) -> np.ndarray:
        """Covariance (m, n) between A (m, D) and B (n, D)."""
        return np.mean([self._cross(*one, A, B) for one in self._draws], axis=0)

    def variance(self, X: np.ndarray) -> np.ndarray:
        """Variance (n,) at X (n, D)."""
        return np.mean([self._diagonal(*one, X) for one in self._draws], axis=0)


def weights(y: np.ndarray) -> np.ndarray:
    """How much the conditional variances at trials with losses y (n,) count: (1 + rank / (0.1 n))^-2."""
    rank = np.argsort(np.argsort(y, kind="stable"), kind="stable")
    return (1.0 + rank / (_GOOD * max(len(y), 1))) ** -2.0


def greedy_choice(
    covariance: AverageCovariance, X: np.ndarray, weight: np.ndarray, most: int
) -> tuple[np.ndarray, float]:
    """Indices of at most so many of the points X (n, D), each of largest variance given those before; what is left.

    Fewer where the rest is redundant. Variances count by their weight (n,); what is left is their weighted sum.
    """
    left = covariance.variance(X)
    enough = _REDUNDANT * left.max(initial=0.0)
    rows, chosen = np.empty((min(most, len(X)), len(X))), []
    while len(chosen) < len(rows):
        i = int(np.argmax(np.where(left > enough, weight * left, 0.0)))
        if left[i] <= enough:
            break
        known = rows[: len(chosen)]
        row = (covariance(X[i : i + 1], X)[0] - known[:, i] @ known) / np.sqrt(left[i])
        rows[len(chosen)] = row
        left = np.maximum(left - row**2, 0.0)
        left[i] = 0.0
        chosen.append(i)
    return np.array(chosen, dtype=int), float(weight @ left)


def still_good(
    covariance: AverageCovariance, X: np.ndarray, weight: np.ndarray, inducing: np.ndarray, left: float
) -> bool:
    """Whether inducing points (M, D) leave hardly more unexplained at X (n, D) than ``left``, a fresh choice's rest."""
    if len(inducing) == 0:
        return False
    K = covariance(inducing, inducing)
    scale = np.trace(K) / len(K)
    factor = np.linalg.cholesky(K + _REDUNDANT * scale * np.eye(len(K)))
    explained = np.linalg.solve(factor, covariance(inducing, X)) ** 2
    unexplained = weight @ np.maximum(covariance.variance(X) - explained.sum(axis=0), 0.0)
    return bool(unexplained <= _WORSE * left + _REDUNDANT * scale * weight.sum())


@lru_cache(maxsize=32)
def _compiled(surrogate: GaussianProcessSurrogate, columns: Columns) -> tuple[list[str], Any, Any, list[np.ndarray]]:
    """Names of the hyperparameters, covariance and variance as functions of them and of points, a few prior draws."""
    with pm.Model(coords={"hyperparameter": columns.names}) as model:
        p = surrogate.priors(columns)
    inputs = {name: pt.tensor(name, dtype="float64", shape=v.type.shape) for name, v in p.items()}
    A, B = pt.dmatrix("A"), pt.dmatrix("B")
    cross, diagonal = (
        function([*inputs.values(), *points], output, mode=UNCOMPILED, on_unused_input="ignore", trust_input=True)
        for points, output in (
            ([A, B], surrogate.covariance(columns, inputs, A, B)),
            ([A], surrogate.variance(columns, inputs, A)),
        )
    )
    values = pm.draw([model[name] for name in p], draws=_PRIOR_DRAWS, random_seed=0, mode=UNCOMPILED)
    return list(p), cross, diagonal, [np.asarray(v) for v in values]
