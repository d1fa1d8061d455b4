"""Maximum a posteriori: the point estimate that most of the field uses, as the ablation's baseline."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from bayeshpo.inference.approximation import not_found
from bayeshpo.inference.base import Engine
from bayeshpo.inference.compilation import Stopwatch
from bayeshpo.inference.density import LogDensity
from bayeshpo.inference.optimization import find_mode, starting_points
from bayeshpo.inference.posterior import Posterior
from bayeshpo.inference.report import InferenceReport
from bayeshpo.surrogates.base import TrainingData


@dataclass(frozen=True)
class MAP(Engine):
    """The hyperparameters of highest posterior density on their own, constrained scale; no uncertainty about them.

    The density is that of the constrained parameters, without the Jacobian of the transform: as `pymc.find_MAP`, and
    as BoTorch's fit of the marginal likelihood times the prior. It is climbed on the unconstrained scale, where the
    other engines work, by L-BFGS from several points. A mode on the boundary (a variance of zero) is approached until
    the gradient vanishes.

    The posterior is one chain of one draw: nothing that averages over draws averages over anything. Status "ok" says
    that the gradient vanishes at the best point found; whether a higher mode exists, and whether one point may stand
    for the posterior, is not known. R-hat, effective sample sizes and k-hat do not exist for a point.

    Parameters
    ----------
    starts
        Ascents (>= 1), from prior draws resampled by their flattened likelihood.
    """

    starts: int = 8
    name = "map"

    def __post_init__(self) -> None:
        if self.starts < 1:
            raise ValueError(f"expected starts >= 1, got {self.starts}")

    def fit(
        self, density: LogDensity, data: TrainingData, *, rng: np.random.Generator, previous: Posterior | None = None
    ) -> Posterior:
        """The best of the modes found; "not_converged" if the ascent to it was not finished."""
        watch = Stopwatch()
        report = InferenceReport(self.name, "optimised", len(data.y))
        starts = starting_points(density, data, self.starts, rng)
        joint, jacobian = density.value_and_gradient(data), density.log_jacobian

        def constrained(q: np.ndarray) -> tuple[float, np.ndarray]:
            (value, gradient), (volume, slope) = joint(q), jacobian(q)
            return value - volume, gradient - slope

        mode = find_mode(constrained, starts)
        if mode is None:
            return not_found(density, data, starts, replace(report, **watch.seconds()))
        report = replace(
            report,
            status="ok" if mode.stationary else "not_converged",
            reason=None if mode.stationary else "the gradient does not vanish where the ascent ended",
            chains=1,
            draws=1,
            **watch.seconds(),
        )
        return Posterior(density, data, mode.q[None, None], report, None, {"lp": np.array([[joint(mode.q)[0]]])})
