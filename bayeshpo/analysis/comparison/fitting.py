"""Sampling of a comparison's model, with the convergence report that surrogates have."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import nutpie

from bayeshpo.inference.compilation import Stopwatch, compiling
from bayeshpo.inference.nuts_nutpie import STATISTICS
from bayeshpo.inference.report import InferenceReport, checked, described
from bayeshpo.parallel import available_cores

CHAINS = 4
# Draws of each chain and target of acceptance, and those of another attempt where the checks have failed: most often by
# divergences where a standard deviation is near 0.
_ATTEMPTS = ((1000, 0.9), (3000, 0.99))
_TUNE = 1000


@dataclass(frozen=True, eq=False)
class Fit:
    """Draws of every variable by name (chain, draw, ...), and how far they can be trusted."""

    draws: dict[str, np.ndarray]
    report: InferenceReport

    def pooled(self, name: str) -> np.ndarray:
        """Draws of one variable over all chains (chain x draw, ...)."""
        draws = self.draws[name]
        return draws.reshape(-1, *draws.shape[2:])


def compiled(model: Any) -> Any:
    """The model's density and gradient; its `with_data` gives the same for other values of the model's `pm.Data`."""
    with compiling("comparison"):
        return nutpie.compile_pymc_model(model)


def fitted(model: Any, n: int, rng: np.random.Generator, density: Any = None) -> Fit:
    """Draws of a model of ``n`` observations: NUTS by nutpie, once more with more draws if its checks fail.

    ``density`` is the model's, `compiled`, where other data are to be fitted than those that it was built with.
    """
    watch = Stopwatch()
    density = compiled(model) if density is None else density
    fit = _sampled(density, model, n, *_ATTEMPTS[0], rng, watch)
    if fit.report.status != "ok":
        fit = _sampled(density, model, n, *_ATTEMPTS[1], rng, watch)
        fit = replace(fit, report=replace(fit.report, action="retried"))
    return fit


def _sampled(
    density: Any, model: Any, n: int, draws: int, target_accept: float, rng: np.random.Generator, watch: Stopwatch
) -> Fit:
    trace = nutpie.sample(
        density, draws=draws, tune=_TUNE, chains=CHAINS, cores=min(CHAINS, available_cores()),
        seed=int(rng.integers(2**31)), target_accept=target_accept, progress_bar=False, save_warmup=False,
    )  # fmt: skip
    found = {str(name): np.asarray(values) for name, values in trace["posterior"].data_vars.items()}
    free = [found[str(rv.name)].reshape(CHAINS, draws, -1) for rv in model.free_RVs]
    statistics = {ours: np.asarray(trace["sample_stats"][theirs]) for theirs, ours in STATISTICS.items()}
    Q = np.concatenate(free, axis=2)
    with watch.diagnosing():
        report = described(checked(InferenceReport("nuts", "sampled", n), Q, statistics), Q)
    return Fit(found, replace(report, **watch.seconds()))
