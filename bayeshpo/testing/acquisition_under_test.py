"""An acquisition in one situation with all that its promises are checked on: trials, draws, evidence, candidates."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from bayeshpo.acquisitions.base import Acquisition, Known
from bayeshpo.acquisitions.compiled import AcquisitionState, CompiledAcquisition, compiled_acquisition
from bayeshpo.acquisitions.constraints import Constraint, Constraints
from bayeshpo.acquisitions.cost import Cost
from bayeshpo.acquisitions.feasibility import Feasibility
from bayeshpo.acquisitions.outlook import Evidence
from bayeshpo.aims import Limits
from bayeshpo.inference.density import log_density
from bayeshpo.inference.joint_objectives import joint_predictive
from bayeshpo.inference.objectives import ObjectivesPosterior
from bayeshpo.inference.posterior import Posterior
from bayeshpo.inference.predictive import predictive
from bayeshpo.inference.report import InferenceReport
from bayeshpo.inference.stacked import StackedDensity
from bayeshpo.inference.stacked_posterior import StackedPosterior, StackedReport
from bayeshpo.space import SearchSpace
from bayeshpo.surrogates.base import TrainingData
from bayeshpo.surrogates.feasibility import FeasibilityProcess, statuses
from bayeshpo.surrogates.gp import GaussianProcess
from bayeshpo.testing.under_test import SurrogateUnderTest

# Draws of the prior that there are, and that an acquisition is looked at on.
POPULATION, DRAWS = 48, 16
TRIALS, FAILED, PENDING, POOL = 10, 2, 2, 60
# Of what is drawn of functions.
SEED = 7


@dataclass(frozen=True)
class AcquisitionUnderTest:
    """An acquisition over draws of a surrogate's prior, conditioned on ten trials of a noisy bowl; reproducible.

    A study of what the acquisition is about: of two objectives, with a limit to a metric, with costs of trials.

    Parameters
    ----------
    acquisition, surrogate, space
        What is tested, with which surrogate or mixture, and where.
    weighted, pending, failed
        The situation: whether draws have weights of their own; whether two trials are pending, so that it is what
        `Acquisition.when_pending` makes of the acquisition; whether two of the trials have failed.
    """

    acquisition: Acquisition
    surrogate: Any
    space: SearchSpace
    weighted: bool = False
    pending: bool = False
    failed: bool = False

    @property
    def situation(self) -> str:
        """In words."""
        known = {"weighted draws": self.weighted, "pending trials": self.pending, "failed trials": self.failed}
        return ", ".join(what for what, there in known.items() if there) or "equal draws, all trials finished"

    @cached_property
    def compiled(self) -> CompiledAcquisition:
        """The acquisition on what it is a function of."""
        acquisition = self.acquisition.when_pending(self.surrogate) if self.pending else self.acquisition
        return compiled_acquisition(acquisition, predictive(self.posterior().density))

    @cached_property
    def candidates(self) -> np.ndarray:
        """Points of the space (6, D) that are no trials."""
        return self._trials.candidates

    @cached_property
    def pending_points(self) -> np.ndarray:
        """Points (p, D) of pending trials."""
        return self.space.sample(PENDING if self.pending else 0, np.random.default_rng(11))

    @cached_property
    def pool(self) -> np.ndarray:
        """Points of the space (60, D) among which minima of functions are looked for."""
        return self.space.sample(POOL, np.random.default_rng(12))

    def posterior(self, order: np.ndarray | None = None, unit: float = 1.0, origin: float = 0.0) -> Any:
        """Draws of the prior, given the trials in an order, their losses times a unit and from another origin on."""
        value = self._of_prior(log_density(self.surrogate, self._trials.columns), self._data(order, unit, origin))
        if not self.acquisition.objectives:
            return value
        other = self._of_prior(value.density, self._data(order, unit, origin, turned=True), seed=1)
        return ObjectivesPosterior((value, other))

    def evidence(self, posterior: Any, seed: int = SEED) -> Evidence:
        """What is known beside a posterior's draws."""
        of, acquisition = predictive(posterior.density), self.compiled.acquisition
        return Evidence.of(
            of, posterior, self.pending_points, DRAWS, self._feasibility, self._constraints, self._cost,
            draws_pending=acquisition.draws_pending, pool=self.pool, seed=seed,
        )  # fmt: skip

    @cached_property
    def state(self) -> AcquisitionState:
        """On few draws, as the inner search sees it."""
        posterior = self.posterior()
        return self.compiled.state(posterior.thinned(DRAWS), self.evidence(posterior))

    def repeated(self, state: AcquisitionState, copies: np.ndarray) -> AcquisitionState:
        """Of each draw so many copies (S,), with what is known of it, and functions that are drawn of it, the same."""
        of, evidence, anchored = self.compiled.predictive, state.evidence, state.known.anchored
        draws = of.condition(np.repeat(self.posterior().thinned(DRAWS), copies, axis=0), evidence.conditions(of))
        if anchored is not None:
            joint = joint_predictive(of, noise=self.compiled.acquisition.noisy)
            anchored = joint.anchored(draws, np.repeat(anchored.anchors, copies, axis=0))
        known = {name: np.repeat(values, copies, axis=0) for name, values in state.known.arrays.items()}
        return AcquisitionState(draws, Known(known, anchored), evidence)

    def surely_finishing(self, state: AcquisitionState) -> AcquisitionState:
        """The same where nothing can fail."""
        return replace(state, evidence=replace(state.evidence, feasibility=Feasibility()))

    def error(self, promise: str, expected: str, got: object, where: str) -> AssertionError:
        """What to raise where a promise is broken."""
        names = f"acquisition '{self.acquisition.name}', surrogate '{self.surrogate.name}'"
        return AssertionError(f"{names}: {promise}: expected {expected}, got {got} ({where})")

    @cached_property
    def _trials(self) -> SurrogateUnderTest:
        return SurrogateUnderTest(self.surrogate, self.space)

    def _data(
        self, order: np.ndarray | None = None, unit: float = 1.0, origin: float = 0.0, turned: bool = False
    ) -> TrainingData:
        """The trials; of another metric, which goes against the losses, if it is turned."""

        def told(y: np.ndarray) -> list[float | None]:
            values = origin + unit * (np.roll(y, 1) - y if turned else y)
            return [None if self.failed and i < FAILED else float(v) for i, v in enumerate(values)]

        return self._trials.data(TRIALS, told, order=order)

    def _of_prior(self, density: Any, data: Any, seed: int = 0) -> Any:
        """Draws of the prior as a posterior given these data."""
        if isinstance(density, StackedDensity):
            pairs = enumerate(zip(density.parts, data.members, strict=True))
            parts = tuple(self._of_prior(part, own, seed + k) for k, (part, own) in pairs)
            weights = np.arange(1.0, 1.0 + len(parts)) / np.arange(1.0, 1.0 + len(parts)).sum()
            report = StackedReport("prior", "drawn", len(data.y))
            return StackedPosterior(density, parts, weights, data, report, np.full(len(parts), np.nan))
        rng = np.random.default_rng(seed)
        Q = density.prior_draws(POPULATION, rng)[None]
        log_weights = rng.standard_normal((1, POPULATION))
        log_weights -= np.log(np.exp(log_weights).sum())
        report = InferenceReport("prior", "drawn", len(data.y))
        return Posterior(density, data, Q, report, log_weights if self.weighted else None)

    @cached_property
    def _feasibility(self) -> Feasibility:
        data = self._data()
        if not len(data.failed):
            return Feasibility()
        density = log_density(FeasibilityProcess(), self._trials.columns)
        told = density.surrogate.prepared(density.columns, statuses(data))
        return Feasibility(self._of_prior(density, told, seed=2))

    @cached_property
    def _constraints(self) -> Constraints:
        if not self.acquisition.constraints:
            return Constraints()
        told = SurrogateUnderTest(GaussianProcess(), self.space)
        density, data = told.density, told.data(TRIALS, lambda y: list(np.roll(y, 2)))
        limit = data.location + 0.3 * data.scale
        return Constraints([Constraint(self._of_prior(density, data, seed=3), Limits(at_most=limit))])

    @cached_property
    def _cost(self) -> Cost:
        if not self.acquisition.per_second:
            return Cost()
        told = SurrogateUnderTest(GaussianProcess(), self.space)
        return Cost(self._of_prior(told.density, told.data(TRIALS, lambda y: list(np.roll(y, 3))), seed=4))
