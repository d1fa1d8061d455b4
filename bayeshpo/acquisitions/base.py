"""The acquisition contract, and its compiled form: a number over weighted posterior draws, with gradient and error."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache
from typing import Any

import numpy as np

from bayeshpo.acquisitions.feasibility import Feasibility
from bayeshpo.inference.compilation import compiling
from bayeshpo.inference.posterior import Posterior
from bayeshpo.inference.predictive import CHUNK, ConditionedDraws, Predictive
from bayeshpo.inference.stacked_posterior import StackedPosterior
from bayeshpo.inference.stacked_predictive import StackedDraws
from bayeshpo.surrogates.base import TrainingData
from bayeshpo.surrogates.symbolic import COMPILED, disconnected_grad, function, grad, pt


class Acquisition(ABC):
    """How much a candidate is worth, given what posterior draws say of the latent function there."""

    name: str

    @abstractmethod
    def over_draws(self, mean: Any, variance: Any, incumbent: Any, weight: Any) -> Any:
        """Value (m,) of one more evaluation at each candidate.

        Parameters
        ----------
        mean, variance
            Of the latent function at the candidates under each draw (S, m), standardised losses.
        incumbent
            Lowest posterior mean among the finished trials, under each draw (S,).
        weight
            Of the draws (S, m): the same for all candidates, of sum 1. They enter by sums over the draws, so that the
            value's Monte Carlo error is in its derivatives by them.
        """

    def where_feasible(self, value: Any, log_probability: Any) -> Any:
        """Value (m,) of what may fail, given the log probability (m,) that it does not: added, as to a logarithm."""
        return value + log_probability


class ExpectedUtility(Acquisition):
    """Log of a utility's expectation over draws."""

    @abstractmethod
    def log_utility(self, mean: Any, variance: Any, incumbent: Any) -> Any:
        """Log utility (S, m) of one more evaluation, for every draw; arguments are as of `over_draws`."""

    def over_draws(self, mean: Any, variance: Any, incumbent: Any, weight: Any) -> Any:
        """log of the weighted mean of utilities (m,), which may be too small for a number."""
        utilities = self.log_utility(mean, variance, incumbent)
        # No more than a change of units, of which derivatives know nothing.
        shift = disconnected_grad(pt.max(utilities, axis=0))
        return pt.log(pt.sum(weight * pt.exp(utilities - shift), axis=0)) + shift


@dataclass(frozen=True, eq=False)
class AcquisitionState:
    """What an acquisition is evaluated on: draws, their incumbents (S,), and which configurations finish."""

    draws: ConditionedDraws | StackedDraws
    incumbent: np.ndarray
    feasibility: Feasibility

    def every(self, step: int) -> AcquisitionState:
        """With each so manieth draw only."""
        return replace(self, draws=self.draws.every(step), incumbent=np.ascontiguousarray(self.incumbent[::step]))


@dataclass(frozen=True, eq=False)
class Evidence:
    """What is known of the problem when the next configuration is chosen.

    Attributes
    ----------
    data
        Finished trials with their standardised losses, and failed ones.
    believed_X, believed_y
        Points without a loss, where a further trial would tell nothing new, and what the surrogate expects there
        (m, D), (m,): the draws are conditioned on them too. They are never incumbents.
    feasibility
        Which configurations finish.
    """

    data: TrainingData
    believed_X: np.ndarray
    believed_y: np.ndarray
    feasibility: Feasibility = field(default_factory=Feasibility)

    @classmethod
    def of(
        cls,
        predictive: Predictive,
        posterior: Posterior | StackedPosterior,
        pending: np.ndarray,
        draws: int,
        feasibility: Feasibility,
    ) -> Evidence:
        """The trials of a posterior; failed and pending points (p, D) are believed to come out at their mean."""
        data = posterior.data
        points = np.concatenate([data.failed, pending])
        values = predictive.at(posterior, points, draws)[0].mean(axis=0) if len(points) else np.empty(0)
        return cls(data, points, values, feasibility)


