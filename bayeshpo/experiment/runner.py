"""Execute what is not finished of an experiment."""

from __future__ import annotations

import platform
from importlib.metadata import version
from pathlib import Path
from typing import Any

from bayeshpo.errors import SpecificationError
from bayeshpo.experiment.spec import ExecutorSpec, Plan, RunSpec
from bayeshpo.experiment.store import check_results, ended_early, ending, has_ended, open_results
from bayeshpo.experiment.worker import Display, Progress
from bayeshpo.experiment.writer import claimed
from bayeshpo.parallel import available_cores

_PACKAGES = (
    "bayeshpo", "pymc", "pytensor", "nutpie", "arviz", "numba", "numpy", "scipy", "scikit-learn", "ConfigSpace",
)  # fmt: skip


def run_plan(plan: Plan, results: Path, *, workers: int, display: Display) -> dict[str, str]:
    """Execute all runs that are not finished; finished ones stay as they are.

    Equal files and seeds give equal trials, whatever the number of workers and however often it was interrupted, unless
    several trials of a run are evaluated at once: then which of them ends first decides what the next proposal knows.

    Parameters
    ----------
    plan
        The checked experiment.
    results
        The results folder; made if it is not there.
    workers
        Number of processes; a Dask scheduler that is given by its address has its own. Where several trials of a run
        are evaluated at once, so many runs are executed at once that these are their trials, one run at least.
    display
        Told about every trial.

    Returns
    -------
    dict
        Why runs could not be finished, by the run's identity; empty if all went well.

    Raises
    ------
    SpecificationError
        If there is no worker, the folder belongs to a different experiment, or another runner is at work in it.
    """
    if workers < 1:
        raise SpecificationError(f"--workers: expected at least 1, got {workers}")
    record = plan.experiment.to_record() | {"versions": _versions(), "machine": _machine()}
    check_results(results, record)
    waiting = []
    for run in plan.runs:
        finished = _finished(run, results)
        if finished is None:
            waiting.append(run)
        else:
            display.update(finished)
    if not waiting:
        return {}
    # Long runs first, so that none of them is left over when the other workers are done.
    waiting.sort(key=lambda run: (not run.fits, -run.budget * len(run.space)))
    with claimed(results):
        open_results(results, record)
        return _distribute(plan.experiment.executor, waiting, results, workers, display)


def _distribute(
    executor: ExecutorSpec, waiting: list[RunSpec], results: Path, workers: int, display: Display
) -> dict[str, str]:
    parallel = waiting[0].parallel
    count = min(workers, parallel * len(waiting))
    if executor.name == "dask":
        from bayeshpo.experiment.executors import dask

        return dask.distribute(executor, waiting, results, count, display)
    from bayeshpo.experiment.executors import local

    return local.distribute(waiting, results, max(1, count // parallel), display)


def _finished(run: RunSpec, results: Path) -> Progress | None:
    done = ending(results / "runs" / run.id).done
    if done is None or not has_ended(done, run.budget, run.stop):
        return None
    # Older records have no reason.
    reason = done.get("reason") if ended_early(done, run.stop) else None
    return Progress(run.id, done["trials"], done["failed"], done["best"], done=True, ended_early=reason)


def _versions() -> dict[str, str]:
    return {name: version(name) for name in _PACKAGES}


def _machine() -> dict[str, Any]:
    return {
        "system": platform.system(),
        "architecture": platform.machine(),
        "python": platform.python_version(),
        "cores": available_cores(),
    }
