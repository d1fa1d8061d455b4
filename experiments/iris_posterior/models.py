"""Three PyMC models of iris: the classic linear one, softmax of a fixed prior scale, and softmax that learns it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pymc as pm
from problem import FEATURES, SPECIES

COORDS = {"feature": FEATURES, "species": SPECIES, "weight": ("intercept", *FEATURES)}


def linear(X: np.ndarray, y: np.ndarray) -> pm.Model:
    """The class as a number: standardised features (n, 4) behind a column of ones, classes 0, 1 and 2 (n,)."""
    with pm.Model(coords=COORDS) as model:
        X, y = pm.Data("X", X), pm.Data("y", y.astype(float))
        alpha = pm.Normal("alpha", 0.0, 1.0)
        beta = pm.Normal("beta", 0.0, 1.0, dims="feature")
        pm.Normal("outcome", alpha + X[:, 1:] @ beta, pm.HalfNormal("sigma", 1.0), observed=y)
    return model


def softmax(X: np.ndarray, y: np.ndarray) -> pm.Model:
    """Class probabilities, with the prior scale given, 1 at first; the intercepts are the first row of the weights."""
    with pm.Model(coords=COORDS) as model:
        _classes(X, y, pm.Data("scale", 1.0))
    return model


def hyperprior(X: np.ndarray, y: np.ndarray) -> pm.Model:
    """The same, with a prior for the prior scale: its median is 1, and 90 % of it lies between 0.04 and 27."""
    with pm.Model(coords=COORDS) as model:
        _classes(X, y, pm.LogNormal("scale", 0.0, 2.0))
    return model


def _classes(X: np.ndarray, y: np.ndarray, scale: Any) -> None:
    X, y = pm.Data("X", X), pm.Data("y", y)
    # Weights in units of the scale: where that is learnt, chains move better than over the weights themselves.
    standard = pm.Normal("standard", 0.0, 1.0, dims=("weight", "species"))
    weights = pm.Deterministic("weights", scale * standard, dims=("weight", "species"))
    pm.Categorical("outcome", logit_p=X @ weights, observed=y)
