"""What the trials have taught of each hyperparameter: how far its posterior is from its prior, and where it is."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from bayeshpo.inference.posterior import Posterior

# Intervals of equal prior probability that a divergence tells apart.
_BINS = 32
_PROBABILITIES = (0.05, 0.5, 0.95)
# Equally weighted draws that stand for a posterior.
_DRAWS = 1280


def learned(posterior: Any) -> dict[str, Any]:
    """`information` and `quantiles` as entries of a row of inference; a mixture's by "member.hyperparameter"."""
    return {"information": _named(posterior, information), "quantiles": _named(posterior, quantiles)}


def information(posterior: Posterior) -> dict[str, float]:
    """Divergence of each hyperparameter's posterior from its prior, in nats, by the names of `LogDensity.coordinates`.

    Of marginals, over 32 intervals of equal prior probability, with the bias of finite samples taken off (Miller 1955):
    0 where nothing was learnt, and at most log 32 = 3.5, where all of the posterior is in one of them. Of a point
    estimate, which has no distribution, nothing is said.
    """
    density, Q = posterior.density, posterior.thinned(_DRAWS)
    if len(Q) < _BINS:
        return {}
    edges = np.quantile(density.prior_sample, np.arange(1, _BINS) / _BINS, axis=0)
    found = {}
    for name, inner, q in zip(density.coordinates, edges.T, Q.T, strict=True):
        counts = np.bincount(np.searchsorted(inner, q), minlength=_BINS)
        share = counts[counts > 0] / len(q)
        bias = (len(share) - 1) / (2.0 * len(q)) + (_BINS - 1) / (2.0 * len(density.prior_sample))
        found[name] = float(max(np.sum(share * np.log(share * _BINS)) - bias, 0.0))
    return found


def quantiles(posterior: Posterior) -> dict[str, list[float]]:
    """5, 50 and 95 % quantiles of each hyperparameter on its own scale, by the names of `LogDensity.coordinates`."""
    density = posterior.density
    values = density.constrain(posterior.thinned(_DRAWS))
    columns = np.concatenate([values[b.name].reshape(len(values[b.name]), -1) for b in density.blocks], axis=1)
    found = np.quantile(columns, _PROBABILITIES, axis=0).T
    return {name: row.tolist() for name, row in zip(density.coordinates, found, strict=True)}


def _named(posterior: Any, of: Callable[[Posterior], dict[str, Any]]) -> dict[str, Any]:
    if len(posterior.parts) == 1:
        return of(posterior.parts[0])
    named = zip(posterior.report.members, posterior.parts, strict=True)
    return {f"{member}.{name}": value for member, part in named for name, value in of(part).items()}
