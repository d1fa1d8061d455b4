"""Fits of surrogates on record: the rows of ``inference.jsonl``, read once for all that is made of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from bayeshpo.experiment.store import RunRecord

Row = Mapping[str, Any]
# A run with the rows of its fits.
type Fits = tuple[RunRecord, list[dict[str, Any]]]


def fits_of(runs: Sequence[RunRecord]) -> list[Fits]:
    """The runs that fitted a surrogate, each with the rows of its fits."""
    return [(run, rows) for run in runs if (rows := run.inference)]


def rows_of(fits: Iterable[Fits]) -> list[dict[str, Any]]:
    """The rows of all runs."""
    return [row for _, rows in fits for row in rows]


def by_searcher(fits: Iterable[Fits]) -> dict[str, list[Fits]]:
    """Each searcher's."""
    return _by(lambda run: run.searcher, fits)


def by_problem(fits: Iterable[Fits]) -> dict[str, list[Fits]]:
    """Each problem's."""
    return _by(lambda run: run.problem, fits)


def column(rows: Iterable[Row], name: str) -> np.ndarray:
    """One number of every fit (n,), NaN where there is none."""
    values = [row.get(name) for row in rows]
    return np.array([np.nan if value is None else value for value in values], dtype=float)


def _by(label: Callable[[RunRecord], str], fits: Iterable[Fits]) -> dict[str, list[Fits]]:
    found: dict[str, list[Fits]] = {}
    for run, rows in fits:
        found.setdefault(label(run), []).append((run, rows))
    return found
