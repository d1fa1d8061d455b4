"""What a posterior of several objectives says of the tried configurations: material for figures of the Pareto front."""

from __future__ import annotations

import numpy as np
import xarray as xr

from bayeshpo.aims import sign_of
from bayeshpo.history import History
from bayeshpo.searchers.objectives import AcquisitionOverDraws

DRAWS = 128


def front(objective: AcquisitionOverDraws, history: History, rng: np.random.Generator) -> xr.Dataset:
    """Joint draws of all objectives at the tried configurations, in the objectives' own units and directions.

    Returns
    -------
    xarray.Dataset
        ``f`` (front_draw, trial, objective); ``within`` (trial), whether it is probably within all limits; coordinates
        ``trial``, the trials' indices, and ``objective``, "value" and the metrics' names.
    """
    from bayeshpo.inference.joint import JointPredictive
    from bayeshpo.inference.predictive import predictive

    directions = [history.direction, *history.aims.objectives.values()]
    drawn = []
    for part, direction in zip(objective.posterior.parts, directions, strict=True):
        known, data, Q = predictive(part.density), part.data, part.thinned(DRAWS)
        anchors = np.tile(data.X, (len(Q), 1, 1))
        f = JointPredictive(known, noise=False).anchored(known.condition(Q, data), anchors).paths(1, rng)[:, 0]
        drawn.append(sign_of(direction) * (data.location + data.scale * f))
    count = min(map(len, drawn))
    return xr.Dataset(
        {
            "f": (("front_draw", "trial", "objective"), np.stack([f[:count] for f in drawn], axis=2)),
            "within": ("trial", objective.evidence.eligible),
        },
        {
            "trial": [t.suggestion.index for t in history.trials if t.finished],
            "objective": ["value", *history.aims.objectives],
        },
    )
