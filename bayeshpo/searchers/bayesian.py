"""Bayesian search: a surrogate's full posterior, an acquisition over its draws, a maximiser. No maths of its own."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from bayeshpo.errors import SpecificationError, exhausted
from bayeshpo.history import History
from bayeshpo.maximizers import Maximizer, Maximum
from bayeshpo.parallel import one_blas_thread
from bayeshpo.problem import Capabilities
from bayeshpo.randomness import Streams
from bayeshpo.searchers.background import Background
from bayeshpo.searchers.base import Searcher, as_many_as_are_left, next_index, one_after_another
from bayeshpo.searchers.beliefs import Beliefs, best_points, pending_points, predictive_under
from bayeshpo.searchers.fits import FITTED
from bayeshpo.searchers.initial import sobol_points
from bayeshpo.searchers.next_training import NextTraining, initial_fidelity, next_training
from bayeshpo.searchers.objectives import Flat
from bayeshpo.searchers.parts import Parts
from bayeshpo.space import SearchSpace
from bayeshpo.trial import Suggestion, Trial

if TYPE_CHECKING:
    from bayeshpo.acquisitions.remaining import Remaining
    from bayeshpo.aims import Aims
    from bayeshpo.inference.posterior import Posterior
    from bayeshpo.searchers.optimum import Optimum

# Entries of a suggestion's info: the index of the trial that was to be recommended after those that were fitted, and of
# all that were, of several objectives.
_RECOMMENDED, _PARETO_SET = "recommended", "pareto_set"


class BayesianSearcher(Searcher):
    """Propose where an acquisition over a surrogate's posterior draws is largest.

    Parameters
    ----------
    surrogate, acquisition, inference
        Registered names, tables of a name with arguments (``{"name": "gp", "kernel": "rbf"}``), or objects. The
        acquisition is "log_ei" by default; "hypervolume" where a study has several objectives, "constrained_ei" where
        it has constraints. Each metric that a study asks for has a posterior of its own of the same surrogate.
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
    examine_every
        Look closely at the fit and at the decision for every trial whose index is a multiple of this: leave-one-out
        densities, sensitivity to the prior, what a point estimate would have proposed, the regret that remains
        (`bayeshpo.searchers.examination`). It does not change what is proposed, and may take longer than the proposal.
    """

    name = "bayesian"

    def __init__(
        self,
        surrogate: Any = "gp",
        acquisition: Any = None,
        inference: Any = "sequential",
        beyond: Mapping[str, Any] | None = None,
        n_initial: int | None = None,
        maximizer: Maximizer | None = None,
        audit_every: int | None = None,
        examine_every: int | None = None,
    ) -> None:
        for name, number in {
            "n_initial": n_initial,
            "audit_every": audit_every,
            "examine_every": examine_every,
        }.items():
            if number is not None and number < 1:
                raise SpecificationError(f"expected {name} >= 1, got {number}")
        self._parts = Parts(surrogate, acquisition, inference, beyond)
        self.n_initial, self.audit_every, self.examine_every = n_initial, audit_every, examine_every
        self.maximizer = maximizer or Maximizer()
        self._known = Beliefs(self._parts, self.maximizer)
        self._rows: list[dict[str, Any]] = []
        self._background: Background | None = None

    def check(self, space: SearchSpace, capabilities: Capabilities) -> None:
        """Refuse what the parts cannot work on; see `Parts.check`."""
        self._parts.check(space, capabilities)

    def ask(self, history: History, n: int, rng: Streams) -> list[Suggestion]:
        """Sobol points first; then fit and maximise, each proposal in the light of those that are pending."""
        self._rows = []
        with one_blas_thread():
            return as_many_as_are_left(one_after_another(history, lambda seen: self._next(seen, rng)), n)

    def recommend(self, history: History, rng: Streams) -> Trial | None:
        """The tried configuration of lowest posterior mean loss that is probably within all limits.

        Before there is a model, or where values are without noise, that is the incumbent; with several objectives the
        first of `pareto_set`.
        """
        return next(iter(self.pareto_set(history, rng)), None)

    def pareto_set(self, history: History, rng: Streams) -> list[Trial]:
        """The tried configurations, probably within all limits, than whose posterior means none is better in all."""
        if history.finished.sum() < 2:
            return super().pareto_set(history, rng)
        # Where the trials say which is best, nothing has to be fitted for it.
        if not history.knows_best and self.beliefs.objectives(history, rng).report.status == "failed":
            return super().pareto_set(history, rng)
        return self.beliefs.best(history, rng)

    def recommended_after(self, history: History, n: int) -> Trial | None:
        """As the suggestion after ``n`` trials has it on record; None where that came of no fit."""
        known = (s.info for s in history.suggestions)
        index = next((i.get(_RECOMMENDED) for i in known if i.get(FITTED) == n), None)
        return next((t for t in history.trials if t.suggestion.index == index), None)

    def reports(self) -> list[dict[str, Any]]:
        """One row for each fit that the last `ask` made."""
        return self._rows

    def posterior(self, history: History, rng: Streams) -> Any:
        """The posterior given all finished trials, with slices of the surrogate through the recommendation."""
        from bayeshpo.searchers.datatree import datatree

        if not history.finished.any():
            raise SpecificationError("no posterior yet: expected at least one finished trial")
        return datatree(self.beliefs, history, self.pareto_set(history, rng), rng)

    def optimum(self, history: History, rng: Streams) -> Optimum:
        """Where the posterior mean is best among what will probably finish, tried or not."""
        from bayeshpo.searchers.optimum import LowMean, optimum

        posterior, search = self.believed("optimum", history, rng), rng.generator("optimum", len(history))
        recommended = self.beliefs.best(history, rng)[0]
        low = LowMean(predictive_under(posterior), posterior, self.beliefs.evidence(history, rng))
        return optimum(low, history, recommended, self.maximizer, search)

    def remaining(self, history: History, rng: Streams) -> Remaining:
        """Of functions drawn from the posterior, among tried points and some 800 others (`acquisitions.remaining`)."""
        self.check_remaining(history.aims)
        self.believed("optimum", history, rng)
        found = self.beliefs.remaining(history, rng)
        if found is None:
            raise SpecificationError("no optimum yet: expected a trial that is probably within all limits")
        return found

    def check_remaining(self, aims: Aims) -> None:
        """Refuse several objectives, and a surrogate that does not say how f at several points belongs together."""
        _check_one_objective("optimum", aims)
        for surrogate in self._parts.surrogates:
            if not surrogate.is_joint:
                raise SpecificationError(
                    f"surrogate '{surrogate.name}': expected one of which functions can be drawn, that says how f at "
                    "one point belongs together with f at another; define `covariance_with_anchors`"
                )

    def believed(self, what: str, history: History, rng: Streams) -> Posterior:
        """The value's posterior, for what there is of one objective only.

        Raises
        ------
        SpecificationError
            If there is no such posterior, naming what it is wanted for.
        """
        if not history.finished.any():
            raise SpecificationError(f"no {what} yet: expected at least one finished trial")
        _check_one_objective(what, history.aims)
        posterior = self.beliefs.posterior(history, rng)
        if posterior.report.status == "failed":
            raise SpecificationError(f"no {what}: the surrogate could not be fitted: {posterior.report.reason}")
        return posterior

    @property
    def beliefs(self) -> Beliefs:
        """Posteriors and what follows from them, when what compiles in the background is done."""
        if self._background is not None:
            self._background.wait()
        return self._known

    def _next(self, history: History, rng: Streams) -> Suggestion:
        return replace(self._proposal(history, rng), needs_gradient=self._parts.needs_gradient)

    def _proposal(self, history: History, rng: Streams) -> Suggestion:
        index, space = next_index(history), history.space
        n_initial = self.n_initial or max(4, space.dimension + 2)
        if index < n_initial:
            if self._background is None:
                self._background = Background(self._compile(history))
            points = sobol_points(space, index + 1, rng.generator("initial"))
            if len(points) <= index:
                raise exhausted(len(points))
            fidelity = initial_fidelity(index, self._parts.acquisition(history.aims).fidelities)
            return Suggestion(space.decode(points[index:])[0], index, "initial", fidelity=fidelity)
        taken = _points(history)
        if not history.finished.any():
            x = self.maximizer(Flat(), space, taken, taken[:0], rng.generator("acquisition", index)).x
            return Suggestion(space.decode(x[None])[0], index, "exploration")
        from bayeshpo.inference.foresight import prepare
        from bayeshpo.inference.learned import learned

        waited = 0.0 if self._background is None else self._background.wait()
        start = time.perf_counter()
        foresight = self._known.foresight(history, rng)
        seconds = time.perf_counter() - start
        posterior, metrics = self._known.posterior(history, rng), self._fit_metrics(history, rng)
        prepare(posterior)
        start = time.perf_counter()
        maximum, best, training, more = self._maximise(history, taken, rng, index)
        maximised = time.perf_counter()
        self._rows.append(
            posterior.report.to_row()
            | {
                "trial": index,
                "surrogate": posterior.density.surrogate.name,
                "seconds_compile": posterior.report.seconds_compile + waited,
                "seconds_maximise": maximised - start,
                "acquisition": maximum.value,
                "acquisition_mcse": maximum.error,
            }
            | metrics
            | more
            | ({} if training is None else training.to_row())
            | posterior.density.surrogate.remarks(posterior.data)
            | foresight
            | ({} if posterior.report.status == "failed" else learned(posterior))
            | {"seconds_diagnose": posterior.report.seconds_diagnose + seconds + time.perf_counter() - maximised}
            | self._audit(posterior, index, rng)
            | self._examine(posterior, index, history, taken, maximum, rng)
        )
        origin = "exploration" if maximum.flat else "acquisition"
        info: dict[str, Any] = {FITTED: len(history)}
        if best:
            info[_RECOMMENDED] = best[0].suggestion.index
        if history.aims.objectives:
            info[_PARETO_SET] = [trial.suggestion.index for trial in best]
        suggestion = Suggestion(space.decode(maximum.x[None])[0], index, origin, info=info)
        return suggestion if training is None else training.of(suggestion)

    def _compile(self, history: History) -> Iterator[None]:
        """What the first fit and proposal will need, to be compiled while the initial design is evaluated."""
        from bayeshpo.acquisitions.compiled import compiled_acquisition
        from bayeshpo.inference.density import log_density
        from bayeshpo.inference.predictive import predictive
        from bayeshpo.surrogates.base import Columns

        density: Any = log_density(self._parts.surrogate(history), Columns.of(history.space))
        for part in density.parts:
            yield self._parts.engine.prepare(part)
        if history.aims.objectives:
            from bayeshpo.inference.objectives import ObjectivesDensity

            density = ObjectivesDensity((density,) * (1 + len(history.aims.objectives)))
        acquisition = self._parts.acquisition(history.aims)
        yield from compiled_acquisition(acquisition, predictive(density)).prepare()
        if acquisition.fidelities:
            from bayeshpo.inference.trainings import trainings

            yield from trainings(predictive(density), acquisition.fidelities).prepare()

    def _fit_metrics(self, history: History, rng: Streams) -> dict[str, Any]:
        """Fit each metric that is asked for; entries of a row of inference."""
        from bayeshpo.acquisitions.beside import fit_row

        row: dict[str, Any] = {}
        for metric in history.aims.metrics:
            row |= fit_row(metric, self._known.posterior(history, rng, metric))
        return row

    def _audit(self, posterior: Posterior, index: int, rng: Streams) -> dict[str, Any]:
        if self.audit_every is None or index % self.audit_every or posterior.report.status == "failed":
            return {}
        from bayeshpo.inference.audit import audit

        return audit(posterior, rng.generator("audit", index)).to_row()

    def _examine(
        self, posterior: Posterior, index: int, history: History, taken: np.ndarray, maximum: Maximum, rng: Streams
    ) -> dict[str, Any]:
        if self.examine_every is None or index % self.examine_every or posterior.report.status == "failed":
            return {}
        from bayeshpo.searchers.examination import examination

        return examination(self._known, self.maximizer, history, taken, maximum, rng)

    def _maximise(
        self, history: History, taken: np.ndarray, rng: Streams, index: int
    ) -> tuple[Maximum, list[Trial], NextTraining | None, dict[str, Any]]:
        """Where the acquisition is largest, and what comes with it.

        These are the trials that are to be recommended; what is to be trained next, if trainings are not whole; how
        well the draws' covariances could be factorised, and the fits of what is modelled beside the loss.
        """
        from bayeshpo.inference.report import numerics_row

        known, search = self.beliefs, rng.generator("acquisition", index)
        if known.objectives(history, rng).report.status == "failed":
            maximum = self.maximizer(Flat(), history.space, taken, best_points(history), search)
            return maximum, self.pareto_set(history, rng), None, {}
        objective = known.objective(history, rng)
        maximum = self.maximizer(objective, history.space, taken, best_points(history), search)
        recommended = known.best(history, rng, objective.fitted)
        fidelities = self._parts.acquisition(history.aims).fidelities
        training = None
        if fidelities:
            training = next_training(objective.posterior, objective.evidence, fidelities, history, maximum.x)
        return maximum, recommended, training, numerics_row(objective.state.draws.states) | objective.evidence.to_row()


def _check_one_objective(what: str, aims: Aims) -> None:
    if aims.objectives:
        raise SpecificationError(f"several objectives have no one {what}; use pareto_set")


def _points(history: History) -> np.ndarray:
    """Tried and pending points (n, D)."""
    return np.concatenate([history.X.reshape(-1, history.space.dimension), pending_points(history)])
