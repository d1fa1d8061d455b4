"""A kept posterior's hyperparameters in numbers, as ArviZ gives them."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from arviz_stats.summary import summary

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr


def hyperparameter_tables(tree: xr.DataTree) -> dict[str, pd.DataFrame]:
    """A row a hyperparameter of the surrogate: mean, sd, 90 % interval, effective sample sizes, R-hat, errors.

    Parameters
    ----------
    tree
        A posterior with its groups.

    Returns
    -------
    tables
        One, named "", or one for each member of a mixture of surrogates.
    """
    members = dict(tree["members"].children) if "members" in tree.children else {"": tree}
    return {name: _table(member) for name, member in members.items()}


def _table(tree: xr.DataTree) -> pd.DataFrame:
    return cast("pd.DataFrame", summary(tree, ci_kind="eti", ci_prob=0.9, round_to="none"))
