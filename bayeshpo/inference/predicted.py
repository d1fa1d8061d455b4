"""What a fit predicts of the trials that it has seen, in ArviZ's groups: for leave-one-out and predictive checks."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from bayeshpo.errors import SpecificationError
from bayeshpo.inference.joint import JointPredictive
from bayeshpo.inference.predictive import ConditionedDraws, ModelPredictive, predictive
from bayeshpo.surrogates.symbolic import UNCOMPILED, pm

if TYPE_CHECKING:
    from bayeshpo.inference.posterior import Posterior

_PRIOR_DRAWS = 500
# Draws times the cube of the number of trials: seconds, above which draws are thinned.
_WORK = 5e10
_DENSITIES = (
    "leave-one-out conditionals p(y_i | y_-i, hyperparameters), for arviz.loo; they do not add up to the log "
    "likelihood, which power scaling takes: arviz.psense_summary(tree['power_scaling'])"
)
# Entries of covariances in memory at a time.
_ENTRIES = 2e7


def predicted(posterior: Posterior, rng: np.random.Generator) -> dict[str, xr.Dataset]:
    """Groups beside those of `Posterior.to_datatree`, each with "outcome" (chain, draw, trial), standardised.

    ``log_likelihood`` is the log density of each outcome given the hyperparameters and all other outcomes: of outcomes
    that depend on each other, that is what leave-one-out weights are made of. They do not add up to the log likelihood
    (`power_scaling`), which an attribute of the group says. ``posterior_predictive`` are joint draws of new outcomes at
    the same points, ``prior_predictive`` draws of the model without data. With many trials, of fewer of the posterior's
    draws. A group that the surrogate does not know is left out.
    """
    of, data, Q = predictive(posterior.density), posterior.data, posterior.equally_weighted
    n = len(data.y)
    step = max(1, int(np.ceil(Q.shape[0] * Q.shape[1] * n**3 / _WORK)))
    draws = np.arange(Q.shape[1])[::step]
    flat = np.ascontiguousarray(Q[:, ::step].reshape(-1, Q.shape[2]))
    parts = [_said(of, part, rng) for part in of.in_chunks(flat, data, max(1, int(_ENTRIES / n**2)))]
    joined = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    found = {name: _dataset(values.reshape(Q.shape[0], len(draws), n), draws) for name, values in joined.items()}
    if "log_likelihood" in found:
        found["log_likelihood"].attrs = {"densities": _DENSITIES}
    prior = _prior_predictive(posterior, rng)
    return found | ({} if prior is None else {"prior_predictive": _dataset(prior[None], np.arange(len(prior)))})


def _said(of: ModelPredictive, draws: ConditionedDraws, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """What conditioned draws say of the trials, (S, n) each, by the group's name."""
    found = {}
    with contextlib.suppress(SpecificationError):
        found["log_likelihood"] = of.left_out_of(draws)
    if of.says_outcome and of.surrogate.is_joint:
        found["posterior_predictive"] = _replicated(of, draws, rng)
    return found


def _replicated(of: ModelPredictive, draws: ConditionedDraws, rng: np.random.Generator) -> np.ndarray:
    """Outcomes (S, n) of new trials at the points of the old ones."""
    X, normal = draws.data["X"], of.normal
    anchored = JointPredictive(normal, noise=False).anchored(draws, np.tile(X, (len(draws.fitted), 1, 1)))
    noise = normal.noise(draws, X) if normal.says_noise else None
    if noise is not None and of.surrogate.reads_errors:
        noise = noise + draws.data["errors"] ** 2
    f = anchored.paths(1, rng)[:, 0, :]
    return of.surrogate.outcomes(of.density.columns, draws.parameters, draws.data, X, f, noise, rng)


def _prior_predictive(posterior: Posterior, rng: np.random.Generator) -> np.ndarray | None:
    """Outcomes (S, n) at the trials' points, drawn from the model itself; None where it observes several things."""
    surrogate, data = posterior.density.surrogate, posterior.data
    model: Any = surrogate.model(posterior.density.columns, data.X, data.y)
    pm.set_data(data.named(), model)
    if len(model.observed_RVs) != 1:
        return None
    drawn = np.asarray(pm.draw(model.observed_RVs[0], draws=_PRIOR_DRAWS, random_seed=rng, mode=UNCOMPILED))
    # The losses are the last of what is observed.
    return drawn.reshape(_PRIOR_DRAWS, -1)[:, -len(data.y) :]


def _dataset(values: np.ndarray, draws: np.ndarray) -> xr.Dataset:
    chains, _, n = values.shape
    coords = {"chain": np.arange(chains), "draw": draws, "trial": np.arange(n)}
    return xr.Dataset({"outcome": (("chain", "draw", "trial"), values.astype(np.float32))}, coords)
