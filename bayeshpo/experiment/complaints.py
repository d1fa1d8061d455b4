"""What is wrong with an experiment's file, in one line for its reader."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pydantic import ValidationError

from bayeshpo import registry
from bayeshpo.errors import one_line, unknown_name

# Pydantic's types of error, in words for a reader of the file.
_EXPECTED = {
    "greater_than_equal": "at least 1",
    "int_type": "a whole number",
    "string_type": "a string",
    "string_too_short": "a string that is not empty",
    "string_pattern_mismatch": "letters, digits, '_', '-' and '.'",
    "tuple_type": "a list",
    "too_short": "at least one entry",
    "model_type": "a table",
    "model_attributes_type": "a table",
    "invalid-json-value": "a string, number, boolean, list or table",
}


def complaint(error: ValidationError, data: Mapping[str, Any], places: Sequence[str], keys: Iterable[str]) -> str:
    """The first of pydantic's complaints in our words; a misspelled key explains a missing one, so it comes first.

    Parameters
    ----------
    error
        What pydantic says.
    data
        What it was given.
    places
        Where each of the problems stands in the file.
    keys
        Valid keys at the top of the file.
    """
    complaints = sorted(error.errors(include_url=False), key=lambda e: e["type"] != "extra_forbidden")
    first = complaints[0]
    location = [step for step in first["loc"] if step != "arguments"]
    place = "".join(f"[{step + 1}]" if isinstance(step, int) else f".{step}" for step in location).lstrip(".")
    if location[0] == "problems" and len(location) > 1:
        own = f"problems[{int(location[1]) + 1}]"
        place = places[int(location[1])] + place.removeprefix(own)
    match first["type"]:
        case "extra_forbidden":
            return f"{place}: {unknown_name('key', str(location[-1]), keys)}"
        case "missing":
            return f"{place}: {_missing(location, data)}"
    expected = _EXPECTED.get(first["type"]) or first["msg"].removeprefix("Input should be ")
    return one_line(f"{place}: expected {expected}, got {first['input']!r}"[:200])


def _missing(location: Sequence[int | str], data: Mapping[str, Any]) -> str:
    key = location[-1]
    if key in ("problems", "searchers"):
        return f"missing; expected at least one [[{key}]] with a name"
    if "wrappers" in location:
        return f"expected the wrapper's name; valid: {', '.join(sorted(registry.WRAPPERS))}"
    if len(location) == 1:
        return "missing; expected a line such as " + ('name = "first"' if key == "name" else f"{key} = 20")
    kind = str(location[0])[:-1]
    given = data[str(location[0])][location[1]]
    keys = ["name", "suite"] if kind == "problem" else ["name"]
    close = [(key, k) for k in given for key in keys if unknown_name("", k, [key]).endswith("?")]
    if close:
        return f"missing; did you mean '{close[0][0]}' by '{close[0][1]}'?"
    return f"missing; valid: {', '.join(sorted(registry.KINDS[kind]))}"
