"""Execute an experiment's runs on worker processes."""

from __future__ import annotations

import multiprocessing
import os
import platform
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib.metadata import version
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any, Protocol

from bayeshpo.errors import SpecificationError
from bayeshpo.experiment.spec import Plan, RunSpec
from bayeshpo.experiment.store import check_results, ended_early, open_results, read_json
from bayeshpo.experiment.worker import Progress, serve
from bayeshpo.parallel import CORES_VARIABLE, available_cores

_PACKAGES = (
    "bayeshpo", "pymc", "pytensor", "nutpie", "arviz", "numba", "numpy", "scipy", "scikit-learn", "ConfigSpace",
)  # fmt: skip
# More threads would fight over the cores that other workers use, and change the last bits of sums.
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")


class Display(Protocol):
    """Where progress is shown."""

    def update(self, progress: Progress) -> None:
        """Take notice of how far a run has come."""
        ...


@dataclass
class _Worker:
    process: BaseProcess
    connection: Connection
    run: RunSpec | None = None
    group: tuple[str, str] | None = None


def run_plan(plan: Plan, results: Path, *, workers: int, display: Display) -> dict[str, str]:
    """Execute all runs that are not finished; finished ones stay as they are.

    Equal files and seeds give equal trials, whatever the number of workers and however often it was interrupted.

    Parameters
    ----------
    plan
        The checked experiment.
    results
        The results folder; made if it is not there.
    workers
        Number of processes.
    display
        Told about every trial.

    Returns
    -------
    dict
        Why runs could not be finished, by the run's identity; empty if all went well.

    Raises
    ------
    SpecificationError
        If there is no worker, or the folder belongs to a different experiment.
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
    open_results(results, record)
    # Long runs first, so that none of them is left over when the other workers are done.
    waiting.sort(key=lambda run: (not run.fits, -run.budget * len(run.space)))
    return _distribute(waiting, results, min(workers, len(waiting)), display)


def _distribute(waiting: list[RunSpec], results: Path, count: int, display: Display) -> dict[str, str]:
    errors: dict[str, str] = {}
    share = max(1, available_cores() // count)
    pool = [_start(results, share) for _ in range(count)]
    try:
        for worker in pool:
            _assign(worker, waiting, pool, results)
        while busy := [worker for worker in pool if worker.run is not None]:
            wait([handle for worker in busy for handle in (worker.connection, worker.process.sentinel)])
            for worker in busy:
                progress = _receive(worker)
                if progress is None:
                    continue
                display.update(progress)
                if progress.error is not None:
                    errors[progress.run] = progress.error
                if progress.error is not None or progress.done:
                    worker.run = None
                    if waiting and not worker.process.is_alive():
                        pool[pool.index(worker)] = worker = _start(results, share)
                    _assign(worker, waiting, pool, results)
    finally:
        # A worker has nothing to lose: each finished trial is on the disk.
        for worker in pool:
            worker.process.kill()
            worker.process.join()
            worker.connection.close()
    return errors


def _receive(worker: _Worker) -> Progress | None:
    """The worker's next message, its death as an error, or None if there is no news of it."""
    assert worker.run is not None
    try:
        if worker.connection.poll():
            return worker.connection.recv()
    except (EOFError, ConnectionResetError):
        worker.process.join()
    if worker.process.is_alive():
        return None
    code = worker.process.exitcode
    return Progress(worker.run.id, error=f"its worker process died with exit code {code} (see log.txt in the results)")


def _assign(worker: _Worker, waiting: list[RunSpec], pool: Sequence[_Worker], results: Path) -> None:
    """Give an idle worker the run that suits it best: what it has compiled already, else what no other has."""
    if not waiting:
        return
    others = {other.group for other in pool if other is not worker}
    run = min(waiting, key=lambda r: (_group(r) != worker.group, _group(r) in others))
    waiting.remove(run)
    worker.run, worker.group = run, _group(run)
    # A worker that has died meanwhile is found by its sentinel.
    with suppress(BrokenPipeError):
        worker.connection.send((run, results / "runs" / run.id))


def _group(run: RunSpec) -> tuple[str, str]:
    return run.problem.key, run.searcher.key


def _start(results: Path, share: int) -> _Worker:
    """A worker process with its share of the cores."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=serve, args=(theirs, results / "log.txt"), daemon=True)
    with _environment({CORES_VARIABLE: str(share)} | dict.fromkeys(_THREADS, "1")):
        process.start()
    theirs.close()
    return _Worker(process, ours)


@contextmanager
def _environment(variables: Mapping[str, str]) -> Iterator[None]:
    """Set environment variables for processes started meanwhile."""
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _finished(run: RunSpec, results: Path) -> Progress | None:
    path = results / "runs" / run.id / "done.json"
    if not path.exists():
        return None
    done = read_json(path)
    early = ended_early(done, run.stop)
    if not early and done["trials"] < run.budget:
        return None
    # Older records have no reason.
    reason = done.get("reason") if early else None
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
