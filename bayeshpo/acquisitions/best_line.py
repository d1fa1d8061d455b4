"""How much lower than the lowest of some numbers the lowest of as many lines is on average, as a compiled node.

min_i a_i - E[min_i (a_i + b_i t)], t ~ N(0, 1), from the lines that are lowest somewhere (Frazier, Powell and Dayanik
2009, algorithm 1): sorted by slope, with c_i where one takes over from the next,

    sum_i (b_i+1 - b_i) h(-|c_i|),  h(z) = phi(z) + z Phi(z),

in which nothing cancels.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from pytensor.graph.basic import Apply

from bayeshpo.surrogates.compiled_op import CompiledOp
from bayeshpo.surrogates.symbolic import numba_njit, pt

_ROOT_TWO = math.sqrt(2.0)
_ROOT_TWO_PI = math.sqrt(2.0 * math.pi)


def lower_by(a: Any, b: Any) -> Any:
    """The expectation (S, m) of lines of levels a and slopes b (S, m, k)."""
    return LowerBy()(a, b)


@numba_njit
def _lowest(a, b, order, kept, at):
    """Lines that are lowest somewhere, from t = -infinity on, in ``kept``, and where each begins; how many there are.

    From steep to flat and down: the steepest rising line is lowest at the far left.
    """
    k = a.shape[0]
    for i in range(k):
        j = i
        while j > 0 and (b[order[j - 1]] < b[i] or (b[order[j - 1]] == b[i] and a[order[j - 1]] > a[i])):
            order[j] = order[j - 1]
            j -= 1
        order[j] = i
    count = 0
    for n in range(k):
        i = order[n]
        if count > 0 and b[i] == b[kept[count - 1]]:
            continue
        begin = -np.inf
        while count > 0:
            last = kept[count - 1]
            begin = (a[i] - a[last]) / (b[last] - b[i])
            if begin > at[count - 1]:
                break
            count -= 1
            begin = -np.inf
        kept[count], at[count] = i, begin
        count += 1
    return count


def _value(a, b):
    S, m, k = a.shape
    found = np.zeros((S, m))
    order, kept, at = np.empty(k, np.int64), np.empty(k, np.int64), np.empty(k)
    for s in range(S):
        for c in range(m):
            count = _lowest(a[s, c], b[s, c], order, kept, at)
            for n in range(1, count):
                z = -abs(at[n])
                h = math.exp(-0.5 * z * z) / _ROOT_TWO_PI + z * 0.5 * math.erfc(-z / _ROOT_TWO)
                found[s, c] += (b[s, c, kept[n - 1]] - b[s, c, kept[n]]) * max(h, 0.0)
    return found


def _gradient(a, b):
    S, m, k = a.shape
    by_a, by_b = np.zeros((S, m, k)), np.zeros((S, m, k))
    order, kept, at = np.empty(k, np.int64), np.empty(k, np.int64), np.empty(k)
    for s in range(S):
        for c in range(m):
            count = _lowest(a[s, c], b[s, c], order, kept, at)
            for n in range(count):
                end = at[n + 1] if n + 1 < count else np.inf
                i = kept[n]
                # Minus the probability of being lowest, and minus the mean of t there.
                by_a[s, c, i] -= 0.5 * (math.erfc(at[n] / _ROOT_TWO) - math.erfc(end / _ROOT_TWO))
                by_b[s, c, i] -= (math.exp(-0.5 * at[n] ** 2) - math.exp(-0.5 * end**2)) / _ROOT_TWO_PI
            by_a[s, c, np.argmin(a[s, c])] += 1.0
    return by_a, by_b


class LowerByGradient(CompiledOp):
    """(a (S, m, k), b (S, m, k)) -> derivatives of the sum over all by both."""

    gufunc_signature = "(s,m,k),(s,m,k)->(s,m,k),(s,m,k)"
    implementation = staticmethod(_gradient)

    def make_node(self, *inputs: Any) -> Apply:
        return Apply(self, list(inputs), [pt.dtensor3(), pt.dtensor3()])

    def infer_shape(self, node: Apply, shapes: Any) -> list[Any]:
        return list(shapes)


class LowerBy(CompiledOp):
    """(a (S, m, k), b (S, m, k)) -> the expectation (S, m)."""

    gufunc_signature = "(s,m,k),(s,m,k)->(s,m)"
    implementation = staticmethod(_value)

    def make_node(self, *inputs: Any) -> Apply:
        return Apply(self, [pt.as_tensor(x) for x in inputs], [pt.dmatrix()])

    def infer_shape(self, node: Apply, shapes: Any) -> list[Any]:
        return [shapes[0][:2]]

    def pullback(self, inputs: Any, outputs: Any, output_gradients: Any) -> list[Any]:
        (g,) = output_gradients
        return [g[:, :, None] * slope for slope in LowerByGradient()(*inputs)]
