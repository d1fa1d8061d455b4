"""Three posteriors of posteriordb as bare surrogates, and their reference draws (Magnusson et al. 2024)."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from bayeshpo.inference.density import LogDensity, log_density
from bayeshpo.surrogates.base import Surrogate, TrainingData
from bayeshpo.surrogates.columns import Columns
from bayeshpo.surrogates.marginal_likelihood import gaussian_log_density
from bayeshpo.surrogates.symbolic import pm, pt

FOLDER = (
    Path(os.environ.get("BAYESHPO_DATA", Path(__file__).resolve().parents[2] / "shared" / "data"))
    / "posteriordb_subset"
)
needs_references = pytest.mark.skipif(
    not FOLDER.is_dir(), reason=f"no reference draws: expected the folder {FOLDER} (BAYESHPO_DATA)"
)


class BarePosterior(Surrogate):
    """A model without a predictive: engines need no more than its density."""

    def condition(self, columns, p, X, y):
        raise NotImplementedError("a reference posterior has no predictive")

    def predict(self, columns, p, state, X, Z):
        raise NotImplementedError("a reference posterior has no predictive")


@dataclass(frozen=True)
class GPRegression(BarePosterior):
    """y ~ N(0, alpha^2 exp(-(x - x')^2 / (2 rho^2)) + sigma I); sigma is a variance."""

    name = "gp_regr"

    def model(self, columns, X, y):
        with pm.Model() as model:
            X, y = pm.Data("X", X), pm.Data("y", y)
            K = _covariance(X[:, 0])
            sigma = pm.HalfNormal("sigma", 1.0)
            pm.Potential("outcome", gaussian_log_density(K + sigma * pt.eye(X.shape[0]), y))
        return model


@dataclass(frozen=True)
class GPPoisson(BarePosterior):
    """k ~ Poisson(exp(f)), f = chol(K) f_tilde, at no more than 11 points."""

    name = "gp_pois_regr"

    def model(self, columns, X, y):
        with pm.Model() as model:
            X, y = pm.Data("X", X), pm.Data("y", y)
            K = _covariance(X[:, 0])
            f_tilde = pm.Normal("f_tilde", 0.0, 1.0, shape=11)
            n = X.shape[0]
            f = pt.linalg.cholesky(K + 1e-10 * pt.eye(n)) @ f_tilde[:n]
            pm.Potential("outcome", pt.sum(y * f - pt.exp(f) - pt.gammaln(y + 1.0)))
        return model


@dataclass(frozen=True)
class EightSchools(BarePosterior):
    """y ~ N(mu + tau theta_trans, sigma), sigma in the one column of X."""

    name = "eight_schools"

    def model(self, columns, X, y):
        with pm.Model() as model:
            X, y = pm.Data("X", X), pm.Data("y", y)
            mu = pm.Normal("mu", 0.0, 5.0)
            tau = pm.HalfCauchy("tau", 5.0)
            theta_trans = pm.Normal("theta_trans", 0.0, 1.0, shape=8)
            theta = mu + tau * theta_trans[: X.shape[0]]
            pm.Potential("outcome", pt.sum(pm.logp(pm.Normal.dist(theta, X[:, 0]), y)))
        return model


def _covariance(x):
    rho = pm.Gamma("rho", alpha=25.0, beta=4.0)
    alpha = pm.HalfNormal("alpha", 2.0)
    return pt.sqr(alpha) * pt.exp(-0.5 * pt.sqr((x[:, None] - x[None, :]) / rho))


@dataclass(frozen=True, eq=False)
class Reference:
    """A posterior with reference draws.

    Attributes
    ----------
    density, data
        What an engine is given.
    quantities
        From hyperparameters on their own scale to the reference's quantities, each (S,), by the reference's names.
    draws
        The reference's independent draws (10000,), by name.
    """

    density: LogDensity
    data: TrainingData
    quantities: Callable[[dict[str, np.ndarray]], dict[str, np.ndarray]]
    draws: dict[str, np.ndarray]

    def of(self, Q: np.ndarray) -> dict[str, np.ndarray]:
        """The reference's quantities of unconstrained draws Q (S, Q)."""
        return self.quantities(self.density.constrain(Q))


@cache
def reference(name: str) -> Reference:
    """One of "gp_regr", "gp_pois_regr" and "eight_schools"."""
    surrogate, file, stem = {
        "gp_regr": (GPRegression(), "gp_pois_regr", "gp_pois_regr-gp_regr"),
        "gp_pois_regr": (GPPoisson(), "gp_pois_regr", "gp_pois_regr-gp_pois_regr"),
        "eight_schools": (EightSchools(), "eight_schools", "eight_schools-eight_schools_noncentered"),
    }[name]
    given = json.loads((FOLDER / f"{file}.data.json").read_text())
    x = np.array(given["sigma"] if name == "eight_schools" else given["x"], dtype=float)
    y = np.array(given["k"] if name == "gp_pois_regr" else given["y"], dtype=float)
    table = pd.read_parquet(FOLDER / f"{stem}.draws.parquet").drop(columns=["chain", "draw"])
    draws = {str(c): table[c].to_numpy() for c in table.columns}
    data = TrainingData(x[:, None], y, 0.0, 1.0, np.empty((0, 1)))
    quantities = {"gp_regr": dict, "gp_pois_regr": partial(_poisson, x), "eight_schools": _schools}[name]
    return Reference(log_density(surrogate, Columns(("x",), ())), data, quantities, draws)


def _poisson(x: np.ndarray, p: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    square = (x[:, None] - x[None, :]) ** 2
    K = p["alpha"][:, None, None] ** 2 * np.exp(-0.5 * square / p["rho"][:, None, None] ** 2)
    f = np.einsum("sij,sj->si", np.linalg.cholesky(K + 1e-10 * np.eye(len(x))), p["f_tilde"])
    return {"rho": p["rho"], "alpha": p["alpha"]} | {f"f[{i + 1}]": f[:, i] for i in range(len(x))}


def _schools(p: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    theta = p["mu"][:, None] + p["tau"][:, None] * p["theta_trans"]
    return {"mu": p["mu"], "tau": p["tau"]} | {f"theta[{j + 1}]": theta[:, j] for j in range(8)}
