"""Predictive of a surrogate under its posterior: the latent function at candidates, for every draw at once.

The graphs are written for one draw, as the surrogate states them, and looped over draws; they are compiled once for all
n, draws and candidates.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache, singledispatch
from typing import Any

import numpy as np
from scipy.special import ndtr

from bayeshpo.errors import SpecificationError
from bayeshpo.inference.density import LogDensity
from bayeshpo.inference.over_draws import OverDraws
from bayeshpo.surrogates.base import Surrogate, TrainingData
from bayeshpo.surrogates.symbolic import grad, pt

# Draws that are conditioned and predicted at a time: bounds the memory of n x n factors.
CHUNK = 128


@dataclass(frozen=True)
class ConditionedDraws:
    """Draws with what their predictive needs.

    Attributes
    ----------
    parameters, state
        Hyperparameters and what is kept of the data for each draw, by name, each (S, ...).
    data
        Training data by name.
    fitted
        Mean of the latent function at the training points under each draw (S, n).
    """

    parameters: Mapping[str, np.ndarray]
    state: Mapping[str, np.ndarray]
    data: Mapping[str, np.ndarray]
    fitted: np.ndarray

    @property
    def states(self) -> list[Mapping[str, np.ndarray]]:
        """What is kept of the data by each part of a model: by the one that there is."""
        return [self.state]

    def every(self, step: int, start: int = 0) -> ConditionedDraws:
        """Each so manieth draw, from one on."""
        parameters = {k: np.ascontiguousarray(v[start::step]) for k, v in self.parameters.items()}
        state = {k: np.ascontiguousarray(v[start::step]) for k, v in self.state.items()}
        return ConditionedDraws(parameters, state, self.data, self.fitted[start::step])


@dataclass(frozen=True)
class Symbols:
    """The variables that a model's predictive is an expression of.

    Attributes
    ----------
    p, state
        Hyperparameters of one draw, and what is kept of the data for it, by name.
    data
        Training data by name.
    Z
        Candidates (m, D).
    """

    p: Mapping[str, Any]
    state: Mapping[str, Any]
    data: Mapping[str, Any]
    Z: Any

    @property
    def own(self) -> list[Any]:
        """What each draw has for itself."""
        return [*self.p.values(), *self.state.values()]


class Predictive(ABC):
    """Mean and variance of the latent function for every draw, whatever a draw is."""

    density: Any
    # The last dimension of means and variances, where they are of several objectives.
    objectives: tuple[int, ...] = ()

    @abstractmethod
    def condition(self, Q: np.ndarray, data: Any) -> Any:
        """Draws Q, as a posterior thins them to, with their state given the data; S of them."""

    @abstractmethod
    def __call__(self, draws: Any, Z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Mean (S, m) and variance (S, m) of the latent function at Z (m, D), in units of the standardised outcome."""

    @abstractmethod
    def pullback(self, draws: Any, Z: np.ndarray, by_mean: np.ndarray, by_variance: np.ndarray) -> np.ndarray:
        """Derivative by Z (m, D) of a function whose derivatives by mean and variance are given, (S, m) each."""

    @abstractmethod
    def members(self, draws: Any) -> list[tuple[ModelPredictive, ConditionedDraws]]:
        """The draws by the model that they are of, in their order: one part, unless there are several models."""

    @abstractmethod
    def prepare(self) -> Iterator[Any]:
        """Compile now what is not compiled yet, a function a step."""

    @property
    @abstractmethod
    def models(self) -> list[ModelPredictive]:
        """Those of all surrogates that draws are of."""

    @cached_property
    def normal(self) -> Predictive:
        """Of the f that is normal under one draw, see `Surrogate.normal`; itself where draws are not of one surrogate.

        Different ones have scales of their own, on which f cannot be averaged, nor be one of several objectives.
        """
        return self

    def of_normal(self, draws: Any, h: np.ndarray) -> np.ndarray:
        """f (S, ...) where that of `normal` is h (S, ...)."""
        return h

    def believing(self, data: Any, X: np.ndarray, y: np.ndarray) -> Any:
        """The trials, and further points (m, D) with what is believed of them (m,), as `Surrogate.believing`."""
        return self.density.surrogate.believing(self.density.columns, data, X, y)

    def in_chunks(self, Q: np.ndarray, data: Any, size: int = CHUNK) -> Iterator[Any]:
        """Draws as `condition` gives them, ``size`` at a time: what is made of each part bounds the memory."""
        return (self.condition(Q[i : i + size], data) for i in range(0, len(Q), size))

    def fitted(self, posterior: Any, most: int = 1024) -> np.ndarray:
        """Posterior mean (n,) at the training points, over up to ``most`` equally weighted draws."""
        Q = posterior.thinned(most)
        return np.concatenate([draws.fitted for draws in self.in_chunks(Q, posterior.data)]).mean(axis=0)

    def at(self, posterior: Any, Z: np.ndarray, most: int = 1024) -> tuple[np.ndarray, np.ndarray]:
        """As calling it, over up to ``most`` equally weighted draws of a posterior, in bounded memory."""
        Q = posterior.thinned(most)
        parts = [self(draws, Z) for draws in self.in_chunks(Q, posterior.data)]
        return np.concatenate([m for m, _ in parts]), np.concatenate([v for _, v in parts])


