"""Distribution of a trial's outcome under one draw of the hyperparameters, where it is not normal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from bayeshpo.errors import SpecificationError
from bayeshpo.surrogates.symbolic import ancestors, clone_replace, pm, pt, vectorize_graph

if TYPE_CHECKING:
    from bayeshpo.surrogates.base import Parameters


def mixture_of_normals(y: Any, mean: Any, variances: Any, log_weights: Any) -> tuple[Any, Any]:
    """Log density (m,) and distribution function (m,) of sum_k w_k N(mean, variances_k) at y (m,).

    Parameters
    ----------
    y, mean
        One of each a trial (m,).
    variances
        (m, k).
    log_weights
        The log w_k (k,).
    """
    z = (y - mean)[:, None] / pt.sqrt(variances)
    log_density = pt.logsumexp(log_weights - 0.5 * (pt.sqr(z) + pt.log(2.0 * np.pi * variances)), axis=1)
    return log_density, (pt.exp(log_weights) * 0.5 * pt.erfc(-z / np.sqrt(2.0))).sum(axis=1)


def observed_at(name: str, model: Any, p: Parameters, Z: Any, y: Any) -> tuple[Any, Any]:
    """Log density (m,) and distribution function (m,) of what a model observes, at Z (m, D) with value y (m,).

    Parameters
    ----------
    name
        The surrogate's.
    model
        A PyMC model with data "X" and "y" and a deterministic "f".
    p
        Hyperparameters by name.
    Z, y
        Points and outcomes.

    Raises
    ------
    SpecificationError
        If it does not observe one variable, with a distribution function, of which f says all that differs from trial
        to trial.
    """
    observed = _observed(name, model)
    if model["y"] in set(ancestors([model["f"]])):
        raise SpecificationError(f"surrogate '{name}': expected an f that does not depend on y")
    try:
        terms = [pm.logp(observed, y), pm.logcdf(observed, y)]
    except NotImplementedError as error:
        raise SpecificationError(
            f"surrogate '{name}': expected outcomes with a distribution function: {error}"
        ) from None
    log_density, log_below = clone_replace(terms, _known(model, p, Z, y))
    return log_density, pt.exp(log_below)


def drawn(name: str, model: Any, p: Mapping[str, np.ndarray], X: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Outcomes (S, n) at X (n, D) of what such a model observes, for draws p of its hyperparameters, each (S, ...)."""
    symbols = {rv.name: rv.type() for rv in model.free_RVs}
    [one] = clone_replace([_observed(name, model)], _known(model, symbols, pt.as_tensor(X), pt.zeros(len(X))))
    every = vectorize_graph(one, {symbols[k]: pt.as_tensor(p[k]) for k in symbols})
    return np.asarray(pm.draw(every, random_seed=rng))


def _observed(name: str, model: Any) -> Any:
    if len(model.observed_RVs) != 1 or model.observed_RVs[0].ndim != 1 or model.potentials:
        raise SpecificationError(
            f"surrogate '{name}': expected one observed variable with a value for each trial, and no potentials, to "
            f"say how outcomes are distributed, got {len(model.observed_RVs)} and {len(model.potentials)} potentials"
        )
    return model.observed_RVs[0]


def _known(model: Any, p: Parameters, Z: Any, y: Any) -> dict[Any, Any]:
    return {rv: p[rv.name] for rv in model.free_RVs} | {model["X"]: Z, model["y"]: y}
