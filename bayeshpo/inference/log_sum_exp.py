"""log(sum(exp(a))) without overflow."""

from __future__ import annotations

from typing import Any

import numpy as np


def log_sum_exp(a: np.ndarray, axis: int | None = None) -> Any:
    """Along an axis, or over all entries; -inf where all are."""
    # SciPy's own imports every array library that is installed, JAX among them, to ask whether ``a`` is one of its.
    top = np.max(a, axis=axis, keepdims=True)
    top = np.where(np.isfinite(top), top, 0.0)
    with np.errstate(divide="ignore"):
        total = np.log(np.sum(np.exp(a - top), axis=axis))
    return total + (top.item() if axis is None else np.squeeze(top, axis=axis))
