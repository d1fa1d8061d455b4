"""Posterior predictive check of a kept posterior: do losses drawn from it look like those that were observed?"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import xarray as xr

STATISTICS: dict[str, Callable[..., np.ndarray]] = {
    "lowest": np.min, "median": np.median, "highest": np.max, "standard deviation": np.std,
}  # fmt: skip
# Replications of which one in twenty is beyond a 5 or a 95 % quantile.
_FEWEST = 20


def predictive_check(tree: xr.DataTree) -> dict[str, tuple[float, np.ndarray, float]]:
    """Of statistics of the standardised losses: observed, 5, 50 and 95 % of replications, and share of these below.

    A share near 0 or 1 says that the surrogate does not make such losses (Gelman, Meng and Stern 1996). Empty for a
    posterior without replications, or with fewer than twenty, as a point estimate's. The data have been used twice:
    shares lie closer to 1/2 than uniform ones.
    """
    if "posterior_predictive" not in tree.children:
        return {}
    observed, replicated = tree["observed_data"].to_dataset()["outcome"].values, replications(tree)
    if len(replicated) < _FEWEST:
        return {}
    found = {}
    for name, statistic in STATISTICS.items():
        value, values = float(statistic(observed)), statistic(replicated, axis=1)
        found[name] = value, np.quantile(values, (0.05, 0.5, 0.95)), float(np.mean(values < value))
    return found


def replications(tree: xr.DataTree) -> np.ndarray:
    """Standardised losses (S, n) drawn from the posterior predictive at the trials' points."""
    outcome = tree["posterior_predictive"].to_dataset()["outcome"]
    return outcome.stack(sample=("chain", "draw")).transpose("sample", "trial").values
