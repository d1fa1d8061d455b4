"""Full NUTS refits until R-hat < 1.01 and bulk ESS > 400, with the acquisition."""

from __future__ import annotations

from typing import Any

from histories import NAME, given, next_trial, problem, searcher, warm_up
from peer import Peer
from records import Cell, Records
from study import split

import bayeshpo

DIMENSION = 6


def measure(cell: Cell, records: Records, peer: Peer) -> dict[str, Any]:
    """A suggestion from nothing, and the next one, which may start from the posterior before."""
    warm_up(DIMENSION, "gp", "nuts")
    history = given(DIMENSION, cell["n"], cell["seed"])
    study = bayeshpo.Study(
        history.space, searcher(inference="nuts"), seed=cell["seed"], name=NAME, trials=history.trials
    )
    rows = []
    for _ in range(2):
        seconds = next_trial(study, problem(DIMENSION)).seconds
        report = study.reports[-1]
        checks = {k: report[k] for k in ("status", "action", "rhat_max", "ess_bulk_min", "divergences", "draws")}
        rows.append(split(study, seconds) | checks)
    return {"first": rows[0], "next": rows[1]}
