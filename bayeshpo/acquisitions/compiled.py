"""A compiled acquisition: its number over weighted posterior draws, with gradient and Monte Carlo error."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from types import SimpleNamespace
from typing import Any

import numpy as np

from bayeshpo.acquisitions.base import Acquisition, Candidates, Known
from bayeshpo.acquisitions.outlook import Evidence, Outlook
from bayeshpo.inference.compilation import compiling
from bayeshpo.inference.joint_objectives import joint_predictive
from bayeshpo.inference.predictive import CHUNK, ConditionedDraws, Predictive
from bayeshpo.inference.stacked_predictive import StackedDraws
from bayeshpo.surrogates.base import TrainingData
from bayeshpo.surrogates.symbolic import COMPILED, function, grad, pt


@dataclass(frozen=True, eq=False)
class AcquisitionState:
    """What an acquisition is evaluated on: draws, what it knows of them, and the evidence."""

    draws: ConditionedDraws | StackedDraws
    known: Known
    evidence: Evidence


class CompiledAcquisition:
    """An acquisition over a surrogate's predictive, compiled once for all n, draws and candidates.

    It is about the f that is normal under a draw (`Surrogate.normal`): formulas are exact for it, and a rising function
    of it under each draw is lowest in the same place.

    Only the formula itself is compiled here, as a function of what the predictive says of the candidates; its
    derivatives by that are handed on to the predictive, which all acquisitions share.

    Parameters
    ----------
    acquisition
        The formula.
    predictive
        Of the surrogate or the mixture.

    Attributes
    ----------
    predictive
        The predictive that it is a function of.
    """

    def __init__(self, acquisition: Acquisition, predictive: Predictive) -> None:
        acquisition.check(predictive.density.surrogate)
        for model in predictive.models:
            acquisition.check_noise(model)
        self.acquisition, self.predictive = acquisition, predictive.normal
        self._joint = joint_predictive(self.predictive, noise=acquisition.noisy)

    def state(self, Q: np.ndarray, evidence: Evidence) -> AcquisitionState:
        """Condition equally weighted draws Q (S, Q) on what is known."""
        return self._state(Q, evidence, evidence.conditions(self.predictive), 0)

    def every(self, state: AcquisitionState, step: int) -> AcquisitionState:
        """With each so manieth draw only."""
        draws, anchored = state.draws.every(step), state.known.anchored
        anchored = None if anchored is None else self._joint.anchored(draws, anchored.anchors[::step])
        return replace(state, draws=draws, known=state.known.every(step, anchored))

    def _state(self, Q: np.ndarray, evidence: Evidence, conditions: TrainingData, part: int) -> AcquisitionState:
        draws = self.predictive.condition(Q, conditions)
        outlook = Outlook(self._joint, draws, evidence, np.random.default_rng([evidence.seed, part]))
        return AcquisitionState(draws, self.acquisition.look(outlook), evidence)

    def prepare(self) -> Iterator[Any]:
        """Compile now what is not compiled yet, a function a step."""
        yield from self.predictive.prepare()
        if self.acquisition.joint:
            yield from self._joint.prepare()
        yield self._values
        yield self._slopes

    def value(self, state: AcquisitionState, Z: np.ndarray) -> np.ndarray:
        """Acquisition (m,) at candidates Z (m, D)."""
        return self._values(*self._inputs(state, Z), state.evidence.log_factor(Z))[0]

    def value_and_gradient(self, state: AcquisitionState, Z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Acquisition (m,) and its gradient (m, D) at candidates Z (m, D)."""
        log_factor, slope = state.evidence.log_factor_with_gradient(Z)
        value, by_factor, *slopes = self._slopes(*self._inputs(state, Z), log_factor)
        if state.known.anchored is None:
            by_draws = self.predictive.pullback(state.draws, Z, *slopes)
        else:
            by_draws = self._joint.pullback(state.known.anchored, Z, *slopes)
        return value, by_draws + by_factor[:, None] * slope

    def under(self, state: AcquisitionState, Z: np.ndarray, weights: np.ndarray) -> np.ndarray:
        """Acquisition (w, m) at candidates Z (m, D) under other weights (w, S) of the draws, each of sum 1."""
        inputs, log_factor = [*self._at(state, Z), *state.known.arrays.values()], state.evidence.log_factor(Z)
        found = []
        for weight in weights:
            # Draws that count for nothing must not set the unit in which the others may be too small for a number.
            counting = weight > 0.0
            share = np.repeat(weight[counting, None], len(Z), axis=1)
            found.append(self._values(*[a[counting] for a in inputs], share, log_factor)[0])
        return np.array(found)

    def of_normals(self, mean: np.ndarray, variance: np.ndarray, state: AcquisitionState, Z: np.ndarray) -> np.ndarray:
        """Acquisition (m,) at candidates Z (m, D) if f were normal there with these moments (S, m), equal in weight.

        Of an acquisition of single points; what is known of the draws, and of the problem, is that of the state.
        """
        weight = np.full(mean.shape[:2], 1.0 / len(mean))
        known = state.known.arrays.values()
        return self._values(mean, variance, *known, weight, state.evidence.log_factor(Z))[0]

    def over_all_draws(
        self, Q: np.ndarray, evidence: Evidence, Z: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Acquisition (m,) at a few candidates over many draws Q (S, Q) and its standard error (m,), in bounded memory.

        Beside them what comes with it: the posterior mean of the f that it is about, at the finished trials and at what
        is believed (n + m,); of several objectives (n + m, K).

        The error is that of the infinitesimal jackknife (Efron 1982, section 6.3), for draws that are independent but
        for copies; too small where one draw alone has all of the utility.
        """
        # A posterior of weighted draws shows the heavy ones several times.
        Q, copies = np.unique(Q, axis=0, return_counts=True)
        conditions = evidence.conditions(self.predictive)
        states = (self._state(Q[i : i + CHUNK], evidence, conditions, i) for i in range(0, len(Q), CHUNK))
        parts = [(*self._at(state, Z), *state.known.arrays.values(), state.draws.fitted) for state in states]
        *inputs, fitted = (np.concatenate(part) for part in zip(*parts, strict=True))
        share = copies / copies.sum()
        value, error = self._values(*inputs, np.tile(share[:, None], (1, len(Z))), evidence.log_factor(Z))
        return value, error, np.tensordot(share, fitted, axes=1)

    def _at(self, state: AcquisitionState, Z: np.ndarray) -> tuple[np.ndarray, ...]:
        """What each draw says of candidates Z (m, D), in the order of `Candidates`."""
        anchored = state.known.anchored
        return self.predictive(state.draws, Z) if anchored is None else self._joint(anchored, Z)

    def _inputs(self, state: AcquisitionState, Z: np.ndarray) -> tuple[np.ndarray, ...]:
        mean, *rest = self._at(state, Z)
        return mean, *rest, *state.known.arrays.values(), np.full(mean.shape[:2], 1.0 / len(mean))

    @cached_property
    def _values(self) -> Any:
        """The acquisition (m,), and its standard error (m,) for independent draws."""
        _, inputs, value = self._formula
        weight = inputs[-2]
        influence = grad(pt.sum(value), weight)
        influence -= pt.sum(weight * influence, axis=0)
        error = pt.sqrt(pt.sum(pt.sqr(weight * influence), axis=0))
        return self._compiled("acquisition", inputs, [value, error])

    @cached_property
    def _slopes(self) -> Any:
        """The acquisition (m,), its derivatives by the log factor (m,), and by what draws say of the candidates."""
        at, inputs, value = self._formula
        slopes = grad(pt.sum(value), [inputs[-1], *at], disconnected_inputs="ignore")
        return self._compiled("gradient of the acquisition", inputs, [value, *slopes])

    @cached_property
    def _formula(self) -> tuple[list[Any], list[Any], Any]:
        """Variables of the candidates, these with all others, weight and log factor last, and the value."""
        several = bool(self.acquisition.objectives)
        at = [pt.tensor(name, dtype="float64", shape=(None,) * (2 + several)) for name in ("mean", "variance")]
        if self.acquisition.joint:
            at.append(pt.tensor("covariance", dtype="float64", shape=(None,) * (3 + several)))
        if self.acquisition.noisy:
            at.append(pt.dmatrix("noise"))
        known = {k: pt.tensor(k, dtype="float64", shape=(None,) * ndim) for k, ndim in self.acquisition.known.items()}
        weight, factor = pt.dmatrix("weight"), pt.dvector("log_factor")
        value = self.acquisition.over_draws(Candidates(*at), SimpleNamespace(**known), weight)
        return at, [*at, *known.values(), weight, factor], self.acquisition.times(value, factor)

    def _compiled(self, what: str, inputs: list[Any], outputs: list[Any]) -> Any:
        with compiling(what):
            compiled = function(inputs, outputs, mode=COMPILED, trust_input=True, on_unused_input="ignore")
            # Two draws of one candidate, one anchor and one of whatever else there is.
            compiled(*(np.full((2, 1, 1, 1)[: v.ndim] if v is not inputs[-1] else (1,), 0.5) for v in inputs))
        return compiled


@lru_cache(maxsize=32)
def compiled_acquisition(acquisition: Acquisition, predictive: Predictive) -> CompiledAcquisition:
    """An acquisition compiled for a predictive; one a process."""
    return CompiledAcquisition(acquisition, predictive)
