"""One-dimensional slices of a fitted surrogate through a point, in the problem's own units: material for figures."""

from __future__ import annotations

import numpy as np
import xarray as xr

from bayeshpo.history import History
from bayeshpo.searchers.objectives import AcquisitionOverDraws

POSITIONS = 101
DRAWS = 32


def slices(objective: AcquisitionOverDraws, history: History, centre: np.ndarray) -> xr.Dataset:
    """Latent function and acquisition along each coordinate in turn, the others held at ``centre`` (D,).

    Returns
    -------
    xarray.Dataset
        ``f`` (slice_draw, hyperparameter, position): each draw's mean function; ``mean`` and ``sd`` over draws and
        latent uncertainty, and ``acquisition`` (hyperparameter, position); ``at`` (hyperparameter), the centre;
        coordinate ``position`` in the unit cube.
    """
    space, data, predictive = history.space, objective.posterior.data, objective.compiled.predictive
    position = np.linspace(0.0, 1.0, POSITIONS)
    Z = np.tile(centre, (space.dimension, POSITIONS, 1))
    for j in range(space.dimension):
        Z[j, :, j] = position
    Z = space.snap(Z.reshape(-1, space.dimension))
    moments = predictive.at(objective.posterior, Z, 256)
    # Of several objectives that of the value.
    mean, variance = (m[..., 0] for m in moments) if predictive.objectives else moments
    shape = (space.dimension, POSITIONS)
    chosen = np.linspace(0, len(mean), DRAWS, endpoint=False).astype(int)
    total = variance.mean(axis=0) + mean.var(axis=0)

    def in_units(y: np.ndarray) -> np.ndarray:
        return history.sign * (data.location + data.scale * y)

    over = ("hyperparameter", "position")
    return xr.Dataset(
        {
            "f": (("slice_draw", *over), in_units(mean[chosen]).reshape(-1, *shape)),
            "mean": (over, in_units(mean.mean(axis=0)).reshape(shape)),
            "sd": (over, (data.scale * np.sqrt(total)).reshape(shape)),
            "acquisition": (over, objective.value(Z).reshape(shape)),
            "at": ("hyperparameter", centre),
        },
        {"hyperparameter": list(space.names), "position": position},
    )
