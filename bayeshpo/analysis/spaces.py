"""The space of a recorded run and its optima: records hold values, the problem knows what they stand for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from bayeshpo.errors import SpecificationError
from bayeshpo.experiment.recorded import recorded_problem
from bayeshpo.experiment.store import RunRecord
from bayeshpo.problem import optimisers
from bayeshpo.space import SearchSpace


def space_of(run: RunRecord) -> SearchSpace:
    """The space of a run's problem, which is built anew.

    Raises
    ------
    SpecificationError
        If the problem cannot be built here, or has other hyperparameters than the run had.
    """
    return recorded_problem(run).space


def optima_of(run: RunRecord) -> list[dict[str, float]]:
    """The true optima of a run's problem: positions in the unit cube by hyperparameter, -1 where it is inactive.

    Empty where the problem names none, or cannot be built here.
    """
    try:
        problem = recorded_problem(run)
    except SpecificationError:
        return []
    names = problem.space.names
    return [dict(zip(names, place, strict=True)) for place in problem.space.encode(optimisers(problem)).tolist()]


def positions(space: SearchSpace, trials: Sequence[Mapping[str, Any]]) -> np.ndarray:
    """Points (n, D) of the unit cube for recorded trials, -1 where a hyperparameter is inactive.

    Raises
    ------
    SpecificationError
        If a value is outside its range, or configurations are not on record.
    """
    if any("configuration" not in trial for trial in trials):
        raise SpecificationError(
            "the records are in small form, without all configurations; give the results folder that they were "
            "exported from"
        )
    try:
        return space.encode(trial["configuration"] for trial in trials)
    except ValueError as error:
        raise SpecificationError(f"a trial on record is not of this space: {error}") from None
