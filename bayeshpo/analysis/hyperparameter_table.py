"""A kept posterior's hyperparameters in numbers, as ArviZ gives them."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from arviz_stats.summary import summary

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr


def hyperparameter_table(tree: xr.DataTree) -> pd.DataFrame:
    """A row a hyperparameter of the surrogate: mean, sd, 90 % interval, effective sample sizes, R-hat, errors.

    Parameters
    ----------
    tree
        A posterior with its groups; only ``posterior`` is read.
    """
    return cast("pd.DataFrame", summary(tree, ci_kind="eti", ci_prob=0.9, round_to="none"))
