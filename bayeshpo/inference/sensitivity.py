"""Sensitivity of a posterior to its prior and to its likelihood, by power scaling (Kallioinen et al. 2024).

One of the two is raised to a power and the draws are weighed accordingly, by Pareto-smoothed importance sampling, in
place of a fit anew. The prior is that on the unconstrained scale, on which a log-normal prior is a normal one: a power
makes it wider or narrower. On the hyperparameter's own scale it would shift it, by its variance of the logarithm.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import singledispatch
from typing import TYPE_CHECKING, Any

import numpy as np
from arviz_stats.base.array import array_stats

from bayeshpo.inference.limits import TAIL
from bayeshpo.inference.objectives import ObjectivesPosterior
from bayeshpo.inference.stacked_posterior import StackedPosterior

if TYPE_CHECKING:
    from bayeshpo.inference.posterior import Posterior

# Powers of the derivative, near 1; and of the question what would be decided under another prior or likelihood.
NEAR, FAR = (0.99, 1.01), (0.8, 1.25)
COMPONENTS = ("prior", "likelihood")
_diagnostics: Any = array_stats


def log_components(posterior: Posterior, Q: np.ndarray) -> dict[str, np.ndarray]:
    """Log prior and log likelihood (S,) of draws Q (S, Q)."""
    density = posterior.density
    prior = density.batch(Q, density.no_data)
    return {"prior": prior, "likelihood": density.batch(Q, posterior.data) - prior}


def scaled_weights(log_component: np.ndarray, power: float) -> np.ndarray:
    """Normalised weights (S,) of posterior draws with one component, its log (S,), raised to a power."""
    if np.ptp(log_component) == 0.0:
        return np.full(len(log_component), 1.0 / len(log_component))
    log_weights = (power - 1.0) * log_component
    if len(log_weights) >= TAIL:
        log_weights = _diagnostics.power_scale_lw(log_component, alpha=power)
    weights = np.exp(log_weights - log_weights.max())
    return weights / weights.sum()


@singledispatch
def under_powers(posterior: Any, Q: np.ndarray, powers: Sequence[float]) -> dict[str, np.ndarray]:
    """Normalised weights (P, S) of equally weighted draws Q (S, Q) with each component raised to each of P powers.

    Of a mixture each member's prior or likelihood is, by itself: a member keeps its share. Several objectives are
    independent, so that their weights multiply.
    """
    components = log_components(posterior, Q)
    return {name: np.stack([scaled_weights(log, power) for power in powers]) for name, log in components.items()}


@under_powers.register
def _(posterior: StackedPosterior, Q: np.ndarray, powers: Sequence[float]) -> dict[str, np.ndarray]:
    members, found = Q[:, 0].astype(int), {name: np.zeros((len(powers), len(Q))) for name in COMPONENTS}
    for k in np.unique(members):
        part, own = posterior.parts[k], members == k
        for name, weights in under_powers(part, Q[own, 1 : 1 + part.density.dimension], powers).items():
            found[name][:, own] = own.mean() * weights
    return found


@under_powers.register
def _(posterior: ObjectivesPosterior, Q: np.ndarray, powers: Sequence[float]) -> dict[str, np.ndarray]:
    edges = np.cumsum([part.density.dimension for part in posterior.parts])[:-1]
    each = [under_powers(p, q, powers) for p, q in zip(posterior.parts, np.split(Q, edges, axis=1), strict=True)]
    products = {name: np.prod([len(Q) * weights[name] for weights in each], axis=0) for name in COMPONENTS}
    return {name: weights / weights.sum(axis=1, keepdims=True) for name, weights in products.items()}


def of_members(posterior: StackedPosterior, draws: int) -> dict[str, Any]:
    """`sensitivity` of each member's hyperparameters, "member.hyperparameter", times the member's weight.

    So it is how fast the mixture changes with them, its weights held: a member that has next to none does not matter.
    """
    found: dict[str, Any] = {f"{name}_sensitivity": {} for name in COMPONENTS}
    for member, part, weight in zip(posterior.report.members, posterior.parts, posterior.weights, strict=True):
        if weight == 0.0:
            continue
        Q = part.thinned(draws)
        for name, values in sensitivity(part, Q, log_components(part, Q)).items():
            found[name] |= {f"{member}.{coordinate}": float(weight * v) for coordinate, v in values.items()}
    return found


def sensitivity(posterior: Posterior, Q: np.ndarray, components: Mapping[str, np.ndarray]) -> dict[str, Any]:
    """How fast each hyperparameter's posterior changes with the power, as entries of a row of inference.

    The derivative of the cumulative Jensen-Shannon distance by the log2 of the power: above 0.05 the component matters;
    a prior and a likelihood that both matter may be in conflict, and where the likelihood does not the data say little.

    Parameters
    ----------
    posterior, Q
        The posterior and equally weighted draws (S, Q) of it.
    components
        Of `log_components`.
    """
    found: dict[str, Any] = {}
    for name, log_component in components.items():
        lower, upper = (scaled_weights(log_component, power)[None] for power in NEAR)
        found[f"{name}_sensitivity"] = {
            coordinate: float(_diagnostics.power_scale_sense(q[None], lower, upper, *NEAR))
            for coordinate, q in zip(posterior.density.coordinates, Q.T, strict=True)
        }
    return found
