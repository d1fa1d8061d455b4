"""PyTensor nodes whose implementation is one numba function: few nodes in a graph, quick to compile, quick to run."""

from __future__ import annotations

import inspect
import sys
import zlib
from collections.abc import Callable
from functools import cache
from typing import Any

import numba
import numpy as np
from numba.core.dispatcher import Dispatcher
from pytensor.graph.basic import Apply

from bayeshpo.surrogates.symbolic import Op, numba_njit, pt, register_compiled


class CompiledOp(Op):
    """An Op with a plain Python implementation that numba can compile.

    A subclass names its ``implementation`` (arrays in, one array or a tuple of arrays out) and its gufunc signature.
    """

    __props__ = ()
    implementation: Any

    def perform(self, node: Apply, inputs: Any, output_storage: Any) -> None:
        """Run from Python; only graphs that are evaluated once come here."""
        results = _callable_from_python(self.implementation)(*inputs)
        results = results if isinstance(results, tuple) else (results,)
        for storage, result in zip(output_storage, results, strict=True):
            storage[0] = np.asarray(result)


class LogDensityOp(CompiledOp):
    """Arrays to a log density; ``gradient`` is the Op of its derivatives by the first of them, the rest have none."""

    gradient: type[CompiledOp]

    def make_node(self, *inputs: Any) -> Apply:
        return Apply(self, [pt.as_tensor(x) for x in inputs], [pt.dscalar()])

    def infer_shape(self, node: Apply, shapes: Any) -> list[tuple[()]]:
        return [()]

    def pullback(self, inputs: Any, outputs: Any, output_gradients: Any) -> list[Any]:
        (g,) = output_gradients
        slopes: Any = self.gradient()(*inputs, return_list=True)
        return [*(g * d for d in slopes), *(pt.zeros_like(x) for x in inputs[len(slopes) :])]


@cache
def _callable_from_python(implementation: Callable[..., Any]) -> Callable[..., Any]:
    return numba.njit(implementation)


@register_compiled(CompiledOp)
def _compiled(op: CompiledOp, node: Any, **_: Any) -> tuple[Any, int]:
    return numba_njit(op.implementation), _source_version(type(op).__module__)


@cache
def _source_version(module: str) -> int:
    """A checksum of the code behind an Op: PyTensor keeps compiled code on disk and must notice when it changes."""
    called = {f.__module__ for f in vars(sys.modules[module]).values() if isinstance(f, Dispatcher)}
    sources = (inspect.getsource(sys.modules[m]) for m in sorted({module} | called))
    return zlib.crc32("".join(sources).encode())
