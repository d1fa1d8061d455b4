"""Runs on processes of this machine."""

from __future__ import annotations

import multiprocessing
import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path

from bayeshpo.experiment.spec import RunSpec
from bayeshpo.experiment.worker import Display, Progress, note_failure, serve
from bayeshpo.parallel import CORES_VARIABLE, available_cores

# More threads would fight over the cores that other workers use, and change the last bits of sums.
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")
# A run that has brought down so many workers is not taken up again.
_MOST_DEATHS = 3


@dataclass
class _Worker:
    process: BaseProcess
    connection: Connection
    run: RunSpec | None = None
    group: tuple[str, str] | None = None


def distribute(waiting: list[RunSpec], results: Path, count: int, display: Display) -> dict[str, str]:
    """Execute runs on so many processes; one whose worker dies is taken up again by another.

    Returns
    -------
    dict
        Why runs could not be finished, by the run's identity.
    """
    errors: dict[str, str] = {}
    deaths: Counter[str] = Counter()
    share = max(1, available_cores() // count)
    pool = [_start(results, share) for _ in range(count)]
    try:
        for worker in pool:
            _assign(worker, waiting, pool, results)
        while busy := [worker for worker in pool if worker.run is not None]:
            wait([handle for worker in busy for handle in (worker.connection, worker.process.sentinel)])
            for worker in busy:
                progress = _receive(worker, deaths, results)
                if progress is None:
                    continue
                display.update(progress)
                if progress.error is not None:
                    errors[progress.run] = progress.error
                if progress.again is not None and worker.run is not None:
                    waiting.append(worker.run)
                if progress.ended or progress.again is not None:
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


def _receive(worker: _Worker, deaths: Counter[str], results: Path) -> Progress | None:
    """The worker's next message, its death, or None if there is no news of it."""
    assert worker.run is not None
    try:
        if worker.connection.poll():
            return worker.connection.recv()
    except (EOFError, ConnectionResetError):
        worker.process.join()
    if worker.process.is_alive():
        return None
    run, code = worker.run.id, worker.process.exitcode
    deaths[run] += 1
    died = f"its worker process died with exit code {code}"
    if deaths[run] < _MOST_DEATHS:
        return Progress(run, again=f"{died}; another one goes on with it")
    text = f"{died}, after {_MOST_DEATHS - 1} others (see log.txt in the results)"
    note_failure(results / "runs" / run, text)
    return Progress(run, error=text)


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
