"""The trials of a run on record as the history that a searcher sees."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bayeshpo.errors import SpecificationError
from bayeshpo.experiment.store import RunRecord
from bayeshpo.history import History
from bayeshpo.problem import Problem, aims, is_noisy
from bayeshpo.trial import Trial


def recorded_history(run: RunRecord, problem: Problem) -> History:
    """All trials of a run of a problem, of which only the space is needed."""
    trials = tuple(Trial.from_record(record) for record in run.trials)
    return History(problem.space, run.spec["direction"], trials, aims=aims(problem), noisy=is_noisy(problem))


def history_in(folder: str | os.PathLike[str]) -> History:
    """All trials of the run in a folder, ``RESULTS/runs/ID``.

    Raises
    ------
    SpecificationError
        If the folder holds no run, or its problem cannot be made here.
    """
    path = Path(folder)
    if not (path / "spec.json").is_file():
        raise SpecificationError(f"{path}: expected the folder of a run, as results/NAME/runs/ID, got none")
    from bayeshpo.experiment.spec import ProblemSpec

    run = RunRecord.read(path)
    return recorded_history(run, ProblemSpec.model_validate(run.spec["problem"]).build())


def recalled(part: Any) -> Any:
    """A part of an experiment's file with ``earlier``, a list of runs' folders wherever it stands, as their histories.

    Raises
    ------
    SpecificationError
        As `history_in`.
    """
    if isinstance(part, Mapping):
        return {k: [history_in(run) for run in v] if k == "earlier" else recalled(v) for k, v in part.items()}
    return [recalled(value) for value in part] if isinstance(part, list) else part
