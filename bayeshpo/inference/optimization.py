"""Modes of a log density: several starts, quasi-Newton ascent, curvature by finite differences of the gradient."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize

from bayeshpo.inference.density import LogDensity
from bayeshpo.surrogates.base import TrainingData

# Log density and its gradient (Q,) at a point (Q,).
Target = Callable[[np.ndarray], tuple[float, np.ndarray]]

# What the line search sees in place of a value that is no number: it has to step back.
_NO_VALUE = 1e12
# Gradient, in units of log density by unconstrained unit, at which a point counts as a mode.
_STATIONARY = 1e-2
_ITERATIONS = 500


@dataclass(frozen=True)
class Mode:
    """Where an ascent ended.

    Attributes
    ----------
    q, value
        The point (Q,) and the log density there.
    stationary
        Whether the gradient vanishes there.
    """

    q: np.ndarray
    value: float
    stationary: bool


def starting_points(density: LogDensity, data: TrainingData, n: int, rng: np.random.Generator) -> np.ndarray:
    """Prior draws (n, Q), resampled by their likelihood flattened so that they are apart but not in nowhere."""
    Q = density.prior_draws(100 * n, rng)
    logp = density.batch(Q, data)
    prior_only = density.batch(Q, density.no_data)
    tempered = 0.2 * np.where(np.isfinite(logp), logp - prior_only, -np.inf)
    weights = np.exp(tempered - tempered.max()) if np.isfinite(tempered).any() else np.ones(len(Q))
    return Q[rng.choice(len(Q), size=n, replace=False, p=_floored(weights))]


def find_mode(target: Target, starts: Sequence[np.ndarray] | np.ndarray) -> Mode | None:
    """The highest mode that L-BFGS reaches from any of the starts; None if the density is finite at none of them."""
    modes = [m for m in (_ascend(target, q) for q in starts) if m is not None]
    return max(modes, key=lambda m: m.value, default=None)


def precision(target: Target, q: np.ndarray, step: float = 1e-4) -> np.ndarray:
    """Negative Hessian (Q, Q) of the log density at a point (Q,) by central differences of its gradient."""
    columns = []
    for i in range(len(q)):
        shift = np.zeros(len(q))
        shift[i] = step
        columns.append((target(q - shift)[1] - target(q + shift)[1]) / (2.0 * step))
    H = np.array(columns)
    return (H + H.T) / 2.0


def descent(target: Target) -> Target:
    """The negative of a log density for a minimiser, with a wall where it is not finite."""

    def loss(q: np.ndarray) -> tuple[float, np.ndarray]:
        value, gradient = target(np.ascontiguousarray(q))
        if not (np.isfinite(value) and np.isfinite(gradient).all()):
            return _NO_VALUE, np.zeros(len(q))
        return -value, -np.asarray(gradient)

    return loss


def _ascend(target: Target, start: np.ndarray) -> Mode | None:
    loss = descent(target)
    if loss(start)[0] >= _NO_VALUE:
        return None
    found = minimize(loss, start, jac=True, method="L-BFGS-B", options={"maxiter": _ITERATIONS, "ftol": 1e-12})
    gradient = loss(found.x)[1]
    return Mode(found.x, -float(found.fun), bool(np.abs(gradient).max() < _STATIONARY))


def _floored(weights: np.ndarray) -> np.ndarray:
    weights = weights / weights.sum() + 1e-12
    return weights / weights.sum()
