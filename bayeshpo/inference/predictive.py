"""Predictive of a surrogate under its posterior: the latent function at candidates, for every draw at once.

The graphs are written for one draw, as the surrogate states them, and vectorised over draws; they are compiled once
for all n, draws and candidates.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

import numpy as np

from bayeshpo.inference.compilation import compiling
from bayeshpo.inference.density import LogDensity
from bayeshpo.inference.posterior import Posterior
from bayeshpo.surrogates.base import TrainingData
from bayeshpo.surrogates.symbolic import function as compile_function
from bayeshpo.surrogates.symbolic import pt, vectorize_graph

# Draws that are conditioned and predicted at a time: bounds the memory of n x n factors.
CHUNK = 128


@dataclass(frozen=True)
class Inputs:
    """Symbolic inputs of a predictive: hyperparameters and state of each draw, training data, candidates."""

    parameters: dict[str, Any]
    state: dict[str, Any]
    data: dict[str, Any]
    Z: Any

    def variables(self) -> list[Any]:
        """In the order in which compiled functions take them."""
        return [*self.parameters.values(), *self.state.values(), *self.data.values(), self.Z]


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

    def arguments(self) -> list[np.ndarray]:
        """In the order of `Inputs.variables`, candidates left out."""
        return [*self.parameters.values(), *self.state.values(), *self.data.values()]

    def every(self, step: int) -> ConditionedDraws:
        """Each so manieth draw."""
        parameters = {k: np.ascontiguousarray(v[::step]) for k, v in self.parameters.items()}
        state = {k: np.ascontiguousarray(v[::step]) for k, v in self.state.items()}
        return ConditionedDraws(parameters, state, self.data, self.fitted[::step])


class Predictive:
    """Mean and variance of the latent function for every draw.

    Parameters
    ----------
    density
        The compiled density that the draws come from.
    """

    def __init__(self, density: LogDensity) -> None:
        self.density = density
        self._surrogate, self._columns = density.surrogate, density.columns

    def prepare(self) -> None:
        """Compile what conditions draws on data now, if it is not compiled yet."""
        _ = self._condition

    def symbolic(self) -> tuple[Inputs, Any, Any]:
        """Inputs with a leading draw dimension, and the mean (S, m) and variance (S, m) at candidates."""
        p = self._single_draw()
        data, Z = self.density.data_variables(), pt.dmatrix("Z")
        template = self._surrogate.condition(self._columns, p, data)
        state = {k: pt.tensor(k, dtype=v.dtype, shape=(None,) * v.ndim) for k, v in template.items()}
        mean, variance = self._surrogate.predict(self._columns, p, state, data, Z)
        batched_p, batched_state = _batched(p), _batched(state)
        replace = {p[k]: batched_p[k] for k in p} | {state[k]: batched_state[k] for k in state}
        mean, variance = vectorize_graph([mean, variance], replace)
        return Inputs(batched_p, batched_state, data, Z), mean, variance

    def condition(self, Q: np.ndarray, data: TrainingData) -> ConditionedDraws:
        """Unconstrained draws Q (S, Q) with their state given the data."""
        parameters, named = self.density.constrain(Q), data.named()
        *state, fitted = self._condition(*parameters.values(), *named.values())
        return ConditionedDraws(parameters, dict(zip(self._state_names, state, strict=True)), named, fitted)

    def __call__(self, conditioned: ConditionedDraws, Z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Mean (S, m) and variance (S, m) of the latent function at Z (m, D), in units of the standardised outcome."""
        mean, variance = self._predict(*conditioned.arguments(), np.ascontiguousarray(Z))
        return mean, variance

    def at(self, posterior: Posterior, Z: np.ndarray, most: int = 1024) -> tuple[np.ndarray, np.ndarray]:
        """As calling it, over up to ``most`` equally weighted draws of a posterior, in bounded memory."""
        Q = posterior.thinned(most)
        parts = [self(self.condition(Q[i : i + CHUNK], posterior.data), Z) for i in range(0, len(Q), CHUNK)]
        return np.concatenate([m for m, _ in parts]), np.concatenate([v for _, v in parts])

    def _single_draw(self) -> dict[str, Any]:
        return {b.name: pt.tensor(b.name, dtype="float64", shape=b.shape) for b in self.density.blocks}

    @cached_property
    def _state_names(self) -> list[str]:
        return list(self._surrogate.condition(self._columns, self._single_draw(), self.density.data_variables()))

    @cached_property
    def _condition(self) -> Any:
        p, data = self._single_draw(), self.density.data_variables()
        state = self._surrogate.condition(self._columns, p, data)
        fitted = self._surrogate.fitted(self._columns, p, state, data)
        batched = _batched(p)
        outputs = vectorize_graph([*state.values(), fitted], {p[k]: batched[k] for k in p})
        with compiling("condition"):
            variables = [*batched.values(), *data.values()]
            function = compile_function(variables, outputs, mode="NUMBA", trust_input=True, on_unused_input="ignore")
            draw = self.density.constrain(np.zeros((1, self.density.dimension)))
            function(*draw.values(), *self.density.example.named().values())
        return function

    @cached_property
    def _predict(self) -> Any:
        inputs, mean, variance = self.symbolic()
        return compile_on_draws(self, "predict", inputs.variables(), [mean, variance], [])


def compile_on_draws(
    predictive: Predictive, what: str, variables: list[Any], outputs: list[Any], extra: list[Any]
) -> Any:
    """Compile a function of conditioned draws, candidates and ``extra`` arrays, and call it once on example values.

    ``variables`` are all symbolic inputs, the last ``len(extra)`` of which stand for the extra arrays.
    """
    density = predictive.density
    D = density.columns.dimension
    example = predictive.condition(np.zeros((2, density.dimension)), density.example)
    with compiling(what):
        function = compile_function(variables, outputs, mode="NUMBA", trust_input=True, on_unused_input="ignore")
        function(*example.arguments(), np.zeros((1, D)), *extra)
    return function


@lru_cache(maxsize=32)
def predictive(density: LogDensity) -> Predictive:
    """The predictive of a density; one a process, so that it is compiled once."""
    return Predictive(density)


def _batched(variables: Mapping[str, Any]) -> dict[str, Any]:
    return {k: pt.tensor(f"{k}_draws", dtype=v.dtype, shape=(None, *v.type.shape)) for k, v in variables.items()}