class ModelPredictive(Predictive):
    """Mean and variance of the latent function for every draw of a surrogate's hyperparameters.

    Parameters
    ----------
    density
        The compiled density that the draws come from.
    surrogate
        Whose f it is of, where that is not the density's own: one with the same hyperparameters.
    """

    def __init__(self, density: LogDensity, surrogate: Surrogate | None = None) -> None:
        self.density, self.surrogate = density, surrogate or density.surrogate
        self._surrogate, self._columns = self.surrogate, density.columns
        p = {b.name: pt.tensor(b.name, dtype="float64", shape=b.shape) for b in density.blocks}
        data = density.data_variables()
        self._conditioned = self._surrogate.condition(self._columns, p, data)
        self._y = pt.dvector("further_y")
        self.symbols = Symbols(p, like(self._conditioned), data, pt.dmatrix("Z"))

    def condition(self, Q: np.ndarray, data: TrainingData) -> ConditionedDraws:
        """Unconstrained draws Q (S, Q) with their state given the data."""
        parameters, named = self.density.constrain(Q), data.named()
        *state, fitted = self._condition(*parameters.values(), *named.values(), entries=data.outcomes**2)
        return ConditionedDraws(parameters, dict(zip(self.symbols.state, state, strict=True)), named, fitted)

    def __call__(self, draws: ConditionedDraws, Z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Mean (S, m) and variance (S, m) of the latent function at Z (m, D), in units of the standardised outcome."""
        Z = np.ascontiguousarray(Z)
        mean, variance = self._predict(*own_arrays(draws), *draws.data.values(), Z, entries=entries(draws, Z))
        return mean, variance

    def pullback(
        self, draws: ConditionedDraws, Z: np.ndarray, by_mean: np.ndarray, by_variance: np.ndarray
    ) -> np.ndarray:
        """Derivative by Z (m, D) of a function whose derivatives by mean and variance are given, (S, m) each."""
        Z, slopes = np.ascontiguousarray(Z), (np.ascontiguousarray(by_mean), np.ascontiguousarray(by_variance))
        (gradient,) = self._pullback(*own_arrays(draws), *slopes, *draws.data.values(), Z, entries=entries(draws, Z))
        return gradient.sum(axis=0)

    def members(self, draws: ConditionedDraws) -> list[tuple[ModelPredictive, ConditionedDraws]]:
        """All of them."""
        return [(self, draws)]

    @property
    def models(self) -> list[ModelPredictive]:
        """Its own."""
        return [self]

    @property
    def says_noise(self) -> bool:
        """Whether the surrogate knows the noise of a further trial."""
        return self._noise_variance is not None

    def noise(self, draws: ConditionedDraws, Z: np.ndarray) -> np.ndarray:
        """Variance (S, m) of the noise of further trials at Z (m, D), of a surrogate that knows it."""
        Z = np.ascontiguousarray(Z)
        return self._noise(*own_arrays(draws), *draws.data.values(), Z, entries=entries(draws, Z))[0]

    @cached_property
    def normal(self) -> ModelPredictive:
        """Of the f that is normal under one draw; see `Surrogate.normal`."""
        own = self._surrogate.normal
        return self if own is self._surrogate else ModelPredictive(self.density, own)

    def of_normal(self, draws: ConditionedDraws, h: np.ndarray) -> np.ndarray:
        """f (S, ...) where that of `normal` is h (S, ...)."""
        return self._surrogate.of_normal(draws.parameters, draws.data, h)

    @property
    def says_outcome(self) -> bool:
        """Whether the surrogate knows how the outcome of a further trial is distributed."""
        try:
            return self._law is not None or self.says_noise
        except SpecificationError:
            return False

    def outcome(
        self, draws: ConditionedDraws, Z: np.ndarray, y: np.ndarray, told: np.ndarray | float = 0.0
    ) -> tuple[np.ndarray, np.ndarray]:
        """Log density (S, m) and distribution function (S, m) of further trials' outcomes y (m,) at Z (m, D).

        Variances ``told`` (m,) of theirs are added to the noise's by a surrogate that is told standard errors.
        """
        Z, y = np.ascontiguousarray(Z), np.ascontiguousarray(y)
        if self._law is not None:
            found = self._outcome(*own_arrays(draws), *draws.data.values(), Z, y, entries=entries(draws, Z))
            return found[0], found[1]
        # A normal one, of what is compiled for proposals.
        mean, variance = self(draws, Z)
        variance = variance + self.noise(draws, Z) + (told if self._surrogate.reads_errors else 0.0)
        z = (y - mean) / np.sqrt(variance)
        return -0.5 * (z**2 + np.log(2.0 * np.pi * variance)), ndtr(z)

    def prepare_outcome(self) -> None:
        """Compile what `outcome` needs, if it is not compiled yet and the surrogate knows it."""
        if self.says_outcome:
            _ = self._noise if self._law is None else self._outcome

    def left_out(self, Q: np.ndarray, data: TrainingData) -> np.ndarray:
        """Log density (S, n) of each outcome given all the others, under unconstrained draws Q (S, Q)."""
        return np.concatenate([self.left_out_of(draws) for draws in self.in_chunks(Q, data)])

    def left_out_of(self, draws: ConditionedDraws) -> np.ndarray:
        """As `left_out`, (S, n), of draws that are conditioned already."""
        size = draws.fitted.shape[1] ** 2
        return self._compiled_left_out(*own_arrays(draws), *draws.data.values(), entries=size)[0]

    def prepare_left_out(self) -> None:
        """Compile what `left_out` needs, if it is not compiled yet."""
        _ = self._compiled_left_out

    def check_left_out(self) -> None:
        """Refuse a surrogate of which no trial can be left out (SpecificationError), without compiling anything."""
        _ = self._left_out

    def prepare(self) -> Iterator[Any]:
        """Compile now what is not compiled yet, a function a step."""
        yield self._condition
        yield self._predict
        yield self._pullback
        yield self.prepare_outcome()

    @cached_property
    def _condition(self) -> OverDraws:
        p, data = self.symbols.p, self.symbols.data
        fitted = self._surrogate.fitted(self._columns, p, self._conditioned, data)
        own, shared = p.values(), data.values()
        outputs = [*self._conditioned.values(), fitted]
        parameters = self.density.constrain(np.zeros((1, self.density.dimension)))
        example = [v[0] for v in parameters.values()], self.density.example.named().values()
        return OverDraws("condition", [*own], [*shared], outputs, [*example[0], *example[1]])

    @cached_property
    def _predict(self) -> OverDraws:
        return self.compiled("predict", [], [self.symbols.Z], list(self.moments), [])

    @cached_property
    def _noise_variance(self) -> Any:
        s = self.symbols
        try:
            return self._surrogate.noise_at(self._columns, s.p, s.state, s.data, s.Z)
        except SpecificationError:
            return None

    @cached_property
    def _noise(self) -> OverDraws:
        return self.compiled("noise", [], [self.symbols.Z], [self._noise_variance], [])

    @cached_property
    def _law(self) -> Any:
        s = self.symbols
        return self._surrogate.outcome_at(self._columns, s.p, s.state, s.data, s.Z, self._y)

    @cached_property
    def _outcome(self) -> OverDraws:
        return self.compiled("outcome", [], [self.symbols.Z, self._y], list(self._law), [])

    @cached_property
    def _left_out(self) -> Any:
        return self._surrogate.leave_one_out(self._columns, self.symbols.p, self.symbols.state, self.symbols.data)

    @cached_property
    def _compiled_left_out(self) -> OverDraws:
        return self.compiled("leave-one-out", [], [], [self._left_out], [])

    @cached_property
    def _pullback(self) -> OverDraws:
        mean, variance = self.moments
        slopes = [pt.dvector("by_mean"), pt.dvector("by_variance")]
        gradient = grad(pt.sum(slopes[0] * mean + slopes[1] * variance), self.symbols.Z)
        return self.compiled(
            "gradient of the predictive", slopes, [self.symbols.Z], [gradient], [np.ones(1), np.ones(1)]
        )

    @cached_property
    def moments(self) -> tuple[Any, Any]:
        """Symbolic mean (m,) and variance (m,) of one draw."""
        s = self.symbols
        return self._surrogate.predict(self._columns, s.p, s.state, s.data, s.Z)

    @cached_property
    def example(self) -> ConditionedDraws:
        """One draw, for calling what is compiled a first time."""
        return self.condition(np.zeros((1, self.density.dimension)), self.density.example)

    def compiled(
        self, what: str, own: list[Any], shared: list[Any], outputs: list[Any], example: list[np.ndarray]
    ) -> OverDraws:
        """Expressions of one conditioned draw, compiled for many.

        Parameters
        ----------
        what
            What is computed, for the log of compilations.
        own, shared
            Symbolic inputs beside a draw's own and the data: one a draw, and for all draws; of the latter only
            candidates and what may come of them.
        outputs
            The expressions.
        example
            Values of ``own`` for one draw and one candidate.
        """
        draw = self.example
        values = [*[v[0] for v in own_arrays(draw)], *example, *draw.data.values()]
        points = [np.zeros((1, self._columns.dimension)[: v.ndim]) for v in shared]
        inputs = [*self.symbols.own, *own], [*self.symbols.data.values(), *shared]
        return OverDraws(what, *inputs, outputs, [*values, *points])


def like(expressions: Mapping[str, Any]) -> dict[str, Any]:
    """Variables of the names, types and dimensions of some expressions."""
    return {k: pt.tensor(k, dtype=v.dtype, shape=(None,) * v.ndim) for k, v in expressions.items()}


def own_arrays(draws: ConditionedDraws) -> list[np.ndarray]:
    """What each draw has for itself, in the order of `Symbols.own`."""
    return [*draws.parameters.values(), *draws.state.values()]


def entries(draws: ConditionedDraws, Z: np.ndarray) -> int:
    """Of matrices that a draw's prediction at Z (m, D) takes."""
    return draws.fitted.shape[1] * (draws.fitted.shape[1] + len(Z))


@lru_cache(maxsize=32)
def predictive(density: LogDensity) -> ModelPredictive:
    """The predictive of a density; one a process, so that it is compiled once."""
    return predictive_of(density)


@singledispatch
def predictive_of(density: LogDensity) -> ModelPredictive:
    """What `predictive` keeps; mixtures register their own kind (`bayeshpo.inference.stacked`)."""
    return ModelPredictive(density)
