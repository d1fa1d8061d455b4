"""No-U-turn sampling (Hoffman and Gelman 2014) through nutpie, fitted anew at each n until its checks pass."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from bayeshpo.inference.base import Engine
from bayeshpo.inference.compilation import COMPILATIONS
from bayeshpo.inference.density import LogDensity
from bayeshpo.inference.optimization import starting_points
from bayeshpo.inference.posterior import Posterior
from bayeshpo.inference.report import InferenceReport, with_convergence
from bayeshpo.surrogates.base import TrainingData

_STATISTICS = {
    "diverging": "diverging",
    "energy": "energy",
    "n_steps": "n_steps",
    "depth": "tree_depth",
    "maxdepth_reached": "reached_max_treedepth",
    "step_size": "step_size",
    "mean_tree_accept": "acceptance_rate",
    "logp": "lp",
}


@dataclass(frozen=True)
class NUTS(Engine):
    """NUTS in float64, with more draws where they are needed.

    The posterior of lengthscales is a narrow spike (the dimension matters) beside a wide shelf (it does not); the
    usual 4 x 250 draws seldom reach R-hat < 1.01. A fit that fails its checks is sampled again, longer.

    Parameters
    ----------
    chains
        Number of chains (>= 4).
    tune, draws
        Adaptation steps and kept draws of each chain in the first round.
    rounds
        How often to sample at most; each round has four times the draws of the one before, and replaces it.
    target_accept
        Acceptance rate that the step size is adapted to.
    """

    chains: int = 4
    tune: int = 300
    draws: int = 1000
    rounds: int = 3
    target_accept: float = 0.8
    name = "nuts"

    def __post_init__(self) -> None:
        if self.chains < 4 or self.tune < 50 or self.draws < 100 or self.rounds < 1:
            raise ValueError(
                f"expected chains >= 4, tune >= 50, draws >= 100 and rounds >= 1, got chains={self.chains}, "
                f"tune={self.tune}, draws={self.draws}, rounds={self.rounds}"
            )

    def fit(
        self, density: LogDensity, data: TrainingData, *, rng: np.random.Generator, previous: Posterior | None = None
    ) -> Posterior:
        """Sample until R-hat < 1.01 and bulk ESS > 400, or the rounds are spent (status "not_converged").

        The status is "failed" where the density or its gradient is finite at no starting point.
        """
        compiled_before = COMPILATIONS.seconds
        density.prepare()
        target = density.value_and_gradient(data.X, data.y)
        compile_seconds = COMPILATIONS.seconds - compiled_before
        start = time.perf_counter()
        starts = starting_points(density, data, self.chains, rng)
        report = InferenceReport(self.name, "sampled", len(data.y), seconds_compile=compile_seconds)
        usable = starts[[_is_finite(target(q)) for q in starts]]
        if len(usable) == 0:
            failed = replace(report, status="failed", reason="no starting point has a finite log density and gradient")
            return Posterior(density, data, starts[:, None], failed)
        starts = np.resize(usable, starts.shape)
        draws = self.draws
        Q, statistics = np.empty((0, 0, 0)), {}
        for attempt in range(self.rounds):
            Q, statistics = self._sample(target, starts, draws, int(rng.integers(2**31)))
            report = replace(
                report,
                action="sampled" if attempt == 0 else "retried",
                seconds_sample=time.perf_counter() - start,
            )
            report = with_convergence(report, Q, statistics)
            if report.status == "ok":
                break
            draws *= 4
        return Posterior(density, data, Q, report, None, statistics)

    def _sample(
        self, target: Callable[[np.ndarray], Any], starts: np.ndarray, draws: int, seed: int
    ) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        import nutpie
        from nutpie.compiled_pyfunc import from_pyfunc

        waiting = iter(starts)
        size = starts.shape[1]
        model = from_pyfunc(
            size,
            lambda: target,
            lambda seed1, seed2, chain: lambda q: {"q": q},
            [np.dtype("float64")],
            [(size,)],
            ["q"],
            make_initial_point_fn=lambda seed: next(waiting, starts[seed % len(starts)]),
        )
        trace = nutpie.sample(
            model, draws=draws, tune=self.tune, chains=self.chains, cores=1, seed=seed,
            target_accept=self.target_accept, progress_bar=False, save_warmup=False,
        )  # fmt: skip
        statistics = {
            ours: np.asarray(trace["sample_stats"][theirs])
            for theirs, ours in _STATISTICS.items()
            if theirs in trace["sample_stats"]
        }
        return np.asarray(trace["posterior"]["q"]), statistics


def _is_finite(value_and_gradient: tuple[float, np.ndarray]) -> bool:
    value, gradient = value_and_gradient
    return bool(np.isfinite(value) and np.isfinite(gradient).all())
