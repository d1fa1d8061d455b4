"""A surrogate on a space with all that its promises are checked on: trials, draws, candidates."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from bayeshpo.inference.density import log_density
from bayeshpo.inference.predictive import Predictive, predictive
from bayeshpo.space import SearchSpace
from bayeshpo.surrogates.base import TrainingData
from bayeshpo.surrogates.columns import Columns
from bayeshpo.testing.trials import bowl, history_of

# Numbers of trials that promises are checked with, draws of the prior, and candidates.
SIZES = (0, 1, 5, 60)
DRAWS = 16
CANDIDATES = 6

Losses = Callable[[np.ndarray], list[float | None]]


@dataclass(frozen=True)
class SurrogateUnderTest:
    """A surrogate on a space; everything is reproducible, and compiled once.

    Parameters
    ----------
    surrogate, space
        What is tested, a `Surrogate` or a mixture of some, and where its trials are.
    """

    surrogate: Any
    space: SearchSpace

    @cached_property
    def columns(self) -> Columns:
        """The columns of the space."""
        return Columns.of(self.space)

    @cached_property
    def density(self) -> Any:
        """The compiled density."""
        return log_density(self.surrogate, self.columns)

    @cached_property
    def predictive(self) -> Predictive:
        """The compiled predictive."""
        return predictive(self.density)

    @cached_property
    def draws(self) -> np.ndarray:
        """Unconstrained draws of the prior (16, Q)."""
        return self.density.prior_draws(DRAWS, np.random.default_rng(0))

    @cached_property
    def candidates(self) -> np.ndarray:
        """Points of the space (6, D) that are no trials."""
        return self.space.sample(CANDIDATES, np.random.default_rng(1))

    def brought(self, X: np.ndarray, unit: float) -> dict[str, list[Any]]:
        """What else the trials at X (n, D) bring, by the arguments of `history_of`; here nothing.

        ``unit`` is what the losses are multiplied by.
        """
        return {}

    def data(self, n: int, losses: Losses = list, copies: int = 1, order: np.ndarray | None = None) -> TrainingData:
        """Prepared data of n trials of a noisy bowl, each told so many times, with losses as told, in an order."""
        rng = np.random.default_rng(2)
        X = self.space.sample(n, rng)
        X, values = np.repeat(X, copies, axis=0), np.array(losses(np.repeat(bowl(X, rng), copies)), dtype=object)
        unit = losses(np.ones(max(len(X), 1)))[-1] or 1.0
        order = np.arange(len(X)) if order is None else order
        more: dict[str, Any] = {name: [told[i] for i in order] for name, told in self.brought(X, unit).items()}
        history = history_of(self.space, self.space.decode(X[order]), values[order].tolist(), **more)
        data = TrainingData.of(history, self.surrogate)
        return self.surrogate.prepared(self.columns, data)

    def conditioned(self, data: TrainingData) -> Any:
        """The draws of the prior, conditioned on data."""
        return self.predictive.condition(self.draws, data)

    def error(self, promise: str, expected: str, got: object, where: str) -> AssertionError:
        """What to raise where a promise is broken."""
        return AssertionError(f"surrogate '{self.surrogate.name}': {promise}: expected {expected}, got {got} ({where})")
