"""Hyperparameters as the features of a regression."""

from __future__ import annotations

from typing import Any

from bayeshpo.surrogates.columns import Columns
from bayeshpo.surrogates.symbolic import pt


def features(columns: Columns, X: Any) -> Any:
    """Features (n, F) at X (n, D): numbers less the middle of their range, and indicators of unordered choices.

    Two choices are a number, -1/4 and 1/4 if equally likely; what is inactive is 0.
    """
    indicators = dict(columns.choices)

    def along(j: int) -> Any:
        x = X[:, [j]]
        return columns.along(X, j) if j in indicators else columns.active(x) * (x - 0.5)

    return pt.concatenate([along(j) for j in range(columns.dimension)], axis=1)


def feature_names(columns: Columns) -> list[str]:
    """A name for each feature: "rate", or "kernel[0]" for a choice."""
    sizes = {j: len(centres) for j, centres in columns.choices}
    return [f"{columns.names[j]}[{k}]" if j in sizes else columns.names[j] for j, k in _origins(columns)]


def feature_columns(columns: Columns) -> list[int]:
    """The column that each feature comes from."""
    return [j for j, _ in _origins(columns)]


def _origins(columns: Columns) -> list[tuple[int, int]]:
    """Column and number within it of each feature."""
    sizes = {j: len(centres) for j, centres in columns.choices}
    return [(j, k) for j in range(columns.dimension) for k in range(sizes.get(j, 1))]