class CompiledAcquisition:
    """An acquisition over a surrogate's predictive, compiled once for all n, draws and candidates.

    Only the formula itself is compiled here, as a function of the predictive's mean and variance; its derivatives by
    these are handed on to the predictive, which all acquisitions share.

    Parameters
    ----------
    acquisition
        The formula.
    predictive
        The predictive that it is a function of.
    """

    def __init__(self, acquisition: Acquisition, predictive: Predictive) -> None:
        self.acquisition, self.predictive = acquisition, predictive

    def state(self, Q: np.ndarray, evidence: Evidence) -> AcquisitionState:
        """Condition equally weighted draws Q (S, Q) on what is known."""
        return self._state(Q, evidence, self._known(evidence))

    def _known(self, evidence: Evidence) -> TrainingData:
        """The finished trials and what is believed: the same for all draws."""
        density = self.predictive.density
        return density.surrogate.believing(density.columns, evidence.data, evidence.believed_X, evidence.believed_y)

    def _state(self, Q: np.ndarray, evidence: Evidence, known: TrainingData) -> AcquisitionState:
        draws = self.predictive.condition(Q, known)
        incumbent = draws.fitted[:, : len(evidence.data.y)].min(axis=1)
        return AcquisitionState(draws, incumbent, evidence.feasibility)

    def prepare(self) -> Iterator[Any]:
        """Compile now what is not compiled yet, a function a step."""
        yield from self.predictive.prepare()
        yield self._values
        yield self._slopes

    def value(self, state: AcquisitionState, Z: np.ndarray) -> np.ndarray:
        """Acquisition (m,) at candidates Z (m, D)."""
        return self._values(*self._inputs(state, Z), state.feasibility.log_probability(Z))[0]

    def value_and_gradient(self, state: AcquisitionState, Z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Acquisition (m,) and its gradient (m, D) at candidates Z (m, D)."""
        log_probability, slope = state.feasibility.with_gradient(Z)
        value, by_mean, by_variance, by_feasibility = self._slopes(*self._inputs(state, Z), log_probability)
        by_draws = self.predictive.pullback(state.draws, Z, by_mean, by_variance)
        return value, by_draws + by_feasibility[:, None] * slope

    def over_all_draws(
        self, Q: np.ndarray, evidence: Evidence, Z: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Acquisition (m,) at a few candidates over many draws Q (S, Q) and its standard error (m,), in bounded memory.

        Beside them what comes with it: the posterior mean at the finished trials and at what is believed (n + m,).

        The error is that of the infinitesimal jackknife (Efron 1982, section 6.3), for draws that are independent but
        for copies; too small where one draw alone has all of the utility.
        """
        # A posterior of weighted draws shows the heavy ones several times.
        Q, copies = np.unique(Q, axis=0, return_counts=True)
        known = self._known(evidence)
        states = (self._state(Q[i : i + CHUNK], evidence, known) for i in range(0, len(Q), CHUNK))
        parts = [(*self.predictive(state.draws, Z), state.incumbent, state.draws.fitted) for state in states]
        mean, variance, incumbent, fitted = (np.concatenate(part) for part in zip(*parts, strict=True))
        share = copies / copies.sum()
        weight = np.tile(share[:, None], (1, len(Z)))
        value, error = self._values(mean, variance, incumbent, weight, evidence.feasibility.log_probability(Z))
        return value, error, share @ fitted

    def _inputs(self, state: AcquisitionState, Z: np.ndarray) -> tuple[np.ndarray, ...]:
        mean, variance = self.predictive(state.draws, Z)
        return mean, variance, state.incumbent, np.full(mean.shape, 1.0 / len(mean))

    @cached_property
    def _values(self) -> Any:
        """The acquisition (m,), and its standard error (m,) for independent draws."""
        (*inputs, weight, feasible), value = self._formula
        influence = grad(pt.sum(value), weight)
        influence -= pt.sum(weight * influence, axis=0)
        error = pt.sqrt(pt.sum(pt.sqr(weight * influence), axis=0))
        return self._compiled("acquisition", [*inputs, weight, feasible], [value, error])

    @cached_property
    def _slopes(self) -> Any:
        """The acquisition (m,), its derivatives by mean and variance (S, m) each, and by feasibility (m,)."""
        inputs, value = self._formula
        mean, variance, _, _, feasible = inputs
        slopes = grad(pt.sum(value), [mean, variance, feasible])
        return self._compiled("gradient of the acquisition", inputs, [value, *slopes])

    @cached_property
    def _formula(self) -> tuple[list[Any], Any]:
        draws = [pt.dmatrix("mean"), pt.dmatrix("variance"), pt.dvector("incumbent"), pt.dmatrix("weight")]
        feasible = pt.dvector("log_probability")
        return [*draws, feasible], self.acquisition.where_feasible(self.acquisition.over_draws(*draws), feasible)

    def _compiled(self, what: str, inputs: list[Any], outputs: list[Any]) -> Any:
        with compiling(what):
            compiled = function(inputs, outputs, mode=COMPILED, trust_input=True, on_unused_input="ignore")
            compiled(np.zeros((2, 1)), np.ones((2, 1)), np.zeros(2), np.full((2, 1), 0.5), np.zeros(1))
        return compiled


@lru_cache(maxsize=32)
def compiled_acquisition(acquisition: Acquisition, predictive: Predictive) -> CompiledAcquisition:
    """An acquisition compiled for a predictive; one a process."""
    return CompiledAcquisition(acquisition, predictive)
