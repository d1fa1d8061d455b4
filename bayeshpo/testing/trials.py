"""Histories whose losses are given: what searchers and surrogates are tested on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from bayeshpo.space import Configuration, SearchSpace
from bayeshpo.trial import Direction, History, Outcome, Suggestion, Trial


def history_of(
    space: SearchSpace,
    configurations: Iterable[Configuration],
    values: Sequence[float | None],
    direction: Direction = "minimize",
    gradients: Iterable[Mapping[str, float] | None] | None = None,
    errors: Iterable[float | None] | None = None,
) -> History:
    """A history of trials with these values, None for a failed trial, and what else they brought, if anything."""
    outcomes = [Outcome.raised(ValueError("no")) if v is None else Outcome.of(v) for v in values]
    if gradients is not None:
        outcomes = [replace(o, gradient=g) for o, g in zip(outcomes, gradients, strict=True)]
    if errors is not None:
        outcomes = [replace(o, standard_error=e) for o, e in zip(outcomes, errors, strict=True)]
    suggestions = [Suggestion(c, i, "initial") for i, c in enumerate(configurations)]
    trials = tuple(Trial(s, o) for s, o in zip(suggestions, outcomes, strict=True))
    return History(space, direction, trials)


def bowl(X: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Losses (n,) at points (n, D) of the cube: squared distances from a point of it, with noise of 0.05."""
    return np.square(X - 0.3).sum(axis=1) + 0.05 * rng.standard_normal(len(X))
