"""One fit, whatever it is of: a surrogate, or a mixture of several that are fitted one by one."""

from __future__ import annotations

from typing import Any

import numpy as np

from bayeshpo.inference.base import Engine
from bayeshpo.inference.posterior import prepared
from bayeshpo.surrogates.base import TrainingData


def fit(engine: Engine, density: Any, data: TrainingData, *, rng: np.random.Generator, previous: Any = None) -> Any:
    """The posterior of each of a density's parts by the engine, joined.

    Parameters
    ----------
    engine
        What fits.
    density
        A `LogDensity`, or a `StackedDensity`.
    data
        The trials, as `TrainingData.of` gives them.
    rng
        Source of everything.
    previous
        The posterior before the newest trials, to carry on from: of each part, that of the part in its place.
    """
    parts = density.parts
    before = (None,) * len(parts) if previous is None or len(previous.parts) != len(parts) else previous.parts
    fitted = [
        engine.fit(part, prepared(part, data, former), rng=rng, previous=former)
        for part, former in zip(parts, before, strict=True)
    ]
    return density.joined(fitted, previous if engine.sequential else None)
