"""Surrogates whose latent function is integrated out, in plain numpy, on a conditional space of numbers and choices."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from surrogate_cases import TREE, matern52

from bayeshpo.inference.nuts import NUTS
from bayeshpo.surrogates.additive import AdditiveGaussianProcess
from bayeshpo.surrogates.base import NUGGET
from bayeshpo.surrogates.columns import Columns
from bayeshpo.surrogates.gaussian_process import GaussianProcessSurrogate
from bayeshpo.surrogates.gp import GaussianProcess
from bayeshpo.surrogates.heteroscedastic import HeteroscedasticGaussianProcess
from bayeshpo.surrogates.horseshoe import HorseshoeRegression
from bayeshpo.surrogates.neural_network import BayesianNeuralNetwork
from bayeshpo.surrogates.saas import SAASGaussianProcess
from bayeshpo.surrogates.trees import AdditiveTrees
from bayeshpo.surrogates.warped import WarpedGaussianProcess

COLUMNS = Columns.of(TREE)
NAMES = TREE.names
CENTRES = np.array([1.0, 3.0, 5.0]) / 6.0


def along(name, x):
    """Coordinates (n, e) of one hyperparameter's column x (n,)."""
    active = (x >= 0.0)[:, None]
    if name in ("booster", "rule"):
        return np.isclose(x[:, None], CENTRES).astype(float)
    if name in ("depth", "shrink"):
        return np.where(active, np.column_stack([np.sin(x), np.cos(x)]), 0.0)
    return x[:, None]


def ard(X, X2, lengthscale, amplitude):
    """amplitude^2 times the Matern-5/2 correlation of X (n, D) with X2 (m, D)."""
    U, V = (
        np.hstack([along(name, A[:, j]) / lengthscale[j] for j, name in enumerate(NAMES)]) for A in (X, X2)
    )  # fmt: skip
    return matern52(U, V, 1.0, amplitude)


def gp(X, X2, p):
    return ard(X, X2, p["lengthscale"], p["amplitude"])


def saas(X, X2, p):
    return ard(X, X2, np.sqrt(1.0 / (p["tau"] * p["lambda"]) ** 2 + 0.05**2), p["amplitude"])


def warped(X, X2, p):
    def warp(X):
        X, numbers = X.copy(), [j for j, name in enumerate(NAMES) if name in ("x", "depth", "shrink")]
        for a, b, j in zip(p["a"], p["b"], numbers, strict=True):
            x = 1e-6 + (1.0 - 2e-6) * X[:, j]
            X[:, j] = [1.0 - (1.0 - u**a) ** b if u > 0.0 else -1.0 for u in x]
        return X

    return gp(warp(X), warp(X2), p)


def additive(X, X2, p):
    parts = zip(NAMES, X.T, X2.T, p["lengthscale"], p["amplitude"], strict=True)
    return sum(matern52(along(name, x), along(name, x2), ell, a) for name, x, x2, ell, a in parts)


def regression_features(X):
    """Numbers less the middle of their range, and indicators; the column that each comes from."""
    g, origin = [], []
    for j, name in enumerate(NAMES):
        if name in ("booster", "rule"):
            g += [np.isclose(X[:, j], centre).astype(float) for centre in CENTRES]
        else:
            g.append(np.where(X[:, j] >= 0.0, X[:, j] - 0.5, 0.0))
        origin += [j] * (len(g) - len(origin))
    return np.column_stack(g), origin


def horseshoe(X, X2, p):
    """Weight by weight: of the features, of their squares, and of the products of two."""
    (g, origin), (g2, _) = regression_features(X), regression_features(X2)
    wide = (p["tau"] * p["lambda"]) ** 2
    s2 = (p["slab"] ** 2 * wide / (p["slab"] ** 2 + wide))[origin]
    q2, eta2 = p["curvature"] ** 2, p["interaction"] ** 2
    K = sum(s2[i] * np.outer(g[:, i], g2[:, i]) for i in range(len(s2)))
    K = K + sum(q2 * s2[i] * np.outer(g[:, i] ** 2, g2[:, i] ** 2) for i in range(len(s2)))
    for i in range(len(s2)):
        for k in range(i):
            K = K + eta2 * s2[i] * s2[k] * np.outer(g[:, i] * g[:, k], g2[:, i] * g2[:, k])
    return K


