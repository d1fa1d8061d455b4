"""One Gaussian process of known hyperparameters on a line, given six trials: compiled, in numpy, and many functions."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
from surrogate_cases import density_on

from bayeshpo.acquisitions.outlook import Evidence
from bayeshpo.inference.predictive import predictive
from bayeshpo.space import as_space
from bayeshpo.surrogates.base import TrainingData

LINE = as_space({"x": (0.0, 1.0)})
GRID = np.linspace(0.0, 1.0, 25)[:, None]
KNOWN = {"mean": 0.1, "amplitude": 1.2, "lengthscale": 0.25, "noise": 0.3}
X, Y = GRID[[1, 5, 8, 14, 17, 23]], np.array([0.9, -0.2, 0.3, 1.0, 0.1, -0.1])
# Draws that are all alike, so that together they draw many functions of one process.
COPIES = 128


def line_with_trials():
    """The compiled predictive on one hyperparameter, many copies of one draw, and six trials."""
    density = density_on(LINE)
    values = {b.name: np.full((COPIES, *b.shape), KNOWN[b.name]) for b in density.blocks}
    data = replace(TrainingData.none(1), X=X, y=Y)
    return SimpleNamespace(predictive=predictive(density), Q=density.unconstrain(values), data=data)


def evidence(line, seed=0):
    return Evidence(line.data, np.empty((0, 1)), np.empty(0), pool=GRID, seed=seed)


def conditional(p):
    """Mean (25,) and covariance (25, 25) of f on the grid under hyperparameters, in numpy."""

    def k(a, b):
        s = np.sqrt(5.0) * np.abs(a[:, None, 0] - b[None, :, 0]) / p["lengthscale"]
        return p["amplitude"] ** 2 * (1.0 + s + s**2 / 3.0) * np.exp(-s)

    C = k(X, X) + (p["noise"] ** 2 + 1e-6) * np.eye(len(X))
    mean = p["mean"] + k(GRID, X) @ np.linalg.solve(C, Y - p["mean"])
    return mean, k(GRID, GRID) - k(GRID, X) @ np.linalg.solve(C, k(X, GRID))
