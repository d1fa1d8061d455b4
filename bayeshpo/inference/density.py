"""A surrogate's joint log density on the unconstrained scale, compiled once for all n and all populations of draws."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property, lru_cache
from math import prod
from typing import Any

import numba
import numpy as np
import pymc
from pymc.pytensorf import join_nonshared_inputs

from bayeshpo.inference.compilation import compiling
from bayeshpo.parallel import available_cores
from bayeshpo.surrogates.base import Columns, Surrogate
from bayeshpo.surrogates.symbolic import Mode, clone_replace, function, get_mode, grad, pm, pt, vectorize_graph

# Below this many matrix entries a second thread costs more than it saves.
_WORTH_A_THREAD = 50_000


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
    """

    def __init__(self, surrogate: Surrogate, columns: Columns) -> None:
        D = columns.dimension
        self.surrogate, self.columns = surrogate, columns
        self.pymc_model: pymc.Model = surrogate.model(columns, np.zeros((2, D)), np.zeros(2))
        self.blocks = _layout(self.pymc_model)
        self.dimension = self.blocks[-1].stop
        self.pool = ThreadPoolExecutor(available_cores())
        self._no_data = (np.zeros((1, D)), np.zeros(1))

    def batch(self, Q: np.ndarray, X: np.ndarray, y: np.ndarray) -> np.ndarray:
        """Log densities (S,) of a population Q (S, Q): one compiled call a core."""
        Q, X, y = _contiguous(Q, X, y)
        population, out = self._population, np.empty(len(Q))
        parts = available_cores() if len(Q) * len(y) ** 2 > _WORTH_A_THREAD else 1
        edges = np.linspace(0, len(Q), parts + 1).astype(int)
        jobs = [(Q[a:b], X, y, out[a:b]) for a, b in itertools.pairwise(edges)]
        if parts == 1:
            population(*jobs[0])
        else:
            list(self.pool.map(lambda job: population(*job), jobs))
        return out

    def value_and_gradient(self, X: np.ndarray, y: np.ndarray) -> Callable[[np.ndarray], tuple[float, np.ndarray]]:
        """The log density and its gradient (Q,) as a function of q (Q,), given the data."""
        gradient, (X, y) = self._gradient, _contiguous(X, y)
        return lambda q: gradient(q, X, y)

    def prepare(self) -> None:
        """Compile the log density now, if it is not compiled yet."""
        _ = self._population

    def constrain(self, Q: np.ndarray) -> dict[str, np.ndarray]:
        """Hyperparameters on their own scale, each (S, ...), of unconstrained draws Q (S, Q)."""
        values = self._constrain(np.ascontiguousarray(Q))
        return {b.name: np.asarray(v) for b, v in zip(self.blocks, values, strict=True)}

    def unconstrain(self, values: Mapping[str, np.ndarray]) -> np.ndarray:
        """The inverse of `constrain`: unconstrained draws (S, Q)."""
        parts = self._unconstrain(*[np.ascontiguousarray(values[b.name]) for b in self.blocks])
        return np.concatenate([np.asarray(p).reshape(len(p), -1) for p in parts], axis=1)

    def prior_draws(self, n: int, rng: np.random.Generator) -> np.ndarray:
        """Exact, independent draws (n, Q) from the prior."""
        model: Any = self.pymc_model
        drawn = pm.draw(model.free_RVs, draws=n, random_seed=rng, mode=_PYTHON)
        return self.unconstrain({rv.name: np.asarray(v) for rv, v in zip(model.free_RVs, drawn, strict=True)})

    @cached_property
    def _graph(self) -> tuple[Any, Any, Any, Any]:
        """Log density, q, X and y as explicit variables."""
        model: Any = self.pymc_model
        [logp], q = join_nonshared_inputs(model.initial_point(), [model.logp()], model.value_vars)
        X, y = pt.dmatrix("X"), pt.dvector("y")
        [logp] = clone_replace([logp], {model["X"]: X, model["y"]: y})
        return logp, q, X, y

    @cached_property
    def _population(self) -> Any:
        logp, q, X, y = self._graph
        with compiling("log density"):
            # A surrogate need not use X: a bare posterior is one too.
            core = function([q, X, y], logp, mode=_NUMBA, trust_input=True, on_unused_input="ignore").vm.jit_fn

            # Draw by draw, so that one draw's covariance stays in the cache; without the interpreter's lock, so that
            # threads share the population.
            @numba.njit(nogil=True)
            def population(Q, X, y, out):
                for s in range(Q.shape[0]):
                    out[s] = core(Q[s], X, y)[0].item()

            population(np.zeros((1, self.dimension)), *self._no_data, np.empty(1))
        return population

    @cached_property
    def _gradient(self) -> Any:
        logp, q, X, y = self._graph
        with compiling("gradient of the log density"):
            outputs = [logp, grad(logp, q)]
            core = function([q, X, y], outputs, mode=_NUMBA, trust_input=True, on_unused_input="ignore").vm.jit_fn

            @numba.njit(nogil=True)
            def gradient(q, X, y):
                value, slope = core(q, X, y)
                return value.item(), slope

            gradient(np.zeros(self.dimension), *self._no_data)
        return gradient

    @cached_property
    def log_jacobian(self) -> Callable[[np.ndarray], tuple[float, np.ndarray]]:
        """Log volume change from q (Q,) to the constrained parameters, and its gradient (Q,), as a function of q."""
        model: Any = self.pymc_model
        free = model.free_RVs
        volume = model.logp(vars=free, jacobian=True) - model.logp(vars=free, jacobian=False)
        [volume], q = join_nonshared_inputs(model.initial_point(), [volume], model.value_vars)
        with compiling("log Jacobian"):
            core = function([q], [volume, grad(volume, q)], mode=_NUMBA, trust_input=True)

            def log_jacobian(q):
                value, slope = core(q)
                return float(value), slope

            log_jacobian(np.zeros(self.dimension))
        return log_jacobian

    @cached_property
    def _constrain(self) -> Any:
        model: Any = self.pymc_model
        q = pt.dvector("q")
        values = {}
        for block, value in zip(self.blocks, model.value_vars, strict=True):
            values[value] = q[block.start : block.stop].reshape(block.shape)
        free = model.replace_rvs_by_values(model.free_RVs)
        outputs = clone_replace(list(free), values)
        Q = pt.dmatrix("Q")
        return function([Q], vectorize_graph(outputs, {q: Q}), mode=_PYTHON, trust_input=True)

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
        return function(batched, outputs, mode=_PYTHON)


@lru_cache(maxsize=32)
def log_density(surrogate: Surrogate, columns: Columns) -> LogDensity:
    """The density of a surrogate on a space's columns; one a process, so that it is compiled once."""
    return LogDensity(surrogate, columns)


# For graphs that run once a fit on whole arrays: compiling them would cost more than they ever do.
_PYTHON = Mode(linker="py", optimizer="fast_compile")
# As `pymc.compile` does: parameters outside a distribution's domain give a log density of -inf, not an exception.
_NUMBA = get_mode("NUMBA").including("local_check_parameter_to_ninf_switch")


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


def _contiguous(*arrays: np.ndarray) -> list[np.ndarray]:
    return [np.ascontiguousarray(a, dtype=np.float64) for a in arrays]
