"""Runs on processes of this machine."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bayeshpo.experiment.spec import RunSpec
from bayeshpo.experiment.worker import Display, Progress, note_failure, serve
from bayeshpo.parallel import available_cores
from bayeshpo.processes import Died, WorkerProcess, wait_for

# A run that has brought down so many workers is not taken up again.
_MOST_DEATHS = 3


@dataclass
class _Worker:
    process: WorkerProcess
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
    pool = [_started(results, share) for _ in range(count)]
    try:
        for worker in pool:
            _assign(worker, waiting, pool, results)
        while busy := [worker for worker in pool if worker.run is not None]:
            wait_for(worker.process for worker in busy)
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
                    if waiting and not worker.process.alive:
                        pool[pool.index(worker)] = worker = _started(results, share)
                    _assign(worker, waiting, pool, results)
    finally:
        # A worker has nothing to lose: each finished trial is on the disk.
        for worker in pool:
            worker.process.end()
    return errors


def _receive(worker: _Worker, deaths: Counter[str], results: Path) -> Progress | None:
    """The worker's next message, its death, or None if there is no news of it."""
    assert worker.run is not None
    message = worker.process.receive()
    if not isinstance(message, Died):
        return message
    run = worker.run.id
    deaths[run] += 1
    if deaths[run] < _MOST_DEATHS:
        return Progress(run, again=f"{message}; another one goes on with it")
    text = f"{message}, after {_MOST_DEATHS - 1} others (see log.txt in the results)"
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
    worker.process.send((run, results / "runs" / run.id))


def _group(run: RunSpec) -> tuple[str, str]:
    return run.problem.key, run.searcher.key


def _started(results: Path, share: int) -> _Worker:
    """A worker process with its share of the cores."""
    return _Worker(WorkerProcess(serve, results / "log.txt", cores=share))
