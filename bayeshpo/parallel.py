"""How many cores one process may use, and how many threads its linear algebra."""

from __future__ import annotations

import os
from contextlib import AbstractContextManager
from functools import cache
from typing import Any

CORES_VARIABLE = "BAYESHPO_CORES"


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


@cache
def _blas() -> Any:
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()