def infinite_network(X, X2, p):
    """Williams 1998, eq. 11, with a bias beside the inputs; x alone is always active and a number."""

    def augmented(X):
        u = [along(name, x) - (p["centre"] if name == "x" else 0.0) for name, x in zip(NAMES, X.T, strict=True)]
        weighed = [w * part for w, part in zip(p["weight"], u, strict=True)]
        bias = p["bias"] * np.sqrt(np.sum(p["weight"] ** 2) / 12.0)
        return np.hstack([np.full((len(X), 1), bias), *weighed])

    a, b = augmented(X), augmented(X2)
    own, own2 = (1.0 + 2.0 * np.sum(v * v, axis=1) for v in (a, b))
    return p["amplitude"] ** 2 * 2.0 / np.pi * np.arcsin(2.0 * a @ b.T / np.sqrt(np.outer(own, own2)))


def infinite_trees(X, X2, p):
    """Absolute differences, summed; inactive numbers are 1 from active ones, inactive choices half of other choices."""
    q = np.zeros((len(X), len(X2)))
    for name, lengthscale, x, x2 in zip(NAMES, p["lengthscale"], X.T[:, :, None], X2.T[:, None, :], strict=True):
        if name in ("booster", "rule"):
            far = np.where((x < 0.0) ^ (x2 < 0.0), 1.0, np.where(np.isclose(x, x2), 0.0, 2.0))
        else:
            far = np.where((x < 0.0) ^ (x2 < 0.0), 1.0, np.abs(x - x2))
        q += far / lengthscale
    return p["amplitude"] ** 2 / (1.0 + q)


def constant_noise(X, p):
    return np.full(len(X), p["noise"] ** 2 + NUGGET)


def log_linear_noise(X, p):
    return (p["noise"] * np.exp(regression_features(X)[0] @ p["slope"])) ** 2 + NUGGET


@dataclass(frozen=True)
class Case:
    """A surrogate with its covariance and its noise's variances in numpy, and NUTS with steps that follow it."""

    surrogate: GaussianProcessSurrogate
    covariance: Any
    noise: Any = constant_noise
    nuts: NUTS = field(default_factory=NUTS)

    def conditional(self, X, y, Z, p):
        """Mean and variance of f at Z, and mean at X (Rasmussen and Williams 2006, eqs. 2.25 and 2.26)."""
        K = self.covariance(X, X, p) + np.diag(self.noise(X, p))
        k, prior = self.covariance(X, Z, p), np.diag(self.covariance(Z, Z, p))
        weights = np.linalg.solve(K, y - p["mean"])
        variance = prior - np.einsum("ij,ij->j", k, np.linalg.solve(K, k))
        return p["mean"] + k.T @ weights, variance, p["mean"] + self.covariance(X, X, p) @ weights


CASES = {
    "gp": Case(GaussianProcess(), gp),
    "saas": Case(SAASGaussianProcess(), saas),
    "warped": Case(WarpedGaussianProcess(), warped),
    "additive": Case(AdditiveGaussianProcess(), additive),
    "heteroscedastic": Case(HeteroscedasticGaussianProcess(), gp, log_linear_noise),
    "horseshoe": Case(HorseshoeRegression(), horseshoe),
    # Where the bias is small the mean is f at the centre: a funnel, in which the default's steps diverge.
    "bayesian_neural_network": Case(
        BayesianNeuralNetwork(), infinite_network, nuts=NUTS(draws=600, target_accept=0.97)
    ),
    "bart": Case(AdditiveTrees(), infinite_trees),
}
