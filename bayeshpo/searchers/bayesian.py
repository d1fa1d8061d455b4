"""Bayesian search: a surrogate's full posterior, an acquisition over its draws, a maximiser. No maths of its own."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from bayeshpo.errors import SpecificationError
from bayeshpo.maximizers import Maximizer, Maximum
from bayeshpo.parallel import one_blas_thread
from bayeshpo.randomness import Streams
from bayeshpo.registry import check_name, create
from bayeshpo.searchers.base import Searcher, next_index
from bayeshpo.searchers.initial import sobol_points
from bayeshpo.trial import History, Suggestion, Trial

if TYPE_CHECKING:
    from bayeshpo.acquisitions.base import AcquisitionState, CompiledAcquisition, Evidence
    from bayeshpo.inference.posterior import Posterior

# Draws that the inner search sees, and draws that the last choice, predictions and recommendations see.
SEARCH_DRAWS = 64
CHOICE_DRAWS = 1024
# Entry of a suggestion's info: how many trials the fit behind it had seen.
_FITTED = "fitted_on"


class BayesianSearcher(Searcher):
    """Propose where an acquisition over a surrogate's posterior draws is largest.

    Parameters
    ----------
    surrogate, acquisition, inference
        Registered names, or objects.
    n_initial
        Sobol points before the first fit; by default D + 2, at least 4. They are the same for all searchers of a seed.
    maximizer
        The inner search.
    """

    name = "bayesian"

    def __init__(
        self,
        surrogate: Any = "gp",
        acquisition: Any = "log_ei",
        inference: Any = "sequential",
        n_initial: int | None = None,
        maximizer: Maximizer | None = None,
    ) -> None:
        if n_initial is not None and n_initial < 1:
            raise SpecificationError(f"expected n_initial >= 1, got {n_initial}")
        # Names are checked now, parts are made on first use: making them imports PyMC.
        self._parts = {"surrogate": surrogate, "acquisition": acquisition, "engine": inference}
        for kind, part in self._parts.items():
            if isinstance(part, str):
                check_name(kind, part)
        self.n_initial = n_initial
        self.maximizer = maximizer or Maximizer()
        self._made: dict[str, Any] = {}
        self._rows: list[dict[str, Any]] = []
        # The newest posteriors by number of trials, with those trials.
        self._fits: dict[int, tuple[tuple[Trial, ...], Posterior]] = {}

    def ask(self, history: History, n: int, rng: Streams) -> list[Suggestion]:
        """Sobol points first; then fit and maximise, as if what is pending or failed had come out at its mean."""
        self._rows = []
        suggestions: list[Suggestion] = []
        with one_blas_thread():
            for _ in range(n):
                suggestions.append(self._next(history, rng))
                history = replace(history, pending=(*history.pending, suggestions[-1]))
        return suggestions

    def recommend(self, history: History, rng: Streams) -> Trial | None:
        """The tried configuration of lowest posterior mean loss; before there is a model, the incumbent."""
        if history.finished.sum() < 2:
            return history.incumbent
        posterior = self._fit(history, rng)
        if posterior.report.status == "failed":
            return history.incumbent
        mean, _ = self._predictive(posterior).at(posterior, posterior.data.X, CHOICE_DRAWS)
        return [t for t in history.trials if t.finished][int(np.argmin(mean.mean(axis=0)))]

    def reports(self) -> list[dict[str, Any]]:
        """One row for each fit that the last `ask` made."""
        return self._rows

    def posterior(self, history: History, rng: Streams) -> Any:
        """The posterior given all finished trials, with slices of the surrogate through the recommendation."""
        from bayeshpo.searchers.slices import slices

        if not history.finished.any():
            raise SpecificationError("no posterior yet: expected at least one finished trial")
        posterior = self._fit(history, rng)
        tree = posterior.to_datatree()
        if posterior.report.status != "failed":
            recommended = self.recommend(history, rng)
            assert recommended is not None
            centre = history.space.encode([recommended.configuration])[0]
            evidence = self._evidence(posterior, history)
            tree["slice"] = slices(self._compiled(posterior), posterior, evidence, history, centre)
        return tree

    def _next(self, history: History, rng: Streams) -> Suggestion:
        index, space = next_index(history), history.space
        n_initial = self.n_initial or max(4, space.dimension + 2)
        if index < n_initial:
            points = sobol_points(space, index + 1, rng.generator("initial"))
            return Suggestion(space.decode(points[index:])[0], index, "initial")
        taken = _points(history)
        if not history.finished.any():
            x = self.maximizer(_Flat(), space, taken, taken[:0], rng.generator("acquisition", index)).x
            return Suggestion(space.decode(x[None])[0], index, "exploration")
        posterior = self._fit(history, rng)
        start = time.perf_counter()
        maximum = self._maximise(posterior, history, taken, rng.generator("acquisition", index))
        self._rows.append(
            posterior.report.to_row()
            | {
                "trial": index,
                "seconds_maximise": time.perf_counter() - start,
                "acquisition": maximum.value,
                "acquisition_mcse": maximum.error,
            }
        )
        origin = "exploration" if maximum.flat else "acquisition"
        return Suggestion(space.decode(maximum.x[None])[0], index, origin, info={_FITTED: len(history)})

    def _fit(self, history: History, rng: Streams) -> Posterior:
        """The posterior given all trials; with a sequential engine, by way of the fits that proposals were made from.

        Fits that were made for a look at the posterior alone are no step of that way, or looking would change what is
        proposed next.
        """
        steps = [*(_earlier_fits(history) if self._part("engine").sequential else []), len(history)]
        fits = {n: fit for n, fit in self._fits.items() if n in steps and fit[0] == history.trials[:n]}
        begun = max(fits, default=0)
        posterior = fits[begun][1] if fits else None
        for n in steps:
            if n > begun:
                posterior = self._fit_first(n, history, rng, posterior)
                fits[n] = history.trials[:n], posterior
        assert posterior is not None
        self._fits = {n: fits[n] for n in sorted(fits)[-2:]}
        return posterior

    def _fit_first(self, n: int, history: History, rng: Streams, previous: Posterior | None) -> Posterior:
        from bayeshpo.inference.density import log_density
        from bayeshpo.surrogates.base import Columns, TrainingData

        density = log_density(self._part("surrogate"), Columns.of(history.space))
        data = TrainingData.of(replace(history, trials=history.trials[:n], pending=()))
        return self._part("engine").fit(density, data, rng=rng.generator("inference", n), previous=previous)

    def _maximise(self, posterior: Posterior, history: History, taken: np.ndarray, rng: np.random.Generator) -> Maximum:
        space = history.space
        order = np.argsort(np.where(history.finished, history.losses, np.inf), kind="stable")
        best = history.X[order[: min(5, int(history.finished.sum()))]]
        if posterior.report.status == "failed":
            return self.maximizer(_Flat(), space, taken, best, rng)
        compiled, evidence = self._compiled(posterior), self._evidence(posterior, history)
        state = compiled.state(posterior.thinned(SEARCH_DRAWS), evidence)
        return self.maximizer(_OverDraws(compiled, state, posterior, evidence), space, taken, best, rng)

    def _evidence(self, posterior: Posterior, history: History) -> Evidence:
        from bayeshpo.acquisitions.base import Evidence

        return Evidence.of(self._predictive(posterior), posterior, _pending_points(history), CHOICE_DRAWS)

    def _compiled(self, posterior: Posterior) -> CompiledAcquisition:
        from bayeshpo.acquisitions.base import compiled_acquisition

        return compiled_acquisition(self._part("acquisition"), self._predictive(posterior))

    def _predictive(self, posterior: Posterior) -> Any:
        from bayeshpo.inference.predictive import predictive

        return predictive(posterior.density)

    def _part(self, kind: str) -> Any:
        if kind not in self._made:
            part = self._parts[kind]
            self._made[kind] = create(kind, part, {}) if isinstance(part, str) else part
        return self._made[kind]


@dataclass(frozen=True, eq=False)
class _OverDraws:
    """An acquisition on few draws for the search and on many for the choice."""

    compiled: CompiledAcquisition
    state: AcquisitionState
    posterior: Posterior
    evidence: Evidence

    def value(self, Z: np.ndarray) -> np.ndarray:
        return self.compiled.value(self.state, Z)

    def value_and_gradient(self, Z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return self.compiled.value_and_gradient(self.state, Z)

    def careful(self, Z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        Q = self.posterior.thinned(CHOICE_DRAWS)
        return self.compiled.over_all_draws(Q, self.evidence, Z)


class _Flat:
    """The same everywhere: for when there is nothing to go by, so that the maximiser explores."""

    def value(self, Z: np.ndarray) -> np.ndarray:
        return np.zeros(len(Z))

    def value_and_gradient(self, Z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return np.zeros(len(Z)), np.zeros_like(Z)

    def careful(self, Z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return np.zeros(len(Z)), np.zeros(len(Z))


def _earlier_fits(history: History) -> list[int]:
    """Numbers of trials that this searcher's earlier fits had seen, as its suggestions recorded them."""
    suggestions = [*(t.suggestion for t in history.trials), *history.pending]
    seen = {s.info[_FITTED] for s in suggestions if _FITTED in s.info}
    return sorted(n for n in seen if n < len(history))


def _points(history: History) -> np.ndarray:
    """Tried and pending points (n, D)."""
    return np.concatenate([history.X.reshape(-1, history.space.dimension), _pending_points(history)])


def _pending_points(history: History) -> np.ndarray:
    """Pending points (n, D)."""
    return history.space.encode(s.configuration for s in history.pending)
