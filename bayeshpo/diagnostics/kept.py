"""A kept posterior in a table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import arviz_stats

if TYPE_CHECKING:
    import pandas as pd

_MEMBERS = "members"
# Its annotations are unions that no caller can narrow.
_stats: Any = arviz_stats


def summaries(tree: Any) -> dict[str, pd.DataFrame]:
    """ArviZ's table of a posterior's hyperparameters (mean, sd, interval, ESS, R-hat); a mixture's by member."""
    if _MEMBERS in tree.children:
        return {name: _stats.summary(member) for name, member in tree[_MEMBERS].children.items()}
    return {"": _stats.summary(tree)}
