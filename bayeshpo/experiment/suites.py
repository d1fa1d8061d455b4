"""Entries of ``[[problems]]`` that name a suite, as entries of its problems."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from bayeshpo import registry
from bayeshpo.errors import SpecificationError, unknown_name
from bayeshpo.problem import Problem
from bayeshpo.problems.signatures import cheap_change

_KEYS = ("suite", "only", "budget")


def expanded(entries: Any) -> tuple[Any, list[str]]:
    """All entries, a suite's in its place, with where each stands in the file.

    Parameters
    ----------
    entries
        What the file has under ``problems``; whatever is no list of tables is left as it is.

    Raises
    ------
    SpecificationError
        If a suite, one of its labels, or a key beside it is unknown.
    """
    if not isinstance(entries, list):
        return entries, []
    found: list[Any] = []
    places: list[str] = []
    for i, entry in enumerate(entries, 1):
        if not isinstance(entry, Mapping) or "suite" not in entry:
            found.append(entry)
            places.append(f"problems[{i}]")
            continue
        for member in _members(f"problems[{i}]", entry):
            found.append(member)
            places.append(f"problems[{i}] ({entry['suite']}: {member['label']})")
    return found, places


def _members(place: str, entry: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for key in entry:
        if key not in _KEYS:
            hint = "its problems have their own names and wrappers" if key in ("name", "wrappers", "label") else ""
            raise SpecificationError(f"{place}.{key}: {hint or unknown_name('key of a suite', key, _KEYS)}")
    try:
        suite = registry.load("suite", str(entry["suite"]))
    except SpecificationError as error:
        raise SpecificationError(f"{place}.suite: {error}") from None
    chosen = entry.get("only", list(suite))
    if not isinstance(chosen, list) or not chosen:
        raise SpecificationError(f"{place}.only: expected a list of labels, got {chosen!r}")
    for label in chosen:
        if not isinstance(label, str) or label not in suite:
            raise SpecificationError(f"{place}.only: {unknown_name('problem of the suite', str(label), suite)}")
        yield {"label": label, **suite.entries[label]} | {k: entry[k] for k in ("budget",) if k in entry}


def changes(problems: Iterable[tuple[Any, Problem]]) -> Iterator[str]:
    """Of each problem that is cheap to evaluate and differs from its committed signature, how it does.

    A warning and no refusal: a library's next version may be the reason, and results are still comparable among
    themselves. Problems that train something are compared by the tests, as runs must not wait for that.
    """
    for part, problem in problems:
        if (difference := cheap_change(part.key, problem)) is not None:
            yield (
                f"problem '{part.label}' is not what it was when its signature was made: {difference}; "
                "its results cannot be compared with earlier ones"
            )
