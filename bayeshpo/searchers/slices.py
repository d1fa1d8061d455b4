"""One-dimensional slices of a fitted surrogate through a point, in the problem's own units: material for figures."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from bayeshpo.searchers.objectives import AcquisitionOverDraws
from bayeshpo.trial import History

if TYPE_CHECKING:
    from bayeshpo.acquisitions.compiled import CompiledAcquisition
    from bayeshpo.acquisitions.outlook import Evidence
    from bayeshpo.inference.posterior import Posterior

POSITIONS = 101
DRAWS = 32


def slices(
    compiled: CompiledAcquisition, posterior: Posterior, evidence: Evidence, history: History, centre: np.ndarray
) -> xr.Dataset:
    """Latent function and acquisition along each coordinate in turn, the others held at ``centre`` (D,).

    Returns
    -------
    xarray.Dataset
        ``f`` (slice_draw, hyperparameter, position): each draw's mean function; ``mean`` and ``sd`` over draws and
        latent uncertainty, and ``acquisition`` (hyperparameter, position); ``at`` (hyperparameter), the centre;
        coordinate ``position`` in the unit cube.
    """
    space, data = history.space, posterior.data
    position = np.linspace(0.0, 1.0, POSITIONS)
    Z = np.tile(centre, (space.dimension, POSITIONS, 1))
    for j in range(space.dimension):
        Z[j, :, j] = position
    Z = space.snap(Z.reshape(-1, space.dimension))
    mean, variance = compiled.predictive.at(posterior, Z, 256)
    acquisition = AcquisitionOverDraws(compiled, posterior, evidence)
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
            "acquisition": (over, acquisition.value(Z).reshape(shape)),
            "at": ("hyperparameter", centre),
        },
        {"hyperparameter": list(space.names), "position": position},
    )
