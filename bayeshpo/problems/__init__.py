"""Objectives: functions, models of scikit-learn, tables, learning curves; wrappers around them, and suites of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bayeshpo.problems.suites import Suite


def suite(name: str) -> Suite:
    """A suite of problems by its name: a mapping of labels to problems, each built when it is asked for.

    Raises
    ------
    SpecificationError
        If there is no such suite, with the nearest valid name.
    """
    from bayeshpo.registry import load

    return load("suite", name)
