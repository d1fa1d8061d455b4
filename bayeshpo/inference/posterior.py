"""Posterior of a surrogate: draws, weights, what they were fitted to, and the report."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import xarray as xr

from bayeshpo.inference.density import LogDensity
from bayeshpo.inference.report import InferenceReport
from bayeshpo.surrogates.base import TrainingData

# Chains weigh about the same while their effective number is above this share of them.
_ALIKE = 0.9
# Draws that a surrogate is shown of the posterior before.
_SHOWN = 8


@dataclass(frozen=True, eq=False)
class Posterior:
    """Draws of a surrogate's hyperparameters given the trials.

    Attributes
    ----------
    density
        The compiled log density that the draws come from; it knows the surrogate.
    data
        What the surrogate was fitted to.
    unconstrained
        Draws on the unconstrained scale (chain, draw, Q).
    report
        Diagnostics, action and status.
    log_weights
        Normalised log weights (chain, draw) of importance-sampled draws; None where all weigh the same.
    sample_stats
        The engine's statistics by ArviZ's names, each (chain, draw).
    log_evidence
        Log density of all losses under the prior, where a population that is carried on knows it.
    """

    density: LogDensity
    data: TrainingData
    unconstrained: np.ndarray
    report: InferenceReport
    log_weights: np.ndarray | None = None
    sample_stats: Mapping[str, np.ndarray] = field(default_factory=dict)
    log_evidence: float | None = None

    @property
    def size(self) -> int:
        """Number of draws."""
        return self.unconstrained.shape[0] * self.unconstrained.shape[1]

    @property
    def draws(self) -> np.ndarray:
        """All draws (S, Q), chain after chain."""
        return self.unconstrained.reshape(self.size, -1)

    @property
    def parts(self) -> tuple[Posterior, ...]:
        """The posteriors that engines fitted: itself, where a mixture's are its members'."""
        return (self,)

    @property
    def halves(self) -> tuple[Posterior, Posterior]:
        """Posteriors of half of the chains each, of a single chain half of its draws: they differ by Monte Carlo error.

        Chains, not every other draw: copies of one draw stand side by side, and would be in both.
        """
        axis = 0 if len(self.unconstrained) > 1 else 1
        first, second = np.array_split(np.arange(self.unconstrained.shape[axis]), 2)
        return self._of(first, axis), self._of(second, axis)

    def thinned(self, n: int) -> np.ndarray:
        """Unconstrained draws (n, Q) of equal weight: evenly spaced, or a systematic resample of weighted draws."""
        if self.log_weights is None:
            if n >= self.size:
                return self.draws
            return self.draws[np.linspace(0, self.size, n, endpoint=False).astype(int)]
        return self.draws[_systematic(np.exp(self.log_weights.ravel()), n)]

    @property
    def equally_weighted(self) -> np.ndarray:
        """Unconstrained draws (chain, draw, Q), resampled if they are weighted: what `to_datatree` has."""
        return self.unconstrained if self.log_weights is None else resample(self.unconstrained, self.log_weights)

    def to_datatree(self) -> xr.DataTree:
        """The posterior in ArviZ's layout, with draws of the prior beside it, and what power scaling takes.

        "power_scaling" is a tree of its own for `arviz.psense_summary`: the posterior, the log prior of each
        hyperparameter on the unconstrained scale, and the log likelihood of all trials together.
        """
        # ArviZ takes draws for equally weighted, so weighted ones are resampled.
        Q, statistics = self.unconstrained, dict(self.sample_stats)
        if self.log_weights is not None:
            columns = resample(np.dstack([Q, *statistics.values()]), self.log_weights)
            Q = columns[..., : Q.shape[2]]
            statistics = {name: columns[..., Q.shape[2] + i] for i, name in enumerate(statistics)}
        chains, draws = Q.shape[:2]
        values = self.density.constrain(Q.reshape(chains * draws, -1))
        posterior = {n: v.reshape(chains, draws, *v.shape[1:]) for n, v in values.items()}
        prior = {n: v[None] for n, v in self.density.constrain(self.density.prior_sample).items()}
        names = list(self.density.columns.names)
        n = len(self.data.y)
        groups = {
            "posterior": self._dataset(posterior),
            "sample_stats": self._dataset(statistics),
            "prior": self._dataset(prior),
            "observed_data": xr.Dataset({"outcome": ("trial", self.data.y)}, {"trial": np.arange(n)}),
            "constant_data": xr.Dataset(
                {
                    "X": (("trial", "hyperparameter"), self.data.X),
                    "location": self.data.location,
                    "scale": self.data.scale,
                },
                {"trial": np.arange(n), "hyperparameter": names},
            ),
        }
        if self.report.status != "failed":
            groups |= {"power_scaling/posterior": groups["posterior"]} | self._log_components(Q)
        tree = xr.DataTree.from_dict(groups)
        tree.attrs = {"surrogate": self.density.surrogate.name} | self.report.attributes
        return tree

    def _log_components(self, Q: np.ndarray) -> dict[str, xr.Dataset]:
        """Log prior of each hyperparameter and log likelihood of all trials, of draws Q (chain, draw, Q)."""
        flat = Q.reshape(-1, Q.shape[2])
        log_prior = self.density.log_prior(flat)
        together = sum(v.reshape(len(flat), -1).sum(axis=1) for v in log_prior.values())
        log_likelihood = self.density.batch(flat, self.data) - together
        shaped = {name: v.reshape(*Q.shape[:2], *v.shape[1:]) for name, v in log_prior.items()}
        return {
            "power_scaling/log_prior": self._dataset(shaped),
            "power_scaling/log_likelihood": self._dataset({"outcome": log_likelihood.reshape(Q.shape[:2])}),
        }

    def _of(self, chosen: np.ndarray, axis: int) -> Posterior:
        """Some of the chains (axis 0) or draws (axis 1)."""
        return replace(
            self,
            unconstrained=self.unconstrained.take(chosen, axis),
            log_weights=None if self.log_weights is None else self.log_weights.take(chosen, axis),
            sample_stats={name: values.take(chosen, axis) for name, values in self.sample_stats.items()},
        )

    def _dataset(self, variables: Mapping[str, np.ndarray]) -> xr.Dataset:
        dims = {b.name: b.dims for b in self.density.blocks}
        model_coords: dict[str, Any] = {k: list(v) for k, v in self.density.pymc_model.coords.items() if v is not None}
        data, coords = {}, {}
        for name, values in variables.items():
            own = dims.get(name, ())
            if len(own) != values.ndim - 2:
                own = tuple(f"{name}_dim_{i}" for i in range(values.ndim - 2))
            data[name] = (("chain", "draw", *own), values)
            coords |= {d: model_coords[d] for d in own if d in model_coords}
        dataset = xr.Dataset(data, coords)
        return dataset.assign_coords({d: np.arange(dataset.sizes[d]) for d in ("chain", "draw") if d in dataset.sizes})


def prepared(density: LogDensity, data: TrainingData, previous: Posterior | None) -> TrainingData:
    """The data with what the surrogate computes from them, in the light of the posterior before if it can be used."""
    usable = previous is not None and previous.report.status != "failed" and previous.density.blocks == density.blocks
    draws = density.constrain(previous.thinned(_SHOWN)) if previous is not None and usable else None
    before = previous.data if previous is not None and previous.density is density else None
    return density.surrogate.prepared(density.columns, data, draws, before)


def resample(Q: np.ndarray, log_weights: np.ndarray) -> np.ndarray:
    """Equally weighted draws (chain, draw, Q) by systematic resampling, copies side by side.

    Each chain is resampled by itself as long as the chains weigh about the same; where they do not, one of them has
    seen a part of the posterior that others have not, and all are resampled together.
    """
    chains, _, size = Q.shape
    weights = np.exp(log_weights - log_weights.max())
    share = weights.sum(axis=1) / weights.sum()
    if 1.0 / np.sum(share**2) < _ALIKE * chains:
        return Q.reshape(-1, size)[_systematic(weights.ravel())].reshape(Q.shape)
    return np.stack([Q[g, _systematic(weights[g])] for g in range(chains)])


def _systematic(weights: np.ndarray, n: int | None = None) -> np.ndarray:
    """Indices of ``n`` equally weighted draws (as many as there are weights, if not given)."""
    n = len(weights) if n is None else n
    cumulative = np.cumsum(weights)
    chosen = np.searchsorted(cumulative / cumulative[-1], (np.arange(n) + 0.5) / n)
    return np.minimum(chosen, len(weights) - 1)
