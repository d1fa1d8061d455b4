"""Histories to measure on: a recorded study, and given ones of any length and dimension."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
from records import Cell, Records

import bayeshpo
from bayeshpo.history import History
from bayeshpo.problems.synthetic import Branin, Hartmann6, SyntheticFunction
from bayeshpo.randomness import Streams
from bayeshpo.searchers.initial import sobol_points
from bayeshpo.trial import Outcome, Suggestion, Trial

N_INITIAL = 10
NAME = "speed"
# Generations of points around the best ones, each nearer than the one before.
_SPREADS = (0.2, 0.1, 0.05, 0.02)
_AROUND = 5


class EmbeddedHartmann6(Hartmann6):
    """Hartmann's function of the first six of twenty coordinates."""

    name = "hartmann6_in_20"
    bounds = {f"x{j}": (0.0, 1.0) for j in range(1, 21)}  # noqa: RUF012 - a constant, never changed

    def function(self, x: np.ndarray) -> float:
        """The value at a point (20,)."""
        return super().function(x[:6])


@cache
def problem(dimension: int) -> SyntheticFunction:
    """The function that stands for a dimension; one a process, so that one space is compiled for."""
    return {2: Branin, 6: Hartmann6, 20: EmbeddedHartmann6}[dimension]()


def given(dimension: int, n: int, seed: int) -> History:
    """``n`` trials as a study would have them: half Sobol points, half in ever closer clusters around the best."""
    function, rng = problem(dimension), Streams(NAME, seed).generator("history")
    space = function.space
    X = sobol_points(space, n - n // 2, rng)
    losses = _losses(function, X)
    for size, spread in zip(_shares(n // 2), _SPREADS, strict=True):
        centres = X[np.argsort(losses)[:_AROUND]]
        chosen = centres[rng.integers(len(centres), size=size)]
        points = np.clip(chosen + spread * rng.standard_normal((size, dimension)), 0.0, 1.0)
        X, losses = np.concatenate([X, points]), np.concatenate([losses, _losses(function, points)])
    configurations = space.decode(X)
    trials = [
        Trial(Suggestion(c, i, "given"), Outcome(float(v)))
        for i, (c, v) in enumerate(zip(configurations, losses, strict=True))
    ]
    return History(space, "minimize", tuple(trials))


def recorded(records: Records, cell: Cell) -> History:
    """The trials of the study of a cell (seed, trials), which is run if no record of it exists."""
    function = problem(6)
    found = records.result("history", cell)
    if found is None:
        study = bayeshpo.Study(function.space, searcher(), seed=cell["seed"], name=NAME)
        # One more, whose point is where the acquisition given all of the others was largest.
        for _ in study.run(function, cell["trials"] + 1):
            pass
        keep(records, cell, study.history)
        return study.history
    return History(function.space, "minimize", tuple(Trial.from_record(t) for t in found["trials"]))


def keep(records: Records, cell: Cell, history: History) -> None:
    """Record the trials of a study."""
    records.put("history", cell, "done", {"trials": [t.to_record() for t in history.trials]})


def searcher(surrogate: object = "gp", inference: object = "sequential") -> bayeshpo.BayesianSearcher:
    """The default searcher but for its number of initial points."""
    return bayeshpo.BayesianSearcher(surrogate=surrogate, inference=inference, n_initial=N_INITIAL)


def prefix(history: History, n: int) -> History:
    """The first ``n`` trials, nothing pending."""
    return replace(history, trials=history.trials[:n], pending=())


def next_trial(study: bayeshpo.Study, function: SyntheticFunction) -> Suggestion:
    """Ask for a suggestion, evaluate it and tell."""
    suggestion = study.ask()
    study.tell(suggestion, function.evaluate(suggestion.configuration, rng=np.random.default_rng(0)))
    return suggestion


def warm_up(dimension: int, surrogate: object, inference: object) -> None:
    """Three suggestions of a short study, so that all that is compiled later is compiled now."""
    history = given(dimension, 2 * N_INITIAL, 1000)
    study = bayeshpo.Study(history.space, searcher(surrogate, inference), name=NAME, trials=history.trials)
    for _ in range(3):
        next_trial(study, problem(dimension))


def _losses(function: SyntheticFunction, X: np.ndarray) -> np.ndarray:
    rng = np.random.default_rng(0)
    return np.array([function.evaluate(c, rng=rng).value for c in function.space.decode(X)])


def _shares(total: int) -> list[int]:
    edges = np.linspace(0, total, len(_SPREADS) + 1).astype(int)
    return np.diff(edges).tolist()
