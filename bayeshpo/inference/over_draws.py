"""A function of one posterior draw, as a compiled loop over many.

Graphs are written, and differentiated, for one draw: that is how a surrogate reads, and it compiles in a third of the
time of the same graph vectorised node by node. The loop runs draw by draw, so that one draw's covariance stays in the
processor's cache, and without the interpreter's lock, so that threads can share the draws.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any

import numpy as np

from bayeshpo.inference.compilation import compiling
from bayeshpo.parallel import available_cores
from bayeshpo.surrogates.symbolic import COMPILED, cached_loop, function

# Below this many matrix entries a second thread costs more than it saves.
_WORTH_A_THREAD = 50_000


class OverDraws:
    """Outputs (S, ...) of a graph for S draws, each with its own part of the inputs.

    Parameters
    ----------
    what
        What is computed, for the log of compilations.
    own, shared
        Symbolic inputs of one draw, and those that are the same for all.
    outputs
        Symbolic outputs of one draw.
    example
        Values of all inputs, own and shared, for one draw: what is called once here, compiled.
    """

    def __init__(
        self,
        what: str,
        own: Sequence[Any],
        shared: Sequence[Any],
        outputs: Sequence[Any],
        example: Sequence[np.ndarray],
    ) -> None:
        self._own = len(own)
        with compiling(what):
            # A surrogate need not use all of them: a bare posterior does not use X.
            graph = function([*own, *shared], list(outputs), mode=COMPILED, trust_input=True, on_unused_input="ignore")
            self._loop = cached_loop(graph.maker.fgraph, _source([v.ndim for v in own], len(shared), len(outputs)))
            self(*[np.asarray(v)[None] for v in example[: self._own]], *example[self._own :])

    def __call__(self, *arguments: np.ndarray, entries: int = 0) -> tuple[np.ndarray, ...]:
        """Outputs (S, ...) from inputs of the draws (S, ...), S >= 1, and shared inputs.

        ``entries`` is the number of matrix entries that a draw's output takes: with many of them, threads share the
        draws.
        """
        own, shared = arguments[: self._own], arguments[self._own :]
        S, threads = len(own[0]), available_cores()
        if threads == 1 or threads > S or S * entries <= _WORTH_A_THREAD:
            return self._loop(*own, *shared)
        edges = np.linspace(0, S, threads + 1).astype(int)
        parts = [[v[a:b] for v in own] for a, b in itertools.pairwise(edges)]
        found = _threads().map(lambda part: self._loop(*part, *shared), parts)
        return tuple(np.concatenate(p) for p in zip(*found, strict=True))


# Arrays of different kinds in one loop: compiled code has no other way than to name each. Outputs are written entry by
# entry, because the assignment of a whole array brings its error message along, a second of compilation.
_LOOP = """\
def over_draws({arguments}):
    for s in range(len(own_0)):
        found = core({one})
        if s == 0:
            {allocate}
        {store}
    return {outputs}
"""
_ALLOCATE = "out_{i} = np.empty((len(own_0),) + found[{i}].shape)"
_STORE = """\
for index, value in np.ndenumerate(found[{i}]):
            out_{i}[(s,) + index] = value"""


def _source(own: Sequence[int], shared: int, outputs: int) -> str:
    """The loop's text, for inputs of so many dimensions, and so many shared inputs and outputs."""
    names, rest = [f"own_{i}" for i in range(len(own))], [f"shared_{i}" for i in range(shared)]
    one = [f"np.asarray({v}[s])" if ndim == 0 else f"{v}[s]" for v, ndim in zip(names, own, strict=True)]
    return _LOOP.format(
        arguments=", ".join([*names, *rest]),
        one=", ".join([*one, *rest]),
        allocate="\n            ".join(_ALLOCATE.format(i=i) for i in range(outputs)),
        store="\n        ".join(_STORE.format(i=i) for i in range(outputs)),
        outputs=" ".join(f"out_{i}," for i in range(outputs)),
    )


@cache
def _threads() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(available_cores())
