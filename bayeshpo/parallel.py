"""How many cores one process may use."""

from __future__ import annotations

import os

CORES_VARIABLE = "BAYESHPO_CORES"


def available_cores() -> int:
    """Cores of this process: the environment's BAYESHPO_CORES (workers of an experiment get 1), else all it may use."""
    given = os.environ.get(CORES_VARIABLE)
    return int(given) if given else len(os.sched_getaffinity(0))
