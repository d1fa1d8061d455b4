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


def predictive_check(tree: xr.DataTree) -> dict[str, tuple[float, np.ndarray, float]]:
    """Of statistics of the standardised losses: observed, 5, 50 and 95 % of replications, and share of these below.

    A share near 0 or 1 says that the surrogate does not make such losses (Gelman, Meng and Stern 1996). Empty for a
    posterior without replications. The data have been used twice: shares lie closer to 1/2 than uniform ones.
    """
    if "posterior_predictive" not in tree.children:
        return {}
    observed = tree["observed_data"]["outcome"].values
    replicated = tree["posterior_predictive"]["outcome"].stack(sample=("chain", "draw")).transpose("sample", "trial")
    found = {}
    for name, statistic in STATISTICS.items():
        value, values = float(statistic(observed)), statistic(replicated.values, axis=1)
        found[name] = value, np.quantile(values, (0.05, 0.5, 0.95)), float(np.mean(values < value))
    return found
