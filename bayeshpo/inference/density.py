"""A surrogate's joint log density on the unconstrained scale, compiled once for all n and all populations of draws."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache, singledispatch
from math import prod
from typing import Any

import numpy as np
import pymc
from pymc.pytensorf import join_nonshared_inputs

from bayeshpo.inference.compilation import compiling
from bayeshpo.inference.over_draws import OverDraws
from bayeshpo.inference.refreshment import Marginals
from bayeshpo.surrogates.base import Surrogate, TrainingData
from bayeshpo.surrogates.columns import Columns
from bayeshpo.surrogates.symbolic import COMPILED, UNCOMPILED, clone_replace, function, grad, pm, pt, vectorize_graph

# Draws that tell what the prior's marginals are like.
_PRIOR_DRAWS = 1000


@dataclass(frozen=True)
class Block:
    """Where one hyperparameter sits in the unconstrained vector."""

    name: str
    value_name: str
    start: int
    shape: tuple[int, ...]
    dims: tuple[str, ...]

    @property
    def stop(self) -> int:
        """One past the last coordinate."""
        return self.start + prod(self.shape)


class LogDensity:
    """log p(y, parameters | X) of a surrogate as a function of the unconstrained parameters q (Q,).

    Parameters
    ----------
    surrogate, columns
        The model and the columns of the space that it is built for.

    Attributes
    ----------
    no_data, example
        No trials, and one in the cube's corner, as the surrogate prepares them.
    """

    def __init__(self, surrogate: Surrogate, columns: Columns) -> None:
        D = columns.dimension
        self.surrogate, self.columns = surrogate, columns
        self.pymc_model: pymc.Model = surrogate.model(columns, np.zeros((2, D)), np.zeros(2))
        self.blocks = _layout(self.pymc_model)
        self.dimension = self.blocks[-1].stop
        self.no_data = surrogate.no_data(columns)
        self.example = surrogate.prepared(columns, self.no_data.extended(np.zeros((1, D)), np.zeros(1)))

    @property
    def parts(self) -> tuple[LogDensity, ...]:
        """What engines fit one by one: itself, where a mixture's are its members'."""
        return (self,)

    def joined(self, posteriors: Sequence[Any], previous: Any) -> Any:
        """The posterior made of those of the parts; ``previous`` is the one that they were carried on from, if any."""
        return posteriors[0]

    @cached_property
    def coordinates(self) -> list[str]:
        """A name for each unconstrained coordinate: "noise", "lengthscale[x1]", or a number where there is no name."""
        known = {name: [str(v) for v in values] for name, values in self.pymc_model.coords.items() if values}
        names = []
        for block in self.blocks:
            axes = [known.get(dim) for dim in block.dims] or [None] * len(block.shape)
            for index in np.ndindex(block.shape):
                labels = (str(i) if axis is None else axis[i] for i, axis in zip(index, axes, strict=True))
                names.append(f"{block.name}[{', '.join(labels)}]" if index else block.name)
        return names

    def batch(self, Q: np.ndarray, data: TrainingData) -> np.ndarray:
        """Log densities (S,) of a population Q (S, Q) given the data: one compiled call a core."""
        Q = np.ascontiguousarray(Q, dtype=np.float64)
        return self._population(Q, *self._arrays(data), entries=data.outcomes**2)[0]

    def batch_with_gradient(self, Q: np.ndarray, data: TrainingData) -> tuple[np.ndarray, np.ndarray]:
        """Log densities (S,) of a population Q (S, Q) and their gradients (S, Q)."""
        Q = np.ascontiguousarray(Q, dtype=np.float64)
        value, slope = self._gradient(Q, *self._arrays(data), entries=data.outcomes**2)
        return value, slope

    def value_and_gradient(self, data: TrainingData) -> Callable[[np.ndarray], tuple[float, np.ndarray]]:
        """The log density and its gradient (Q,) as a function of q (Q,), given the data."""
        gradient, arrays = self._gradient, self._arrays(data)

        def target(q: np.ndarray) -> tuple[float, np.ndarray]:
            value, slope = gradient(q[None], *arrays)
            return float(value[0]), slope[0]

        return target

    def prepare(self) -> None:
        """Compile the log density now, if it is not compiled yet."""
        _ = self._population

    def prepare_gradient(self) -> None:
        """Compile the gradient now, if it is not compiled yet."""
        _ = self._gradient

    def constrain(self, Q: np.ndarray) -> dict[str, np.ndarray]:
        """Hyperparameters on their own scale, each (S, ...), of unconstrained draws Q (S, Q)."""
        values = self._constrain(np.ascontiguousarray(Q))
        return {b.name: np.asarray(v) for b, v in zip(self.blocks, values, strict=True)}

    def unconstrain(self, values: Mapping[str, np.ndarray]) -> np.ndarray:
        """The inverse of `constrain`: unconstrained draws (S, Q)."""
        parts = self._unconstrain(*[np.ascontiguousarray(values[b.name]) for b in self.blocks])
        return np.concatenate([np.asarray(p).reshape(len(p), -1) for p in parts], axis=1)

    def log_prior(self, Q: np.ndarray) -> dict[str, np.ndarray]:
        """Log prior densities of each hyperparameter's entries, (S, ...), of unconstrained draws Q (S, Q).

        On the unconstrained scale, as the density itself: over all hyperparameters they add up to that without trials.
        One whose entries have a density together has (S,).
        """
        values = self._log_prior(np.ascontiguousarray(Q))
        return {b.name: np.asarray(v) for b, v in zip(self.blocks, values, strict=True)}

    def prior_draws(self, n: int, rng: np.random.Generator) -> np.ndarray:
        """Exact, independent draws (n, Q) from the prior."""
        model: Any = self.pymc_model
        drawn = pm.draw(model.free_RVs, draws=n, random_seed=rng, mode=UNCOMPILED)
        # PyMC leaves out the axis of one draw.
        return self.unconstrain(
            {b.name: np.reshape(values, (n, *b.shape)) for b, values in zip(self.blocks, drawn, strict=True)}
        )

    @cached_property
    def prior_sample(self) -> np.ndarray:
        """Draws (1000, Q) from the prior, the same each time."""
        return self.prior_draws(_PRIOR_DRAWS, np.random.default_rng(0))

    @cached_property
    def marginals(self) -> Marginals:
        """About the prior of each unconstrained coordinate by itself."""
        return Marginals.of(self.prior_sample)

    def data_variables(self) -> dict[str, Any]:
        """Symbolic X, y and the arrays that the surrogate computes from them, by name."""
        named = self.example.named()
        return {name: pt.tensor(name, dtype="float64", shape=(None,) * a.ndim) for name, a in named.items()}

    def _arrays(self, data: TrainingData) -> tuple[np.ndarray, ...]:
        named, expected = data.named(), self.example.named()
        if named.keys() != expected.keys():
            raise ValueError(
                f"surrogate '{self.surrogate.name}': expected data with {list(expected)}, got {list(named)}; "
                "pass them through surrogate.prepared(columns, data)"
            )
        return tuple(named[name] for name in expected)

    @cached_property
    def _graph(self) -> tuple[Any, Any, list[Any]]:
        """Log density, q and the data as explicit variables."""
        model: Any = self.pymc_model
        [logp], q = join_nonshared_inputs(model.initial_point(), [model.logp()], model.value_vars)
        data = self.data_variables()
        [logp] = clone_replace([logp], {model[name]: variable for name, variable in data.items()})
        return logp, q, list(data.values())

    @cached_property
    def _population(self) -> OverDraws:
        logp, q, data = self._graph
        example = (np.zeros(self.dimension), *self._arrays(self.example))
        return OverDraws("log density", [q], data, [logp], example)

    @cached_property
    def _gradient(self) -> OverDraws:
        logp, q, data = self._graph
        example = (np.zeros(self.dimension), *self._arrays(self.example))
        return OverDraws("gradient of the log density", [q], data, [logp, grad(logp, q)], example)

    @cached_property
    def log_jacobian(self) -> Callable[[np.ndarray], tuple[float, np.ndarray]]:
        """Log volume change from q (Q,) to the constrained parameters, and its gradient (Q,), as a function of q."""
        model: Any = self.pymc_model
        free = model.free_RVs
        volume = model.logp(vars=free, jacobian=True) - model.logp(vars=free, jacobian=False)
        [volume], q = join_nonshared_inputs(model.initial_point(), [volume], model.value_vars)
        with compiling("log Jacobian"):
            core = function([q], [volume, grad(volume, q)], mode=COMPILED, trust_input=True)

            def log_jacobian(q):
                value, slope = core(q)
                return float(value), slope

            log_jacobian(np.zeros(self.dimension))
        return log_jacobian

    @cached_property
    def _constrain(self) -> Any:
        model: Any = self.pymc_model
        return self._over_values(model.replace_rvs_by_values(model.free_RVs))

    @cached_property
    def _log_prior(self) -> Any:
        model: Any = self.pymc_model
        return self._over_values(model.logp(vars=model.free_RVs, jacobian=True, sum=False))

    def _over_values(self, of_values: Sequence[Any]) -> Any:
        """Functions of the model's values as one of a population Q (S, Q)."""
        model: Any = self.pymc_model
        q = pt.dvector("q")
        values = {}
        for block, value in zip(self.blocks, model.value_vars, strict=True):
            values[value] = q[block.start : block.stop].reshape(block.shape)
        outputs = clone_replace(list(of_values), values)
        Q = pt.dmatrix("Q")
        return function([Q], vectorize_graph(outputs, {q: Q}), mode=UNCOMPILED, trust_input=True)

    @cached_property
    def _unconstrain(self) -> Any:
        model: Any = self.pymc_model
        inputs, batched, outputs = [], [], []
        for rv, block in zip(model.free_RVs, self.blocks, strict=True):
            value = pt.tensor(f"{block.name}_value", dtype="float64", shape=block.shape)
            transform = model.rvs_to_transforms[rv]
            outputs.append(value if transform is None else transform.forward(value, *rv.owner.inputs))
            inputs.append(value)
            batched.append(pt.tensor(f"{block.name}_values", dtype="float64", shape=(None, *block.shape)))
        outputs = vectorize_graph(outputs, dict(zip(inputs, batched, strict=True)))
        return function(batched, outputs, mode=UNCOMPILED)


@lru_cache(maxsize=32)
def log_density(surrogate: Surrogate, columns: Columns) -> LogDensity:
    """The density of a surrogate on a space's columns; one a process, so that it is compiled once."""
    return density_of(surrogate, columns)


@singledispatch
def density_of(surrogate: Surrogate, columns: Columns) -> LogDensity:
    """What `log_density` keeps; mixtures register their own kind (`bayeshpo.inference.stacked`)."""
    return LogDensity(surrogate, columns)


def _layout(model: pymc.Model) -> list[Block]:
    start, blocks = 0, []
    initial = model.initial_point()
    for rv in model.free_RVs:
        value_name = str(model.rvs_to_values[rv].name)
        shape = np.shape(initial[value_name])
        dims = tuple(str(d) for d in model.named_vars_to_dims.get(rv.name, ()))
        blocks.append(Block(str(rv.name), value_name, start, shape, dims))
        start = blocks[-1].stop
    return blocks
