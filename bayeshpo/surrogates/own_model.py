"""Any PyMC model as a surrogate: a function that builds it, with data "X" and "y" and a latent function "f".

The model is written once; its "f" at other points is the same expression with them in place of X.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import pymc
from pymc.model.transform.optimization import freeze_dims_and_data

from bayeshpo.errors import SpecificationError
from bayeshpo.surrogates.base import Parameters, Surrogate
from bayeshpo.surrogates.columns import Columns
from bayeshpo.surrogates.outcome import drawn, observed_at
from bayeshpo.surrogates.parametric import known
from bayeshpo.surrogates.symbolic import UNCOMPILED, ancestors, clone_replace, function

Build = Callable[[np.ndarray, np.ndarray, Columns], Any]


@dataclass(frozen=True)
class ModelSurrogate(Surrogate):
    """What `Surrogate.from_model` makes.

    Parameters
    ----------
    build
        ``build(X, y, columns) -> pymc.Model``.
    name
        How reports and records call it.
    """

    build: Build
    name: str  # pyright: ignore[reportIncompatibleVariableOverride]
    determined = True

    def check(self, columns: Columns) -> None:
        """Refuse a model that cannot serve as a surrogate on these columns.

        Raises
        ------
        SpecificationError
            Saying what is missing or wrong: no model, no data X or y, no f, an f of another length, an f that ignores
            X, hyperparameters that are discrete or whose number depends on the trials, no observed outcome.
        """
        two, three = (self._built(columns, *_trials(columns, n)) for n in (2, 3))
        f = two["f"]
        if f in two.free_RVs:
            raise self._error(
                "expected 'f' to follow from hyperparameters and X, as pm.Deterministic('f', ...), got a random "
                "variable with a value of its own at every trial; a process is a GaussianProcessSurrogate"
            )
        for n, model in ((2, two), (3, three)):
            shape = _value(model["f"]).shape
            if shape != (n,):
                raise self._error(f"expected 'f' of shape ({n},) for {n} trials, got {shape}")
        if two["X"] not in set(ancestors([f])):
            raise self._error("expected 'f' to depend on X, got a model that ignores it")
        discrete = [str(rv.name) for rv in two.free_RVs if not rv.dtype.startswith("float")]
        if discrete:
            raise self._error(f"expected continuous hyperparameters, got discrete ones: {', '.join(discrete)}")
        sizes = [{k: np.shape(v) for k, v in model.initial_point().items()} for model in (two, three)]
        grown = sorted(k for k in sizes[0] if sizes[0][k] != sizes[1].get(k))
        if grown:
            raise self._error(
                f"expected as many hyperparameters for any number of trials, got more of {', '.join(grown)}"
            )
        if not two.observed_RVs and not two.potentials:
            raise self._error("expected an observed variable, as pm.Normal('outcome', f, noise, observed=y), got none")

    def model(self, columns: Columns, X: np.ndarray, y: np.ndarray) -> pymc.Model:
        """The user's model, checked: who asks and tells by hand comes here first."""
        self.check(columns)
        return self._built(columns, X, y)

    def condition(self, columns: Columns, p: Parameters, data: Mapping[str, Any]) -> dict[str, Any]:
        """Nothing: the hyperparameters say all."""
        return {}

    def predict(
        self, columns: Columns, p: Parameters, state: Parameters, data: Mapping[str, Any], Z: Any
    ) -> tuple[Any, Any]:
        """The model's "f" with Z in place of X, and the nugget for a variance."""
        model = _template(self, columns)
        replacements = {rv: p[rv.name] for rv in model.free_RVs} | {model["X"]: Z, model["y"]: data["y"]}
        [f] = clone_replace([model["f"]], replacements)
        return known(f)

    def outcome_at(
        self, columns: Columns, p: Parameters, state: Parameters, data: Mapping[str, Any], Z: Any, y: Any
    ) -> tuple[Any, Any]:
        """Of what the model observes."""
        return observed_at(self.name, _template(self, columns), p, Z, y)

    def outcomes(
        self,
        columns: Columns,
        p: Mapping[str, np.ndarray],
        data: Mapping[str, np.ndarray],
        X: np.ndarray,
        f: np.ndarray,
        noise: np.ndarray | None,
        rng: np.random.Generator,
    ) -> np.ndarray:
        """What the model observes, drawn."""
        return drawn(self.name, _template(self, columns), p, X, rng)

    def _built(self, columns: Columns, X: np.ndarray, y: np.ndarray) -> Any:
        try:
            model = self.build(X, y, columns)
        except Exception as error:
            raise self._error(f"building the model raised {type(error).__name__}: {error}") from error
        if not isinstance(model, pymc.Model):
            raise self._error(f"expected a pymc.Model, got {type(model).__name__}; does the function return it?")
        for variable, example in (
            ("X", "pm.Data('X', X)"),
            ("y", "pm.Data('y', y)"),
            ("f", "pm.Deterministic('f', ...)"),
        ):
            if variable not in model.named_vars:
                raise self._error(f"expected a variable '{variable}', {example}, got {sorted(model.named_vars)}")
        # What is no input of a surrogate is a constant: lengths of dimensions, and other data.
        return freeze_dims_and_data(model, data=[v.name for v in model.data_vars if v.name not in ("X", "y")])

    def _error(self, message: str) -> SpecificationError:
        return SpecificationError(f"surrogate '{self.name}': {message}")


@lru_cache(maxsize=32)
def _template(surrogate: ModelSurrogate, columns: Columns) -> Any:
    return surrogate._built(columns, *_trials(columns, 2))


def _trials(columns: Columns, n: int) -> tuple[np.ndarray, np.ndarray]:
    return np.random.default_rng(0).random((n, columns.dimension)), np.zeros(n)


def _value(variable: Any) -> np.ndarray:
    return np.asarray(function([], variable, mode=UNCOMPILED, on_unused_input="ignore")())
