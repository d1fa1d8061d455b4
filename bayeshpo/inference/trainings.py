"""What trainings would tell of their ends, under every draw: `bayeshpo.surrogates.training_outlook`, compiled."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property, lru_cache
from typing import Any

import numpy as np

from bayeshpo.inference.over_draws import OverDraws
from bayeshpo.inference.predictive import ConditionedDraws, ModelPredictive, entries, own_arrays
from bayeshpo.surrogates.training_outlook import TrainingOutlook


class Trainings:
    """Variances of the latent function that trainings up to some shares of them would leave.

    Parameters
    ----------
    predictive
        Of a surrogate that foresees trainings.
    fidelities
        The L shares, in (0, 1].
    """

    def __init__(self, predictive: ModelPredictive, fidelities: tuple[float, ...]) -> None:
        self._predictive, self._fidelities = predictive, fidelities

    def new(self, draws: ConditionedDraws, Z: np.ndarray) -> np.ndarray:
        """Of trainings begun at Z (m, D), under each draw (S, m, L)."""
        Z = np.ascontiguousarray(Z)
        return self._new(*own_arrays(draws), *draws.data.values(), Z, entries=entries(draws, Z))[0]

    def stopped(self, draws: ConditionedDraws) -> np.ndarray:
        """Of the stopped trainings, were they taken up, under each draw (S, P, L)."""
        size = draws.fitted.shape[1] ** 2
        return self._stopped(*own_arrays(draws), *draws.data.values(), entries=size)[0]

    def prepare(self) -> Iterator[Any]:
        """Compile now what is not compiled yet, a function a step."""
        yield self._new
        yield self._stopped

    @cached_property
    def _new(self) -> OverDraws:
        Z = self._predictive.symbols.Z
        left = self._outlook.after_new(Z, self._fidelities)
        return self._predictive.compiled("new trainings", [], [Z], [left], [])

    @cached_property
    def _stopped(self) -> OverDraws:
        left = self._outlook.after_stopped(self._fidelities)
        return self._predictive.compiled("stopped trainings", [], [], [left], [])

    @property
    def _outlook(self) -> TrainingOutlook:
        density, symbols = self._predictive.density, self._predictive.symbols
        return TrainingOutlook(density.surrogate, density.columns, symbols.p, symbols.state, symbols.data)


@lru_cache(maxsize=8)
def trainings(predictive: ModelPredictive, fidelities: tuple[float, ...]) -> Trainings:
    """Those of a predictive; one a process, so that they are compiled once."""
    return Trainings(predictive, fidelities)
