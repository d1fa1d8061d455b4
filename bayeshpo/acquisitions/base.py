"""The acquisition contract, and its compiled form: an expectation over posterior draws with its gradient."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache
from typing import Any

import numpy as np

from bayeshpo.acquisitions.feasibility import Feasibility
from bayeshpo.inference.compilation import compiling
from bayeshpo.inference.log_sum_exp import log_sum_exp
from bayeshpo.inference.posterior import Posterior
from bayeshpo.inference.predictive import CHUNK, ConditionedDraws, Predictive
from bayeshpo.inference.stacked_posterior import StackedPosterior
from bayeshpo.inference.stacked_predictive import StackedDraws
from bayeshpo.surrogates.base import TrainingData
from bayeshpo.surrogates.symbolic import COMPILED, function, grad, pt


class Acquisition(ABC):
    """A log utility of each posterior draw; the acquisition is the log of its expectation over draws."""

    name: str

    @abstractmethod
    def log_utility(self, mean: Any, variance: Any, incumbent: Any) -> Any:
        """Log utility (S, m) of one more evaluation, for every draw.

        Parameters
        ----------
        mean, variance
            Of the latent function at the candidates (S, m), standardised losses.
        incumbent
            Lowest posterior mean among the finished trials, under each draw (S,).
        """


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
        yield self._utilities
        yield self._slopes

    def value(self, state: AcquisitionState, Z: np.ndarray) -> np.ndarray:
        """Acquisition (m,) at candidates Z (m, D)."""
        utilities = self.log_utilities(state, Z)
        return log_sum_exp(utilities, axis=0) - np.log(len(utilities)) + state.feasibility.log_probability(Z)

    def log_utilities(self, state: AcquisitionState, Z: np.ndarray) -> np.ndarray:
        """Log utility (S, m) of every draw at candidates Z (m, D)."""
        return self._utilities(*self.predictive(state.draws, Z), state.incumbent)[0]

    def value_and_gradient(self, state: AcquisitionState, Z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Acquisition (m,) and its gradient (m, D) at candidates Z (m, D)."""
        value, *slopes = self._slopes(*self.predictive(state.draws, Z), state.incumbent)
        feasibility, slope = state.feasibility.with_gradient(Z)
        return value + feasibility, self.predictive.pullback(state.draws, Z, *slopes) + slope

    def over_all_draws(self, Q: np.ndarray, evidence: Evidence, Z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Acquisition (m,) at a few candidates over many draws Q (S, Q) and its standard error (m,), in bounded memory.

        The error is of the log of the mean utility, by the delta method, for draws that are independent but for copies;
        too small where one draw alone has all of the utility.
        """
        # A posterior of weighted draws shows the heavy ones several times.
        Q, copies = np.unique(Q, axis=0, return_counts=True)
        share = (copies / copies.sum())[:, None]
        known = self._known(evidence)
        states = (self._state(Q[i : i + CHUNK], evidence, known) for i in range(0, len(Q), CHUNK))
        utilities = np.concatenate([self.log_utilities(s, Z) for s in states])
        value = log_sum_exp(utilities + np.log(share), axis=0)
        error = np.sqrt((share**2 * (np.exp(utilities - value) - 1.0) ** 2).sum(axis=0))
        return value + evidence.feasibility.log_probability(Z), error

    @cached_property
    def _utilities(self) -> Any:
        inputs, utilities = self._formula
        return self._compiled("acquisition", inputs, [utilities])

    @cached_property
    def _slopes(self) -> Any:
        """The acquisition (m,), and its derivatives by mean and variance (S, m) each."""
        inputs, utilities = self._formula
        shift = pt.max(utilities, axis=0)
        value = pt.log(pt.mean(pt.exp(utilities - shift), axis=0)) + shift
        return self._compiled("gradient of the acquisition", inputs, [value, *grad(pt.sum(value), inputs[:2])])

    @cached_property
    def _formula(self) -> tuple[list[Any], Any]:
        mean, variance, incumbent = pt.dmatrix("mean"), pt.dmatrix("variance"), pt.dvector("incumbent")
        return [mean, variance, incumbent], self.acquisition.log_utility(mean, variance, incumbent)

    def _compiled(self, what: str, inputs: list[Any], outputs: list[Any]) -> Any:
        with compiling(what):
            compiled = function(inputs, outputs, mode=COMPILED, trust_input=True, on_unused_input="ignore")
            compiled(np.zeros((2, 1)), np.ones((2, 1)), np.zeros(2))
        return compiled


@lru_cache(maxsize=32)
def compiled_acquisition(acquisition: Acquisition, predictive: Predictive) -> CompiledAcquisition:
    """An acquisition compiled for a predictive; one a process."""
    return CompiledAcquisition(acquisition, predictive)
