"""The acquisition contract, and its compiled form: an expectation over posterior draws with its gradient."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from typing import Any

import numpy as np

from bayeshpo.acquisitions.feasibility import log_feasibility
from bayeshpo.inference.posterior import Posterior
from bayeshpo.inference.predictive import CHUNK, ConditionedDraws, Predictive, compile_on_draws
from bayeshpo.surrogates.base import TrainingData
from bayeshpo.surrogates.symbolic import grad, pt


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
    """What an acquisition is evaluated on: draws, their incumbents (S,), finished (n, D) and failed points (k, D)."""

    draws: ConditionedDraws
    incumbent: np.ndarray
    finished: np.ndarray
    failed: np.ndarray

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
    """

    data: TrainingData
    believed_X: np.ndarray
    believed_y: np.ndarray

    @classmethod
    def of(cls, predictive: Predictive, posterior: Posterior, pending: np.ndarray, draws: int) -> Evidence:
        """The trials of a posterior; failed and pending points (p, D) are believed to come out at their mean."""
        data = posterior.data
        points = np.concatenate([data.failed, pending])
        values = predictive.at(posterior, points, draws)[0].mean(axis=0) if len(points) else np.empty(0)
        return cls(data, points, values)


class CompiledAcquisition:
    """An acquisition over a surrogate's predictive, compiled once for all n, draws and candidates.

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
        data = evidence.data
        draws = self.predictive.condition(Q, data.extended(evidence.believed_X, evidence.believed_y))
        incumbent = draws.fitted[:, : len(data.y)].min(axis=1)
        return AcquisitionState(draws, incumbent, *map(np.ascontiguousarray, (data.X, data.failed)))

    def prepare(self) -> Iterator[None]:
        """Compile now what is not compiled yet, a function a step."""
        yield self.predictive.prepare()
        _ = self._utilities
        yield
        _ = self._gradient
        yield

    def value(self, state: AcquisitionState, Z: np.ndarray) -> np.ndarray:
        """Acquisition (m,) at candidates Z (m, D)."""
        utilities = self.log_utilities(state, Z)
        return _log_mean_exp(utilities) + self._feasibility(state, Z)

    def log_utilities(self, state: AcquisitionState, Z: np.ndarray) -> np.ndarray:
        """Log utility (S, m) of every draw at candidates Z (m, D)."""
        return self._utilities(*state.draws.arguments(), np.ascontiguousarray(Z), state.incumbent)[0]

    def value_and_gradient(self, state: AcquisitionState, Z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Acquisition (m,) and its gradient (m, D) at candidates Z (m, D)."""
        value, gradient = self._gradient(
            *state.draws.arguments(), np.ascontiguousarray(Z), state.incumbent, state.finished, state.failed
        )
        return value, gradient

    def over_all_draws(self, Q: np.ndarray, evidence: Evidence, Z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Acquisition (m,) at a few candidates over many draws Q (S, Q) and its standard error (m,), in bounded memory.

        The error is of the log of the mean utility, by the delta method, for draws that are independent but for copies;
        too small where one draw alone has all of the utility.
        """
        # A posterior of weighted draws shows the heavy ones several times.
        Q, copies = np.unique(Q, axis=0, return_counts=True)
        share = (copies / copies.sum())[:, None]
        states = [self.state(Q[i : i + CHUNK], evidence) for i in range(0, len(Q), CHUNK)]
        utilities = np.concatenate([self.log_utilities(s, Z) for s in states])
        shift = utilities.max(axis=0)
        value = shift + np.log((share * np.exp(utilities - shift)).sum(axis=0))
        error = np.sqrt((share**2 * (np.exp(utilities - value) - 1.0) ** 2).sum(axis=0))
        return value + self._feasibility(states[0], Z), error

    def _feasibility(self, state: AcquisitionState, Z: np.ndarray) -> np.ndarray:
        if len(state.failed) == 0:
            return np.zeros(len(Z))
        return log_feasibility(np, Z, state.finished, state.failed)

    @cached_property
    def _symbolic(self) -> tuple[list[Any], Any, Any]:
        inputs, mean, variance = self.predictive.symbolic()
        incumbent = pt.dvector("incumbent")
        utilities = self.acquisition.log_utility(mean, variance, incumbent)
        return [*inputs.variables(), incumbent], inputs, utilities

    @cached_property
    def _utilities(self) -> Any:
        variables, _, utilities = self._symbolic
        return compile_on_draws(self.predictive, "acquisition", variables, [utilities], [np.zeros(2)])

    @cached_property
    def _gradient(self) -> Any:
        variables, inputs, utilities = self._symbolic
        finished, failed = pt.dmatrix("finished"), pt.dmatrix("failed")
        shift = pt.max(utilities, axis=0)
        value = pt.log(pt.mean(pt.exp(utilities - shift), axis=0)) + shift
        value = value + log_feasibility(pt, inputs.Z, finished, failed)
        gradient = grad(pt.sum(value), inputs.Z)
        D = self.predictive.density.columns.dimension
        return compile_on_draws(
            self.predictive, "gradient of the acquisition", [*variables, finished, failed],
            [value, gradient], [np.zeros(2), np.zeros((1, D)), np.zeros((0, D))],
        )  # fmt: skip


@lru_cache(maxsize=32)
def compiled_acquisition(acquisition: Acquisition, predictive: Predictive) -> CompiledAcquisition:
    """An acquisition compiled for a predictive; one a process."""
    return CompiledAcquisition(acquisition, predictive)


def _log_mean_exp(utilities: np.ndarray) -> np.ndarray:
    shift = utilities.max(axis=0)
    return np.log(np.mean(np.exp(utilities - shift), axis=0)) + shift
