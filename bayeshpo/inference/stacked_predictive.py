"""Predictive of a mixture of surrogates: the members' predictives, draw beside draw."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from bayeshpo.inference.predictive import ConditionedDraws, ModelPredictive, Predictive, predictive
from bayeshpo.surrogates.base import TrainingData

if TYPE_CHECKING:
    from bayeshpo.inference.stacked import StackedDensity


@dataclass(frozen=True)
class StackedData(TrainingData):
    """Trials as each member prepares them; of its own the arrays are none.

    Attributes
    ----------
    members
        The data of each member.
    """

    members: tuple[TrainingData, ...] = ()

    @classmethod
    def joined(cls, members: Sequence[TrainingData]) -> StackedData:
        """From the members' data, which are of the same trials."""
        shared = {f.name: getattr(members[0], f.name) for f in fields(TrainingData) if f.name != "arrays"}
        return cls(**shared, members=tuple(members))


@dataclass(frozen=True, eq=False)
class StackedDraws:
    """Draws of the mixture with what their predictive needs: the members', one after the other.

    Attributes
    ----------
    parts
        Members' numbers, in rising order, and their conditioned draws.
    """

    parts: tuple[tuple[int, ConditionedDraws], ...]

    @cached_property
    def fitted(self) -> np.ndarray:
        """Mean of the latent function at the training points under each draw (S, n)."""
        return np.concatenate([draws.fitted for _, draws in self.parts])

    @property
    def states(self) -> list[Mapping[str, np.ndarray]]:
        """What is kept of the data by each member."""
        return [state for _, draws in self.parts for state in draws.states]

    def every(self, step: int) -> StackedDraws:
        """Each so manieth draw, counted through all members."""
        parts, passed = [], 0
        for member, draws in self.parts:
            if (start := -passed % step) < len(draws.fitted):
                parts.append((member, draws.every(step, start)))
            passed += len(draws.fitted)
        return StackedDraws(tuple(parts))


class StackedPredictive(Predictive):
    """Mean and variance of the latent function for every draw of a mixture.

    Parameters
    ----------
    density
        The members' densities.
    """

    def __init__(self, density: StackedDensity) -> None:
        self.density = density
        self._parts = [predictive(part) for part in density.parts]

    def condition(self, Q: np.ndarray, data: StackedData) -> StackedDraws:
        """Draws Q (S, 1 + Q) of the mixture with their state given the data; each member's are side by side."""
        members = Q[:, 0].astype(int)
        parts = []
        for k in np.unique(members):
            own = Q[members == k, 1 : 1 + self.density.parts[k].dimension]
            parts.append((int(k), self._parts[k].condition(own, data.members[k])))
        return StackedDraws(tuple(parts))

    def __call__(self, draws: StackedDraws, Z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Mean (S, m) and variance (S, m) of the latent function at Z (m, D), in units of the standardised outcome."""
        found = [self._parts[k](own, Z) for k, own in draws.parts]
        return np.concatenate([mean for mean, _ in found]), np.concatenate([variance for _, variance in found])

    def pullback(self, draws: StackedDraws, Z: np.ndarray, by_mean: np.ndarray, by_variance: np.ndarray) -> np.ndarray:
        """Derivative by Z (m, D) of a function whose derivatives by mean and variance are given, (S, m) each."""
        edges = np.cumsum([len(own.fitted) for _, own in draws.parts])[:-1]
        slopes = zip(draws.parts, np.split(by_mean, edges), np.split(by_variance, edges), strict=True)
        return np.sum([self._parts[k].pullback(own, Z, mean, variance) for (k, own), mean, variance in slopes], axis=0)

    def members(self, draws: StackedDraws) -> list[tuple[ModelPredictive, ConditionedDraws]]:
        """Each member's."""
        return [(self._parts[k], own) for k, own in draws.parts]

    @property
    def models(self) -> list[ModelPredictive]:
        """The members'."""
        return self._parts

    def prepare(self) -> Iterator[Any]:
        """Compile now what is not compiled yet, a function a step."""
        for part in self._parts:
            yield from part.prepare()
            if not self.density.surrogate.needs_evidence:
                yield part.prepare_left_out()
