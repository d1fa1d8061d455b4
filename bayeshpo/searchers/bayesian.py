"""Bayesian search: a surrogate's full posterior, an acquisition over its draws, a maximiser. No maths of its own."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from bayeshpo.errors import SpecificationError
from bayeshpo.maximizers import Maximizer, Maximum
from bayeshpo.parallel import one_blas_thread
from bayeshpo.problem import Capabilities
from bayeshpo.randomness import Streams
from bayeshpo.registry import ENGINES, KINDS, SURROGATES, check_name, create, load
from bayeshpo.searchers.background import Background
from bayeshpo.searchers.base import Searcher, next_index
from bayeshpo.searchers.initial import sobol_points
from bayeshpo.searchers.objectives import CHOICE_DRAWS, AcquisitionOverDraws, Flat
from bayeshpo.space import SearchSpace
from bayeshpo.trial import History, Suggestion, Trial

if TYPE_CHECKING:
    from bayeshpo.acquisitions.base import Acquisition
    from bayeshpo.acquisitions.compiled import CompiledAcquisition
    from bayeshpo.acquisitions.cost import Cost
    from bayeshpo.acquisitions.feasibility import Feasibility
    from bayeshpo.acquisitions.outlook import Evidence
    from bayeshpo.inference.posterior import Posterior
    from bayeshpo.searchers.optimum import Optimum

# Entries of a suggestion's info: how many trials the fit behind it had seen, and the index of the trial that was to be
# recommended after these.
_FITTED, _RECOMMENDED = "fitted_on", "recommended"
# Posterior means that are nearer to each other than this, in standardised losses, differ by rounding.
_EQUAL = 1e-9
# The surrogate for large numbers of trials, among the parts.
_BEYOND = "beyond"


class BayesianSearcher(Searcher):
    """Propose where an acquisition over a surrogate's posterior draws is largest.

    Parameters
    ----------
    surrogate, acquisition, inference
        Registered names, tables of a name with arguments (``{"name": "gp", "kernel": "rbf"}``), or objects.
    beyond
        Another surrogate for more finished trials than so many: ``{"trials": 400, "surrogate": "sparse"}``. A
        sequential engine carries its draws over if both have the same hyperparameters. Rows of inference name theirs.
    n_initial
        Sobol points before the first fit; by default D + 2, at least 4. They are the same for all searchers of a seed.
    maximizer
        The inner search.
    audit_every
        Compare the posterior with a fresh fit of NUTS for every trial whose index is a multiple of this; what is found
        is in the trial's row of inference (`bayeshpo.inference.audit`). It does not change what is proposed.
    """

    name = "bayesian"

    def __init__(
        self,
        surrogate: Any = "gp",
        acquisition: Any = "log_ei",
        inference: Any = "sequential",
        beyond: Mapping[str, Any] | None = None,
        n_initial: int | None = None,
        maximizer: Maximizer | None = None,
        audit_every: int | None = None,
    ) -> None:
        if n_initial is not None and n_initial < 1:
            raise SpecificationError(f"expected n_initial >= 1, got {n_initial}")
        if audit_every is not None and audit_every < 1:
            raise SpecificationError(f"expected audit_every >= 1, got {audit_every}")
        parts = {"surrogate": surrogate, "acquisition": acquisition, "engine": inference}
        self._most_trials, beyond_it = _limit(beyond)
        if beyond_it is not None:
            parts[_BEYOND] = beyond_it
        self._parts = {kind: _checked(_registered(kind), part) for kind, part in parts.items()}
        surrogates = [part for kind, part in self._parts.items() if _registered(kind) == "surrogate"]
        self._needs_gradient = any((SURROGATES[s] if isinstance(s, str) else s).uses_gradients for s in surrogates)
        self.n_initial, self.audit_every = n_initial, audit_every
        self.maximizer = maximizer or Maximizer()
        self._made: dict[str, Any] = {}
        self._rows: list[dict[str, Any]] = []
        self._background: Background | None = None
        # The newest posteriors by number of trials, with those trials.
        self._fits: dict[int, tuple[tuple[Trial, ...], Posterior]] = {}
        # Models beside the newest posterior, by what they are about.
        self._beside: dict[str, tuple[Posterior, Any]] = {}
        self._best: tuple[Posterior, Trial] | None = None

    def check(self, space: SearchSpace, capabilities: Capabilities) -> None:
        """Refuse a space, engine or acquisition that a surrogate cannot work on; only what may be refused is asked."""
        restricted = self._is_restricted("acquisition")
        for kind in (k for k in self._parts if _registered(k) == "surrogate"):
            if self._is_restricted(kind):
                from bayeshpo.surrogates.columns import Columns

                self._part(kind).check(Columns.of(space))
                self._check_engine(self._part(kind))
                if restricted:
                    self._part("acquisition").check(self._part(kind))

    def _is_restricted(self, kind: str) -> bool:
        part = self._parts[kind]
        return not isinstance(part, str) or KINDS[_registered(kind)][part].restricted

    def _check_engine(self, surrogate: Any) -> None:
        """Refuse an engine that reports no evidences where they are what weights are made of."""
        engine = self._part("engine")
        if surrogate.needs_evidence and not engine.has_evidence:
            known = ", ".join(name for name in ENGINES if load("engine", name).has_evidence)
            raise SpecificationError(
                f"surrogate '{surrogate.name}': expected an engine that reports evidences ({known}) for "
                f"weights='{surrogate.weights}', got '{engine.name}'; use weights='loo'"
            )

    def ask(self, history: History, n: int, rng: Streams) -> list[Suggestion]:
        """Sobol points first; then fit and maximise, each proposal in the light of those that are pending."""
        self._rows = []
        suggestions: list[Suggestion] = []
        with one_blas_thread():
            for _ in range(n):
                suggestions.append(replace(self._next(history, rng), needs_gradient=self._needs_gradient))
                history = replace(history, pending=(*history.pending, suggestions[-1]))
        return suggestions

    def recommend(self, history: History, rng: Streams) -> Trial | None:
        """The tried configuration of lowest posterior mean loss; before there is a model, the incumbent."""
        if history.finished.sum() < 2:
            return history.incumbent
        posterior = self._fit(history, rng)
        if posterior.report.status == "failed":
            return history.incumbent
        return self._lowest(posterior, history)

    def recommended_after(self, history: History, n: int) -> Trial | None:
        """As the suggestion after ``n`` trials has it on record; None where that came of no fit."""
        known = (t.suggestion.info for t in history.trials)
        index = next((i.get(_RECOMMENDED) for i in known if i.get(_FITTED) == n), None)
        return next((t for t in history.trials if t.suggestion.index == index), None)

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
            evidence = self._evidence(posterior, history, rng)
            tree["slice"] = slices(self._compiled(posterior, history), posterior, evidence, history, centre)
        return tree

    def optimum(self, history: History, rng: Streams) -> Optimum:
        """Where the posterior mean is best among what will probably finish, tried or not."""
        from bayeshpo.searchers.optimum import optimum

        if not history.finished.any():
            raise SpecificationError("no optimum yet: expected at least one finished trial")
        posterior = self._fit(history, rng)
        feasibility = self._feasibility(posterior, rng.generator("feasibility", len(history)))
        known, search = self._predictive(posterior), rng.generator("optimum", len(history))
        return optimum(known, posterior, feasibility, history, self.recommend(history, rng), self.maximizer, search)

    def _next(self, history: History, rng: Streams) -> Suggestion:
        index, space = next_index(history), history.space
        n_initial = self.n_initial or max(4, space.dimension + 2)
        if index < n_initial:
            if self._background is None:
                self._background = Background(self._compile(space))
            points = sobol_points(space, index + 1, rng.generator("initial"))
            return Suggestion(space.decode(points[index:])[0], index, "initial")
        taken = _points(history)
        if not history.finished.any():
            x = self.maximizer(Flat(), space, taken, taken[:0], rng.generator("acquisition", index)).x
            return Suggestion(space.decode(x[None])[0], index, "exploration")
        waited = 0.0 if self._background is None else self._background.wait()
        posterior = self._fit(history, rng)
        start = time.perf_counter()
        maximum, recommended, more = self._maximise(posterior, history, taken, rng, index)
        self._rows.append(
            posterior.report.to_row()
            | {
                "trial": index,
                "surrogate": posterior.density.surrogate.name,
                "seconds_compile": posterior.report.seconds_compile + waited,
                "seconds_maximise": time.perf_counter() - start,
                "acquisition": maximum.value,
                "acquisition_mcse": maximum.error,
            }
            | more
            | posterior.density.surrogate.remarks(posterior.data)
            | self._audit(posterior, index, rng)
        )
        origin = "exploration" if maximum.flat else "acquisition"
        info = {_FITTED: len(history), _RECOMMENDED: recommended.suggestion.index}
        return Suggestion(space.decode(maximum.x[None])[0], index, origin, info=info)

    def _compile(self, space: SearchSpace) -> Iterator[None]:
        """What the first fit and proposal will need, to be compiled while the initial design is evaluated."""
        from bayeshpo.acquisitions.compiled import compiled_acquisition
        from bayeshpo.inference.density import log_density
        from bayeshpo.inference.predictive import predictive
        from bayeshpo.surrogates.base import Columns

        density = log_density(self._part("surrogate"), Columns.of(space))
        for part in density.parts:
            yield self._part("engine").prepare(part)
        yield from compiled_acquisition(self._part("acquisition"), predictive(density)).prepare()

    def _fit(self, history: History, rng: Streams) -> Posterior:
        """The posterior given all trials; with a sequential engine, by way of the fits that proposals were made from.

        Fits that were made for a look at the posterior alone are no step of that way, or looking would change what is
        proposed next.
        """
        if self._background is not None:
            self._background.wait()
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
        from bayeshpo.inference.fitting import fit
        from bayeshpo.surrogates.base import Columns, TrainingData

        history = replace(history, trials=history.trials[:n], pending=())
        surrogate = self._part("surrogate" if history.finished.sum() <= self._most_trials else _BEYOND)
        data = TrainingData.of(history, outliers=surrogate.expects_outliers)
        density = log_density(surrogate, Columns.of(history.space))
        return fit(self._part("engine"), density, data, rng=rng.generator("inference", n), previous=previous)

    def _audit(self, posterior: Posterior, index: int, rng: Streams) -> dict[str, Any]:
        if self.audit_every is None or index % self.audit_every or posterior.report.status == "failed":
            return {}
        from bayeshpo.inference.audit import audit

        return audit(posterior, rng.generator("audit", index)).to_row()

    def _maximise(
        self, posterior: Posterior, history: History, taken: np.ndarray, rng: Streams, index: int
    ) -> tuple[Maximum, Trial, dict[str, Any]]:
        """Where the acquisition is largest, and what comes with it.

        These are the recommendation, the jitter that the draws' covariances needed, and the fit of feasibility.
        """
        from bayeshpo.inference.report import jitter_row

        space, search = history.space, rng.generator("acquisition", index)
        best = _best_points(history)
        if posterior.report.status == "failed":
            assert history.incumbent is not None
            return self.maximizer(Flat(), space, taken, best, search), history.incumbent, {}
        evidence = self._evidence(posterior, history, rng)
        objective = AcquisitionOverDraws(self._compiled(posterior, history), posterior, evidence)
        maximum = self.maximizer(objective, space, taken, best, search)
        recommended = self._lowest(posterior, history, objective.fitted)
        return maximum, recommended, jitter_row(objective.state.draws.state) | evidence.to_row()

    def _lowest(self, posterior: Posterior, history: History, known: np.ndarray | None = None) -> Trial:
        """The finished trial of lowest posterior mean (n,), which is found once a posterior; the first of equals."""
        if self._best is None or self._best[0] is not posterior:
            mean = self._predictive(posterior).fitted(posterior, CHOICE_DRAWS) if known is None else known
            finished = [t for t in history.trials if t.finished]
            self._best = posterior, finished[int(np.argmax(mean <= mean.min() + _EQUAL))]
        return self._best[1]

    def _evidence(self, posterior: Posterior, history: History, rng: Streams) -> Evidence:
        from bayeshpo.acquisitions.outlook import Evidence

        feasibility = self._feasibility(posterior, rng.generator("feasibility", len(history)))
        functions = rng.generator("functions", next_index(history))
        pool = self.maximizer.pool(history.space, _best_points(history), functions)
        return Evidence.of(
            self._predictive(posterior), posterior, _pending_points(history), CHOICE_DRAWS, feasibility,
            cost=self._cost(posterior, history, rng), pool=pool, seed=int(functions.integers(2**32)),
            draws_pending=self._acquisition(posterior, history).draws_pending,
        )  # fmt: skip

    def _cost(self, posterior: Posterior, history: History, rng: Streams) -> Cost | None:
        """What trials cost, for an acquisition that asks."""
        if not self._part("acquisition").per_second:
            return None
        from bayeshpo.acquisitions.cost import Cost

        return self._once("cost", posterior, lambda: Cost.of(history, rng.generator("cost", len(history))))

    def _feasibility(self, posterior: Posterior, rng: np.random.Generator) -> Feasibility:
        """Which configurations finish."""
        from bayeshpo.acquisitions.feasibility import Feasibility

        return self._once(
            "feasibility", posterior, lambda: Feasibility.of(posterior.data, posterior.density.columns, rng)
        )

    def _once(self, about: str, posterior: Posterior, fit: Callable[[], Any]) -> Any:
        """A model beside a posterior, fitted once for its trials however many proposals it makes."""
        if about not in self._beside or self._beside[about][0] is not posterior:
            self._beside[about] = posterior, fit()
        return self._beside[about][1]

    def _compiled(self, posterior: Posterior, history: History) -> CompiledAcquisition:
        from bayeshpo.acquisitions.compiled import compiled_acquisition

        return compiled_acquisition(self._acquisition(posterior, history), self._predictive(posterior))

    def _acquisition(self, posterior: Posterior, history: History) -> Acquisition:
        acquisition = self._part("acquisition")
        return acquisition.when_pending(posterior.density.surrogate) if history.pending else acquisition

    def _predictive(self, posterior: Posterior) -> Any:
        from bayeshpo.inference.predictive import predictive

        return predictive(posterior.density)

    def _part(self, kind: str) -> Any:
        if kind not in self._made:
            part = self._parts[kind]
            self._made[kind] = create(_registered(kind), part, {}) if isinstance(part, str) else part
        return self._made[kind]


def _limit(beyond: Mapping[str, Any] | None) -> tuple[float, Any]:
    """How many finished trials the first surrogate is for, and the surrogate for more, if there is one."""
    if beyond is None:
        return np.inf, None
    trials = beyond.get("trials") if isinstance(beyond, Mapping) and set(beyond) == {"trials", "surrogate"} else None
    if not isinstance(trials, int) or isinstance(trials, bool) or trials < 1:
        raise SpecificationError(
            f"expected beyond with a whole number of trials >= 1 and a surrogate, got {beyond!r}; "
            'for example {"trials": 400, "surrogate": "sparse"}'
        )
    return trials, beyond["surrogate"]


def _checked(kind: str, part: Any) -> Any:
    """A part that was given: a registered name as it is, an object, or what a table of a name and arguments makes.

    Names alone are made into parts on first use, because that imports PyMC.
    """
    if isinstance(part, str):
        check_name(kind, part)
    if not isinstance(part, Mapping):
        return part
    name, arguments = part.get("name"), {key: value for key, value in part.items() if key != "name"}
    if not isinstance(name, str):
        raise SpecificationError(f"expected a table with the {kind}'s name and its arguments, got {part!r}")
    return create(kind, name, arguments)


def _registered(part: str) -> str:
    return "surrogate" if part == _BEYOND else part


def _earlier_fits(history: History) -> list[int]:
    """Numbers of trials that this searcher's earlier fits had seen, as its suggestions recorded them."""
    suggestions = [*(t.suggestion for t in history.trials), *history.pending]
    seen = {s.info[_FITTED] for s in suggestions if _FITTED in s.info}
    return sorted(n for n in seen if n < len(history))


def _best_points(history: History) -> np.ndarray:
    """Up to five finished trials of lowest loss (k, D)."""
    order = np.argsort(np.where(history.finished, history.losses, np.inf), kind="stable")
    return history.X[order[: min(5, int(history.finished.sum()))]]


def _points(history: History) -> np.ndarray:
    """Tried and pending points (n, D)."""
    return np.concatenate([history.X.reshape(-1, history.space.dimension), _pending_points(history)])


def _pending_points(history: History) -> np.ndarray:
    """Pending points (n, D)."""
    return history.space.encode(s.configuration for s in history.pending)
