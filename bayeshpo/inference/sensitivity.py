"""Sensitivity of a posterior to its prior and to its likelihood, by power scaling (Kallioinen et al. 2024).

One of the two is raised to a power and the draws are weighed accordingly, by Pareto-smoothed importance sampling, in
place of a fit anew. The prior is that on the unconstrained scale, on which a log-normal prior is a normal one: a power
makes it wider or narrower. On the hyperparameter's own scale it would shift it, by its variance of the logarithm.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from arviz_stats.base.array import array_stats

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
    log_weights = _diagnostics.power_scale_lw(log_component, alpha=power)
    weights = np.exp(log_weights - log_weights.max())
    return weights / weights.sum()


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
