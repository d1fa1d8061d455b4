"""How many cores one process may use, and how many threads its linear algebra; the same of processes that it starts."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import cache
from typing import Any

CORES_VARIABLE = "BAYESHPO_CORES"
# More threads would fight over the cores that other workers use, and change the last bits of sums.
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")


def available_cores() -> int:
    """Cores of this process: the environment's BAYESHPO_CORES (workers of an experiment get 1), else all it may use."""
    given = os.environ.get(CORES_VARIABLE)
    return (
        int(given)
        if given
        else len(os.sched_getaffinity(0))
        if hasattr(os, "sched_getaffinity")
        else os.cpu_count() or 1
    )


def one_blas_thread() -> AbstractContextManager[Any]:
    """A context in which linear algebra uses one thread: on small matrices more of them only wait for each other."""
    return _blas().limit(limits=1, user_api="blas")


@contextmanager
def worker_environment(cores: int) -> Iterator[None]:
    """Processes started meanwhile may use so many cores, and one thread for their linear algebra."""
    variables = {CORES_VARIABLE: str(cores)} | dict.fromkeys(_THREADS, "1")
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


@cache
def _blas() -> Any:
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()
