"""Covariances between points as nodes: a kernel's loops, and how their gradients hang together."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from pytensor.graph.basic import Apply

from bayeshpo.surrogates.compiled_op import CompiledOp
from bayeshpo.surrogates.symbolic import pt


@dataclass(frozen=True)
class Loops:
    """A kernel's loops over pairs of points, compiled where they are used."""

    gram: Callable[..., Any]
    gram_gradient: Callable[..., Any]
    cross: Callable[..., Any]
    cross_gradient: Callable[..., Any]


class KernelOp(CompiledOp):
    """A loop over pairs of points of the kernel of this name.

    A subclass says which of the ``loops`` by kernel, and its gufunc signature.
    """

    __props__ = ("kernel",)
    loops: Mapping[str, Loops]
    loop: str

    def __init__(self, kernel: str) -> None:
        self.kernel = kernel

    @property
    def implementation(self) -> Callable[..., Any]:
        return getattr(self.loops[self.kernel], self.loop)


class CovarianceOp(KernelOp):
    """(points ..., v) -> v times a function of the points, a matrix; ``gradient`` is the Op of its derivatives."""

    gradient: type[CovarianceGradientOp]

    def make_node(self, *inputs: Any) -> Apply:
        return Apply(self, [pt.as_tensor(x) for x in inputs], [pt.dmatrix()])

    def pullback(self, inputs: Any, outputs: Any, output_gradients: Any) -> list[Any]:
        (K,), (W,) = outputs, output_gradients
        by_points: Any = self.gradient(self.kernel)(*inputs, W, return_list=True)
        return [*by_points, pt.sum(W * K) / inputs[-1]]


class CovarianceGradientOp(KernelOp):
    """(points ..., v, W) -> derivatives of the sum of W times the covariance by all that are points."""

    def make_node(self, *inputs: Any) -> Apply:
        return Apply(self, list(inputs), [pt.dmatrix() for _ in inputs[:-2]])

    def infer_shape(self, node: Apply, shapes: Any) -> list[Any]:
        return list(shapes[:-2])
