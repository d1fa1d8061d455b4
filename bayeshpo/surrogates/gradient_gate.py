"""Whether gradients agree with losses: the gate of a surrogate that is told both.

Two explanations of the same data are compared: that slopes are the losses' own, and that they are those of another
function of the same kind, with hyperparameters of its own. By the chain rule of probabilities

    log p(losses, slopes) - log p(losses) - log p(slopes)

is how much better the losses are predicted, one after another, with the slopes than without. Where the model holds it
is positive but for chance. Slopes of another function, with another sign or in another unit make it fall with every
trial, and the gate shuts. Slopes that are noise leave it near nothing: a large slope noise sees to them.

Each term is the maximum over a few hyperparameters: the size of the lengthscales, with their proportions either all the
same or inverse to the size of the slopes along each column, and noise as a share of f's standard deviation and of its
slopes'; f's variance is integrated out, and so is its level. So the answer is a function of the data alone.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.linalg import cholesky, solve_triangular
from scipy.optimize import minimize
from scipy.special import gammaln

from bayeshpo.surrogates.base import NUGGET, TrainingData
from bayeshpo.surrogates.columns import Columns
from bayeshpo.surrogates.symbolic import COMPILED, function, pt, strict_arithmetic

if TYPE_CHECKING:
    from bayeshpo.surrogates.derivative import DerivativeGaussianProcess

Covariance = Callable[[np.ndarray], np.ndarray]

# Losses that are so many times more probable without the slopes speak against them.
AGAINST = 1000.0
# Where maxima are looked for: logarithms of the lengthscale, in units of the cube's diagonal, of the noise and of the
# slopes' noise; and how far from their middle they may go before that speaks against them.
_STARTS = tuple(itertools.product(np.log((0.2, 1.0, 5.0)), np.log((0.03, 0.5)), np.log((0.03, 0.5))))
_MIDDLE, _SPREAD, _FARTHEST = np.log((1.0, 0.1, 0.1)), 2.0, 6.0
_EVALUATIONS = 100
# Proportions of lengthscales at most.
_MOST_UNEQUAL = 100.0


def gradients_agree(surrogate: DerivativeGaussianProcess, columns: Columns, data: TrainingData) -> bool:
    """Whether the slopes of prepared data are to be believed."""
    return log_ratio(surrogate, columns, data) > -np.log(AGAINST)


def log_ratio(surrogate: DerivativeGaussianProcess, columns: Columns, data: TrainingData) -> float:
    """How much more probable the losses of prepared data are with the slopes than without, as a logarithm."""
    covariance, unit = _compiled(surrogate, columns), float(data.y.std()) or 1.0
    losses = replace(data, arrays={name: array[:0] for name, array in data.arrays.items()})
    slopes = replace(data, X=data.X[:0], y=data.y[:0])
    shapes = [np.sqrt(columns.dimension) * shape for shape in (np.ones(columns.dimension), _proportions(data))]

    def most(part: TrainingData) -> float:
        k = len(part.arrays["slopes"])
        r = np.concatenate([part.arrays["slopes"], part.y]) / unit
        of_lengthscales = partial(covariance, *part.named().values())
        return max(_maximum(partial(_log_density, of_lengthscales, shape, r, k)) for shape in shapes)

    return most(data) - most(losses) - most(slopes)


def _maximum(f: Callable[[np.ndarray], float]) -> float:
    """The maximum from the best of a few starts on."""
    start = max(_STARTS, key=lambda q: f(np.array(q)))
    options = {"maxfev": _EVALUATIONS, "xatol": 1e-2, "fatol": 1e-2}
    return -minimize(lambda q: -f(q), np.array(start), method="Nelder-Mead", options=options).fun


def _log_density(covariance: Covariance, shape: np.ndarray, r: np.ndarray, k: int, q: np.ndarray) -> float:
    """Of slopes and losses r (k + n,), a multivariate t of one degree of freedom, and of q itself."""
    scale, noise, slope_noise = np.exp(np.clip(q, _MIDDLE - _FARTHEST, _MIDDLE + _FARTHEST))
    K, N = covariance(shape * scale), len(r)
    # The level is as uncertain as f itself. What f may vary by shrinks as lengthscales grow, and so do its slopes.
    K[k:, k:] += 1.0
    K.flat[:: N + 1] += np.repeat([slope_noise**2 + NUGGET, noise**2 + NUGGET], [k, N - k]) * (
        np.repeat([1.0 / scale, min(1.0, 1.0 / scale)], [k, N - k]) ** 2
    )
    L = cholesky(K, lower=True, overwrite_a=True, check_finite=False)
    a = solve_triangular(L, r, lower=True, check_finite=False)
    density = gammaln(0.5 * (N + 1)) - 0.5 * (N + 1) * np.log(np.pi * (1.0 + a @ a)) - np.log(np.diag(L)).sum()
    return float(density) - 0.5 * float(np.sum(((q - _MIDDLE) / _SPREAD) ** 2))


def _proportions(data: TrainingData) -> np.ndarray:
    """Lengthscales (D,), the smallest 1, that are inverse to the size of the slopes along each column."""
    along = data.arrays["slope_along"]
    sizes = np.sqrt(along.T @ data.arrays["slopes"] ** 2 / np.maximum(along.sum(axis=0), 1.0))
    known = sizes > 0.0
    return np.where(known, np.clip(sizes.max() / np.where(known, sizes, 1.0), 1.0, _MOST_UNEQUAL), 1.0)


@lru_cache(maxsize=32)
def _compiled(surrogate: DerivativeGaussianProcess, columns: Columns) -> Any:
    """Covariance of slopes and losses as a function of data and lengthscales (D,), for an amplitude of 1."""
    empty = surrogate.no_data(columns).named()
    data = {name: pt.tensor(name, dtype="float64", shape=(None,) * a.ndim) for name, a in empty.items()}
    lengthscale, one = pt.dvector("lengthscale"), pt.as_tensor(1.0)
    p = {"mean": one, "amplitude": one, "lengthscale": lengthscale, "noise": one, "slope_noise": one}
    _, K, _ = surrogate.moments(columns, p, data)
    with strict_arithmetic():
        return function([*data.values(), lengthscale], K, mode=COMPILED, on_unused_input="ignore", trust_input=True)
