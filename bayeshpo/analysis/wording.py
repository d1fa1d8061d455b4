"""Labels, lists and numbers as they stand in sentences."""

from __future__ import annotations

from collections.abc import Sequence


def words(label: str) -> str:
    """A label as it stands in a text."""
    return label.replace("_", " ")


def listed(labels: Sequence[str]) -> str:
    """Labels as a list in a sentence."""
    names = [words(label) for label in labels]
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def counted(numbers: Sequence[int], noun: str) -> str:
    """A number or a range of numbers with its noun: "5 seeds", "2 to 5 seeds"."""
    low, high = min(numbers), max(numbers)
    count = str(high) if low == high else f"{low} to {high}"
    return f"{count} {noun}" + ("" if high == 1 else "s")
