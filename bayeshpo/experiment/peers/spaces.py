"""What a space has that a peer may have no words for."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

import numpy as np
from ConfigSpace.hyperparameters import CategoricalHyperparameter

from bayeshpo.errors import SpecificationError, one_line
from bayeshpo.space import Configuration, SearchSpace

_FEATURES: dict[str, Callable[[SearchSpace], list[Any]]] = {
    "conditions": lambda space: list(space.configspace.conditions),
    "forbidden clauses": lambda space: list(space.configspace.forbidden_clauses),
    "distributions of numbers": lambda space: [n for n, e in zip(space.names, space.encodings, strict=True) if _own(e)],
    "weights of choices": lambda space: [n for n in space.names if _weighted(space.configspace[n])],
    "continuous ranges": lambda space: [n for n, c in zip(space.names, space.continuous, strict=True) if c],
}


def refuse(searcher: str, peer: str, space: SearchSpace, lacking: Collection[str]) -> None:
    """Refuse a space that has what a peer cannot be told.

    Parameters
    ----------
    searcher, peer
        Registered name of the searcher, and what the other library calls the part that is used.
    space
        The space.
    lacking
        Some of "conditions", "forbidden clauses", "distributions of numbers", "weights of choices" and "continuous
        ranges".

    Raises
    ------
    SpecificationError
        Naming the peer and what in the space it has no words for.
    """
    for feature in lacking:
        found = _FEATURES[feature](space)
        if found:
            what = f"the space has: {one_line(found[0])}"
            raise SpecificationError(f"searcher '{searcher}': {peer} has no {feature}, and {what}")


def plain(value: Any) -> Any:
    """A library's number as one of Python's."""
    return value.item() if isinstance(value, np.generic) else value


def completed(space: SearchSpace, values: Configuration) -> Configuration:
    """A configuration with the constants that are active beside the values of its hyperparameters."""
    (row,) = space.decode(space.encode([values]))
    return {name: values.get(name, value) for name, value in row.items()}


def _own(encoding: Any) -> bool:
    """Whether a number has a distribution of its own, neither uniform nor log-uniform."""
    return encoding.kind != "categorical" and encoding.line() is None and not _uniform(encoding)


def _uniform(encoding: Any) -> bool:
    """Whether an ordered choice has equal probabilities."""
    return encoding.kind == "ordinal" and np.allclose(np.diff(encoding.points()), 1.0 / encoding.size)


def _weighted(hp: Any) -> bool:
    return isinstance(hp, CategoricalHyperparameter) and not np.allclose(hp.probabilities, 1.0 / len(hp.choices))
