"""PyTensor's and PyMC's names as the symbolic code uses them.

Their annotations are unions too wide for a type checker to follow (an expression may be None, a tensor or a list), so
here they have no types; shapes are in the docstrings.
"""

from __future__ import annotations

import hashlib
from functools import partial
from typing import Any

import numpy as np
import pymc
import pytensor
import pytensor.compile.mode
import pytensor.gradient
import pytensor.graph.op
import pytensor.graph.replace
import pytensor.graph.traversal
import pytensor.tensor
from pytensor.link.numba.cache import compile_numba_function_src
from pytensor.link.numba.dispatch import basic
from pytensor.link.numba.dispatch.linalg.decomposition import cholesky

_pytensor: Any = pytensor

pm: Any = pymc
pt: Any = pytensor.tensor
function: Any = _pytensor.function
grad: Any = _pytensor.grad
disconnected_grad: Any = pytensor.gradient.disconnected_grad
clone_replace: Any = pytensor.graph.replace.clone_replace
graph_replace: Any = pytensor.graph.replace.graph_replace
vectorize_graph: Any = pytensor.graph.replace.vectorize_graph
ancestors: Any = pytensor.graph.traversal.ancestors
Mode: Any = pytensor.compile.mode.Mode
get_mode: Any = pytensor.compile.mode.get_mode
Op: Any = pytensor.graph.op.Op
Tensor = Any

# As `pymc.compile` does: parameters outside a distribution's domain give a log density of -inf, not an exception.
COMPILED = get_mode("NUMBA").including("local_check_parameter_to_ninf_switch")
# For graphs that run a few times on whole arrays: compiling them would cost more than they ever do.
UNCOMPILED = Mode(linker="py", optimizer="fast_compile")

# Without leave to reorder or fuse floating-point operations: with it, a function gives other last digits when it is
# compiled anew than when it is loaded from the cache, and a study would not repeat itself.
numba_njit: Any = partial(basic.numba_njit, fastmath=False)


def strict_arithmetic() -> Any:
    """A context in which PyTensor compiles its own nodes without reordering, for the same reason."""
    return _pytensor.config.change_flags(numba__fastmath=False)


register_compiled: Any = basic.register_funcify_default_op_cache_key
nan_cholesky: Any = cholesky._cholesky


def cached_loop(graph: Any, source: str) -> Any:
    """A compiled function from its text, which calls ``core``, the compiled graph; kept on disk as PyTensor's own are.

    It runs without the interpreter's lock.
    """
    core, key = basic.numba_funcify_and_cache_key(graph)
    keep = key is not None and _pytensor.config.numba__cache
    digest = hashlib.sha256(f"{key} {_pytensor.config.numba__fastmath} {source}".encode()).hexdigest()
    name = source[len("def ") : source.index("(")]
    names = {"core": core, "np": np, "__name__": __name__}
    loop = compile_numba_function_src(source, name, names, {}, cache_key=digest if keep else None)
    return numba_njit(loop, final_function=True, nogil=True, cache=keep)
