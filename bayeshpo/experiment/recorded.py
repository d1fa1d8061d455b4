"""What a run on record was about: its problem, and its trials as the history that a searcher sees."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bayeshpo.errors import SpecificationError, one_line
from bayeshpo.experiment.spec import ProblemSpec
from bayeshpo.experiment.store import RunRecord, read_json
from bayeshpo.history import History
from bayeshpo.problem import Problem, aims, is_noisy
from bayeshpo.trial import Trial


def recorded_problem(run: RunRecord) -> Problem:
    """The problem of a run, with the folder of data that its experiment names.

    Raises
    ------
    SpecificationError
        If it cannot be built here, or has other hyperparameters than the run had.
    """
    experiment = run.path.parents[1] / "experiment.json"
    data_dir = read_json(experiment).get("data_dir") if experiment.is_file() else None
    try:
        problem = ProblemSpec.model_validate(run.spec["problem"]).build(data_dir)
    except (SpecificationError, OSError, TypeError, ValueError) as error:
        raise SpecificationError(f"the problem cannot be built here: {one_line(error)}") from None
    if list(problem.space.names) != list(run.spec["space"]):
        recorded = ", ".join(run.spec["space"])
        known = ", ".join(problem.space.names)
        raise SpecificationError(f"expected the problem's hyperparameters {known}, got {recorded} on record")
    return problem


def recorded_history(run: RunRecord, problem: Problem) -> History:
    """All trials of a run of a problem, of which only the space is needed."""
    trials = tuple(Trial.from_record(record) for record in run.trials)
    return History(problem.space, run.spec["direction"], trials, aims=aims(problem), noisy=is_noisy(problem))


def recalled(part: Any) -> Any:
    """A part of an experiment's file with ``earlier``, folders ``RESULTS/runs/ID`` wherever it stands, as their tasks.

    Raises
    ------
    SpecificationError
        If a folder holds no run, or its problem cannot be built here.
    """
    if isinstance(part, Mapping):
        return {k: tuple(map(_task, v)) if k == "earlier" else recalled(v) for k, v in part.items()}
    return [recalled(value) for value in part] if isinstance(part, list) else part


def _task(folder: str) -> Any:
    from bayeshpo.surrogates.multi_task import EarlierTask

    path = Path(folder)
    if not (path / "spec.json").is_file():
        raise SpecificationError(f"{path}: expected the folder of a run, as results/NAME/runs/ID, got none")
    run = RunRecord.read(path)
    return EarlierTask.of(recorded_history(run, recorded_problem(run)))
