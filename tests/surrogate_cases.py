"""Spaces, data and oracles that several tests share; equal columns compile once."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from ConfigSpace import CategoricalHyperparameter, InCondition, UniformFloatHyperparameter, UniformIntegerHyperparameter
from scipy import stats

from bayeshpo.inference.density import LogDensity, log_density
from bayeshpo.inference.posterior import Posterior
from bayeshpo.inference.report import InferenceReport
from bayeshpo.registry import ACQUISITIONS
from bayeshpo.space import SearchSpace, as_space
from bayeshpo.surrogates.base import NUGGET, TrainingData
from bayeshpo.surrogates.columns import Columns
from bayeshpo.surrogates.gp import GaussianProcess
from bayeshpo.surrogates.priors import amplitude_prior, lengthscale_prior, noise_prior
from bayeshpo.surrogates.symbolic import pt
from bayeshpo.surrogates.training_data import lowest
from bayeshpo.testing import surrogates as promises

# Acquisitions that take every trial for a whole one: what others are beyond that is about `learning_curve` alone.
WHOLE = [name for name, entry in ACQUISITIONS.items() if not entry.load().fidelities]

# Promises that depend on what a surrogate makes of the trials: for one that is told more than losses.
OF_THE_TRIALS = [
    promises.right_gradient,
    promises.order_of_trials_does_not_matter,
    promises.unit_of_the_loss_does_not_matter,
    promises.predictions,
    promises.right_pullback,
    promises.outcomes_have_a_distribution,
    promises.fitted_is_predicted,
    promises.believed_points_are_known,
    promises.covariances_are_of_one_function,
    promises.odd_trials_are_survived,
    pytest.param(promises.fits, marks=pytest.mark.slow),
]


def lognormal_law(prior):
    """The scipy law of a default prior, so that tests of how priors are used do not repeat their numbers."""
    mu, sigma = (float(pt.get_underlying_scalar_constant_value(p)) for p in prior.owner.op.dist_params(prior.owner))
    return stats.lognorm(sigma, scale=np.exp(mu))


AMPLITUDE, NOISE, LENGTHSCALE = (lognormal_law(p) for p in (amplitude_prior(), noise_prior(), lengthscale_prior(2)))
PLANE = as_space({"x": (0.0, 1.0), "z": (0.0, 1.0)})
MIXED = as_space({"x": (0.0, 1.0), "kernel": ["rbf", "linear", "poly", "sigmoid"], "flag": [True, False]})


def conditional_space():
    """A number and a choice, and three hyperparameters that only two of the choices have."""
    space = as_space({"x": (0.0, 1.0), "booster": ["tree", "linear", "dart"]}).configspace
    depth, shrink = UniformIntegerHyperparameter("depth", 1, 9), UniformFloatHyperparameter("shrink", 0.0, 1.0)
    children = (depth, shrink, CategoricalHyperparameter("rule", ["a", "b", "c"]))
    space.add(*children)
    space.add(*(InCondition(child, space["booster"], ["tree", "dart"]) for child in children))
    return SearchSpace(space)


TREE = conditional_space()


def density_on(space) -> LogDensity:
    """The Gaussian process' density on a space, shared by all tests of a process."""
    return log_density(GaussianProcess(), Columns.of(space))


def training_data(X, y, failed=None) -> TrainingData:
    """Standardised outcomes at points (n, D)."""
    y = np.asarray(y, dtype=float)
    location, scale = (y.mean(), y.std()) if len(y) > 1 else (0.0, 1.0)
    failed = np.empty((0, X.shape[1])) if failed is None else failed
    y = (y - location) / scale
    return TrainingData(X, y, location, scale, failed, lowest(y))


def first(data: TrainingData, n: int) -> TrainingData:
    """The first n trials, standardised as all of them are."""
    return replace(data, X=data.X[:n], y=data.y[:n])


def wavy(n: int, seed: int = 0, noise: float = 0.1) -> TrainingData:
    """n noisy values of a function of the first of two coordinates."""
    rng = np.random.default_rng(seed)
    X = rng.random((n, 2))
    return training_data(X, np.sin(5.0 * X[:, 0]) + noise * rng.standard_normal(n))


def matern52(A, B, lengthscale, amplitude):
    """amplitude^2 times the Matern-5/2 correlation between rows of A and of B, in plain numpy."""
    difference = (A[:, None, :] - B[None, :, :]) / lengthscale
    s = np.sqrt(5.0 * (difference**2).sum(axis=2))
    return amplitude**2 * (1.0 + s + s**2 / 3.0) * np.exp(-s)


def textbook_conditional(X, y, Z, mean, amplitude, lengthscale, noise):
    """Mean and variance of the latent function at Z (Rasmussen and Williams 2006, eqs. 2.25 and 2.26)."""
    K = matern52(X, X, lengthscale, amplitude) + (noise**2 + NUGGET) * np.eye(len(X))
    k = matern52(X, Z, lengthscale, amplitude)
    solved = np.linalg.solve(K, np.column_stack([y - mean, k]))
    return mean + k.T @ solved[:, 0], amplitude**2 - np.einsum("ij,ij->j", k, solved[:, 1:])


def left_out_by_hand(residual, C, n):
    """Log density of each of the last n entries of N(0, C) given all the others, by their own conditionals."""
    found = []
    for i in range(len(residual) - n, len(residual)):
        others = np.arange(len(residual)) != i
        k = np.linalg.solve(C[np.ix_(others, others)], C[others, i])
        found.append(stats.norm(k @ residual[others], np.sqrt(C[i, i] - k @ C[others, i])).logpdf(residual[i]))
    return np.array(found)


def posterior_of(density, Q, data) -> Posterior:
    """A posterior of these unconstrained draws (S, Q)."""
    return Posterior(density, data, Q[None], InferenceReport("test", "sampled", len(data.y)))


def central_differences(f, x, step=1e-6):
    """Derivatives of a scalar function by each entry of x, to about step^2."""
    slope = np.empty_like(x)
    for i in np.ndindex(x.shape):
        up, down = x.copy(), x.copy()
        up[i] += step
        down[i] -= step
        slope[i] = (f(up) - f(down)) / (2.0 * step)
    return slope
