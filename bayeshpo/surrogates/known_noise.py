"""Gaussian process that is told how exact each loss is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from bayeshpo.surrogates.base import Parameters, TrainingData
from bayeshpo.surrogates.columns import Columns
from bayeshpo.surrogates.gp import GaussianProcess
from bayeshpo.surrogates.symbolic import pt


@dataclass(frozen=True)
class KnownNoiseGaussianProcess(GaussianProcess):
    """The model of `gp` with y_i = f(x_i) + noise e_i + s_i d_i,  e_i, d_i ~ N(0, 1).

    s_i is the standard error that trial i brought (`Outcome.standard_error`), 0 where it brought none; ``noise`` is
    what differs from trial to trial beyond that (stochastic kriging, Ankenman, Nelson and Staum 2010). See
    `GaussianProcess`.
    """

    name = "known_noise"
    reads_errors = True

    def arrays(self, columns: Columns, data: TrainingData) -> Mapping[str, np.ndarray]:
        """ "errors" (n,), the s_i."""
        return {"errors": np.zeros(len(data.y)) if data.errors is None else data.errors}

    def believing(self, columns: Columns, data: TrainingData, X: np.ndarray, y: np.ndarray) -> TrainingData:
        """More points, of which no error is known."""
        return self.prepared(columns, data.extended(X, y))

    def noise_at(self, columns: Columns, p: Parameters, state: Parameters, data: Mapping[str, Any], Z: Any) -> Any:
        """noise^2 with the nugget: nobody has told what the standard error of a further trial would be."""
        return pt.full((Z.shape[0],), super().noise_variance(columns, p, data))

    def noise_variance(self, columns: Columns, p: Parameters, data: Mapping[str, Any]) -> Any:
        """noise^2 + s^2 with the nugget, of each trial."""
        return super().noise_variance(columns, p, data) + pt.sqr(data["errors"])
