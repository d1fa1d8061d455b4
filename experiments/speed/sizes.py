"""Time, evaluations and memory by number of trials, dimension and surrogate; each cell in a process of its own."""

from __future__ import annotations

import resource
import sys
import time
from typing import Any

import numpy as np
from histories import NAME, given, next_trial, problem, searcher, warm_up
from peer import Peer
from probe import Probe
from records import Cell, Records
from study import point_estimate, seconds_to_predict, split

import bayeshpo
from bayeshpo.history import History

# Trials that the posterior is carried through after its first fit; fewer once they took so many seconds.
_CARRIED, _ENOUGH = 5, 60.0


def measure(cell: Cell, records: Records, peer: Peer) -> dict[str, Any]:
    """Entry into a given history, then further trials; memory; then the point estimate on the same history."""
    history, result = given(cell["d"], cell["n"], seed=0), {}
    if "sequential" in cell["engines"]:
        result["sequential"] = carried(history, cell["surrogate"])
        result["gigabytes"] = peak_gigabytes()
    warm_up(cell["d"], cell["surrogate"], "map")
    result["map"] = point_estimate(history, 0, cell["surrogate"])
    return result


def carried(history: History, surrogate: str) -> dict[str, Any]:
    """The default engine's first suggestion from a history, and the ones after it.

    The entry is the fit from nothing; "seconds" and the like are medians over the suggestions after it.
    """
    dimension = history.space.dimension
    warm_up(dimension, surrogate, "sequential")
    probe = Probe("sequential")
    study = bayeshpo.Study(history.space, searcher(surrogate, probe), name=NAME, trials=history.trials)
    entry = _row(study, next_trial(study, problem(dimension)).seconds, probe)
    rows, begun = [], time.perf_counter()
    while len(rows) < _CARRIED and (not rows or time.perf_counter() - begun < _ENOUGH):
        rows.append(_row(study, next_trial(study, problem(dimension)).seconds, probe))
    medians = {k: float(np.median([r[k] for r in rows])) for k in rows[0] if isinstance(rows[0][k], int | float)}
    outcomes = [[r["status"], r["action"]] for r in (entry, *rows)]
    longest = max(r["seconds"] for r in rows)
    predict = seconds_to_predict(probe)
    return {"entry": entry, **medians, "longest": longest, "outcomes": outcomes, "predict": predict}


def peak_gigabytes() -> float:
    """Largest resident memory of this process so far."""
    size = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return size / (1e9 if sys.platform == "darwin" else 1e6)


def _row(study: bayeshpo.Study, seconds: float, probe: Probe) -> dict[str, Any]:
    report = study.reports[-1]
    return split(study, seconds) | {
        "densities": probe.densities,
        "gradients": probe.gradients,
        "ess_per_second": report["ess_per_second"],
        "status": report["status"],
        "action": report["action"],
    }
