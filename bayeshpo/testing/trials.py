"""Histories whose losses are given: what searchers and surrogates are tested on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from bayeshpo.aims import Direction
from bayeshpo.history import History
from bayeshpo.space import Configuration, SearchSpace
from bayeshpo.trial import Outcome, Suggestion, Trial

Rises = Sequence[tuple[float, float]]


def history_of(
    space: SearchSpace,
    configurations: Iterable[Configuration],
    values: Sequence[float | None],
    direction: Direction = "minimize",
    gradients: Iterable[Mapping[str, float] | None] | None = None,
    errors: Iterable[float | None] | None = None,
    curves: Iterable[Rises] | None = None,
    censored: Iterable[bool] | None = None,
) -> History:
    """A history of trials with these values, None for a failed trial, and what else they brought, if anything.

    A curve has shares of the training with how much above the trial's value it was after them; one that ends before 1
    is of a training that was stopped there. Of a trial that is censored the value is told as a bound.
    """
    outcomes = [Outcome.raised(ValueError("no")) if v is None else Outcome.of(v) for v in values]
    if gradients is not None:
        outcomes = [replace(o, gradient=g) for o, g in zip(outcomes, gradients, strict=True)]
    if errors is not None:
        outcomes = [replace(o, standard_error=e) for o, e in zip(outcomes, errors, strict=True)]
    if curves is not None:
        outcomes = [_with_curve(o, c) for o, c in zip(outcomes, curves, strict=True)]
    if censored is not None:
        told = zip(outcomes, censored, strict=True)
        outcomes = [Outcome.censored(o.value) if c and o.value is not None else o for o, c in told]
    suggestions = [Suggestion(c, i, "initial") for i, c in enumerate(configurations)]
    trials = tuple(Trial(s, o) for s, o in zip(suggestions, outcomes, strict=True))
    return History(space, direction, trials)


def _with_curve(outcome: Outcome, rises: Rises) -> Outcome:
    if outcome.value is None or not rises:
        return outcome
    curve = tuple((share, outcome.value + rise) for share, rise in rises)
    return replace(outcome, curve=curve) if curve[-1][0] == 1.0 else Outcome.stopped(curve)


def bowl(X: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Losses (n,) at points (n, D) of the cube: squared distances from a point of it, with noise of 0.05."""
    return np.square(X - 0.3).sum(axis=1) + 0.05 * rng.standard_normal(len(X))
