"""A problem from its name, its arguments and its wrappers, as experiment files and suites give them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from bayeshpo import registry
from bayeshpo.problem import Problem

Wrappers = Sequence[Mapping[str, Any]]


def build(name: str, arguments: Mapping[str, Any], wrappers: Wrappers = (), *, data_dir: str | None = None) -> Problem:
    """A new instance of a problem.

    Parameters
    ----------
    name, arguments
        Of the registered problem.
    wrappers
        What goes around it, the innermost first: mappings with the wrapper's name as ``name``, and its arguments.
    data_dir
        Folder of the data, for problems that need one.

    Raises
    ------
    SpecificationError
        If a name is unknown, or an argument is not taken or missing.
    """
    arguments = dict(arguments)
    if data_dir is not None and "data_dir" in registry.parameters(registry.load("problem", name)):
        arguments.setdefault("data_dir", data_dir)
    problem: Problem = registry.create("problem", name, arguments)
    for wrapper in wrappers:
        own = {key: value for key, value in wrapper.items() if key != "name"}
        problem = registry.create("wrapper", wrapper["name"], {"problem": problem, **own})
    return problem


def identity(name: str, arguments: Mapping[str, Any], wrappers: Wrappers = ()) -> str:
    """What defines a problem, in one line: name, arguments and wrappers, in whatever order keys were written."""
    parts = [name, json.dumps(dict(arguments), sort_keys=True) if arguments else ""]
    return "".join([*parts, json.dumps([dict(w) for w in wrappers], sort_keys=True) if wrappers else ""])
