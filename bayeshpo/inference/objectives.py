"""Several objectives at a time: independent posteriors of their surrogates side by side, draw beside draw."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from bayeshpo.inference.predictive import ModelPredictive, Predictive, predictive, predictive_of
from bayeshpo.inference.stacked_predictive import StackedData


@dataclass(frozen=True)
class ObjectivesDensity:
    """The densities of all objectives; what they have in common is the value's."""

    parts: tuple[Any, ...]

    @property
    def surrogate(self) -> Any:
        """That of the value."""
        return self.parts[0].surrogate

    @property
    def columns(self) -> Any:
        """Of the space."""
        return self.parts[0].columns


@dataclass(frozen=True, eq=False)
class ObjectivesPosterior:
    """A posterior for each objective; to all that works on equally weighted draws, one `Posterior`.

    Attributes
    ----------
    parts
        Of each objective's surrogate, that of the value first.
    """

    parts: tuple[Any, ...]

    @property
    def density(self) -> ObjectivesDensity:
        """Of all objectives."""
        return ObjectivesDensity(tuple(part.density for part in self.parts))

    @property
    def report(self) -> Any:
        """That of the value; or of another objective, if its fit failed."""
        return next((p.report for p in self.parts if p.report.status == "failed"), self.parts[0].report)

    @cached_property
    def data(self) -> StackedData:
        """The trials, with each objective's losses as a member's."""
        return StackedData.joined([part.data for part in self.parts])

    @property
    def halves(self) -> tuple[ObjectivesPosterior, ObjectivesPosterior]:
        """The halves of all of them, side by side."""
        first, second = zip(*(part.halves for part in self.parts), strict=True)
        return ObjectivesPosterior(first), ObjectivesPosterior(second)

    def thinned(self, n: int) -> np.ndarray:
        """Draws (S, Q_1 + ... + Q_K) of equal weight, up to n; of independent posteriors any pairing will do."""
        size = min(len(part.thinned(n)) for part in self.parts)
        return np.concatenate([part.thinned(size) for part in self.parts], axis=1)


@dataclass(frozen=True, eq=False)
class ObjectivesDraws:
    """Conditioned draws of each objective.

    Attributes
    ----------
    parts
        As the objectives' predictives give them, S of each.
    """

    parts: tuple[Any, ...]

    @cached_property
    def fitted(self) -> np.ndarray:
        """Means of the latent functions at the training points under each draw (S, n, K)."""
        return np.stack([draws.fitted for draws in self.parts], axis=2)

    @property
    def states(self) -> list[Mapping[str, np.ndarray]]:
        """What is kept of the data of each objective."""
        return [state for draws in self.parts for state in draws.states]

    def every(self, step: int) -> ObjectivesDraws:
        """Each so manieth draw."""
        return ObjectivesDraws(tuple(draws.every(step) for draws in self.parts))


class ObjectivesPredictive(Predictive):
    """Means and variances of all objectives' latent functions (S, m, K), for every draw.

    Parameters
    ----------
    density
        The objectives' densities.
    """

    def __init__(self, density: ObjectivesDensity) -> None:
        self.density, self.objectives = density, (len(density.parts),)
        self.parts = [predictive(part) for part in density.parts]
        self._edges = np.cumsum([part.dimension for part in density.parts])[:-1]

    def condition(self, Q: np.ndarray, data: StackedData) -> ObjectivesDraws:
        """Draws Q (S, Q_1 + ... + Q_K) with their state given the data."""
        own = zip(self.parts, np.split(Q, self._edges, axis=1), data.members, strict=True)
        return ObjectivesDraws(tuple(part.condition(np.ascontiguousarray(q), d) for part, q, d in own))

    def __call__(self, draws: ObjectivesDraws, Z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Mean (S, m, K) and variance (S, m, K) at Z (m, D), in units of each standardised objective."""
        found = [part(own, Z) for part, own in zip(self.parts, draws.parts, strict=True)]
        mean, variance = (np.stack(values, axis=2) for values in zip(*found, strict=True))
        return mean, variance

    def pullback(
        self, draws: ObjectivesDraws, Z: np.ndarray, by_mean: np.ndarray, by_variance: np.ndarray
    ) -> np.ndarray:
        """Derivative by Z (m, D) of a function whose derivatives by mean and variance are given, (S, m, K) each."""
        own = enumerate(zip(self.parts, draws.parts, strict=True))
        return np.sum([p.pullback(d, Z, by_mean[..., k], by_variance[..., k]) for k, (p, d) in own], axis=0)

    def believing(self, data: StackedData, X: np.ndarray, y: np.ndarray) -> StackedData:
        """The trials, and further points (m, D) with what is believed of all objectives there (m, K)."""
        own = zip(self.parts, data.members, y.T, strict=True)
        return StackedData.joined([part.believing(d, X, values) for part, d, values in own])

    def members(self, draws: ObjectivesDraws) -> list[tuple[ModelPredictive, Any]]:
        """Of all objectives."""
        parts = zip(self.parts, draws.parts, strict=True)
        return [member for part, own in parts for member in part.members(own)]

    @property
    def models(self) -> list[ModelPredictive]:
        """Those of all objectives."""
        return [model for part in self.parts for model in part.models]

    def prepare(self) -> Iterator[Any]:
        """Compile now what is not compiled yet, a function a step."""
        for part in self.parts:
            yield from part.prepare()


@predictive_of.register
def _predictive(density: ObjectivesDensity) -> Any:
    return ObjectivesPredictive(density)
