"""PyTensor's and PyMC's names as the symbolic code uses them.

Their annotations are unions too wide for a type checker to follow (an expression may be None, a tensor or a list), so
here they have no types; shapes are in the docstrings.
"""

from __future__ import annotations

from typing import Any

import pymc
import pytensor
import pytensor.compile.mode
import pytensor.graph.op
import pytensor.graph.replace
import pytensor.tensor
from pytensor.link.numba.dispatch import basic
from pytensor.link.numba.dispatch.linalg.decomposition import cholesky

_pytensor: Any = pytensor

pm: Any = pymc
pt: Any = pytensor.tensor
function: Any = _pytensor.function
grad: Any = _pytensor.grad
clone_replace: Any = pytensor.graph.replace.clone_replace
vectorize_graph: Any = pytensor.graph.replace.vectorize_graph
Mode: Any = pytensor.compile.mode.Mode
get_mode: Any = pytensor.compile.mode.get_mode
Op: Any = pytensor.graph.op.Op
Tensor = Any

numba_njit: Any = basic.numba_njit
register_compiled: Any = basic.register_funcify_default_op_cache_key
nan_cholesky: Any = cholesky._cholesky
