"""Runs on Dask: processes of this machine, the workers of a scheduler, or jobs of SLURM, PBS or LSF."""

from __future__ import annotations

import asyncio
import logging
import os
import shutil
import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import asdict
from itertools import islice
from pathlib import Path
from typing import Any

from bayeshpo.errors import SpecificationError, one_line, told
from bayeshpo.experiment.spec import ExecutorSpec, RunSpec
from bayeshpo.experiment.worker import Display, Progress, attempt, note_failure
from bayeshpo.parallel import CORES_VARIABLE, one_blas_thread

_TOPIC = "bayeshpo-progress"
# Cluster of dask-jobqueue, and the command that submits its jobs.
_JOBS = {"slurm": ("SLURMCluster", "sbatch"), "pbs": ("PBSCluster", "qsub"), "lsf": ("LSFCluster", "bsub")}
# Seconds between two messages of a run on its way.
_EVERY = 0.5


def distribute(
    executor: ExecutorSpec, waiting: list[RunSpec], results: Path, count: int, display: Display
) -> dict[str, str]:
    """Execute runs on Dask's workers, each one thread; a run whose worker dies is taken up again by another.

    The results folder must be the same for all workers. A scheduler that is given by its address has its workers
    already; those of a cluster that is made here are ``count``, and end with it.

    Where several trials of a run are evaluated at once, that is done by the same workers, and so many runs are executed
    at once that there is a worker for each of their trials, one run at least.

    Returns
    -------
    dict
        Why runs could not be finished, by the run's identity.

    Raises
    ------
    SpecificationError
        If Dask is not installed, the scheduler or the command that submits jobs is not there, its queue refuses jobs,
        or workers have several threads.
    """
    client, cluster = _connected(executor, count)
    try:
        _refuse_threads(client)
        client.subscribe_topic(_TOPIC, lambda event: display.update(Progress(**event[1]["progress"])))
        have = count if executor.scheduler is None else len(client.scheduler_info(n_workers=-1)["workers"])
        parallel = waiting[0].parallel
        at_once = len(waiting) if parallel == 1 else max(1, have // parallel)
        return _gathered(client, waiting, at_once, results.absolute(), display)
    finally:
        client.close()
        if cluster is not None:
            cluster.close()


def job_cluster(name: str, options: dict[str, Any]) -> Any:
    """A cluster of dask-jobqueue, one worker with one core a job unless the options say otherwise.

    Parameters
    ----------
    name
        "slurm", "pbs" or "lsf".
    options
        Arguments of the cluster, as ``{"queue": "normal", "memory": "4GB", "walltime": "02:00:00"}``.
    """
    import dask_jobqueue

    options = {"cores": 1, "processes": options.get("cores", 1)} | options
    try:
        return getattr(dask_jobqueue, _JOBS[name][0])(**options)
    except (TypeError, ValueError) as error:
        raise SpecificationError(f"executor: cluster '{name}': {error}") from None


def _connected(executor: ExecutorSpec, count: int) -> tuple[Any, Any]:
    """A client, and the cluster that was made for it, if one was."""
    try:
        from distributed import Client, LocalCluster
    except ModuleNotFoundError as error:
        raise SpecificationError(
            f"executor 'dask': {error.name} is not installed; install it with: pip install 'bayeshpo[dask]'"
        ) from None
    if executor.scheduler is not None:
        try:
            return Client(executor.scheduler, timeout=10), None
        except (OSError, ValueError) as error:
            raise SpecificationError(f"executor: no Dask scheduler at '{executor.scheduler}': {error}") from None
    if executor.cluster == "local":
        options: dict[str, Any] = {"dashboard_address": None, **executor.options}
        cluster = LocalCluster(n_workers=count, threads_per_worker=1, processes=True, **options)
    else:
        _refuse_without_command(executor.cluster)
        cluster = job_cluster(executor.cluster, executor.options)
        _submit(cluster, executor.cluster, count)
    return Client(cluster), cluster


def _refuse_without_command(name: str) -> None:
    """Workers whose jobs cannot be submitted would be waited for without end."""
    _, command = _JOBS[name]
    if shutil.which(command) is None:
        raise SpecificationError(
            f"executor: cluster '{name}' submits jobs by '{command}', which is not here; run this where it is"
        )


def _submit(cluster: Any, name: str, count: int) -> None:
    """Jobs for so many workers; what the queue refuses would be waited for without end."""
    from distributed.core import Status

    async def taken() -> None:
        while set(cluster.worker_spec) - set(cluster.workers):
            await asyncio.sleep(0.01)
        for job in cluster.workers.values():
            # Waits until it is submitted, and submits it again, to be told why, if that has failed.
            await job

    # It logs a traceback of what is raised below.
    logger = logging.getLogger("tornado.application")
    logger.addFilter(_nothing)
    try:
        cluster.scale(count)
        cluster.sync(taken)
    except RuntimeError as error:
        # A cluster with jobs that never began cannot be closed.
        for job in cluster.workers.values():
            job.status = Status.failed if job.status is Status.created else job.status
        cluster.close()
        raise SpecificationError(f"executor: cluster '{name}': its queue refused a job: {one_line(error)}") from None
    finally:
        logger.removeFilter(_nothing)


def _nothing(record: logging.LogRecord) -> bool:
    return False


def _refuse_threads(client: Any) -> None:
    for address, worker in client.scheduler_info(n_workers=-1)["workers"].items():
        if worker["nthreads"] != 1:
            raise SpecificationError(
                f"executor: expected workers of one thread, got {worker['nthreads']} at {address}; start them with "
                "--nthreads 1"
            )


def _gathered(client: Any, waiting: list[RunSpec], at_once: int, results: Path, display: Display) -> dict[str, str]:
    from distributed import as_completed

    errors: dict[str, str] = {}
    futures: dict[Any, RunSpec] = {}

    def submitted(run: RunSpec) -> Any:
        future = client.submit(_execute, run, str(results), pure=False)
        futures[future] = run
        return future

    later = iter(waiting[at_once:])
    running = as_completed([submitted(run) for run in waiting[:at_once]])
    for future in running:
        run = futures.pop(future)
        try:
            last = Progress(**future.result())
        except Exception as error:
            # Not the run's own: a worker that died too often, or a scheduler that is gone.
            text = told(error)[:300]
            last = Progress(run.id, error=text + note_failure(results / "runs" / run.id, text))
        display.update(last)
        if last.error is not None:
            errors[run.id] = last.error
        for following in islice(later, 1):
            running.add(submitted(following))
    return errors


def _execute(run: RunSpec, results: str) -> dict[str, Any]:
    """A run on a worker; its last progress. What it reports on its way goes to the client as events."""
    from distributed import get_worker, worker_client

    worker = get_worker()
    os.environ[CORES_VARIABLE] = "1"
    seen: list[Progress] = []
    # A run that waits for its trials leaves its worker free to evaluate one of them.
    with one_blas_thread(), worker_client() if run.parallel > 1 else nullcontext() as client:
        attempt(
            run,
            Path(results) / "runs" / run.id,
            _throttled(lambda p: worker.log_event(_TOPIC, {"progress": asdict(p)}), seen),
            client,
        )
    return asdict(seen[-1])


def _throttled(send: Callable[[Progress], None], seen: list[Progress]) -> Callable[[Progress], None]:
    """Keep the last progress, and send what is on its way now and then."""
    sent = [-_EVERY]

    def report(progress: Progress) -> None:
        seen[:] = [progress]
        if not progress.ended and time.monotonic() - sent[0] >= _EVERY:
            sent[0] = time.monotonic()
            send(progress)

    return report
