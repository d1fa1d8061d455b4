"""Which hyperparameters matter, and which configurations were tried."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np

from bayeshpo.analysis.figures import importance as importance_figure
from bayeshpo.analysis.figures import parallel as parallel_figure
from bayeshpo.analysis.importance import Importance, importance
from bayeshpo.analysis.report.blocks import Block, Cell, Column, Table, Text, word
from bayeshpo.analysis.report.svg import figures
from bayeshpo.errors import SpecificationError
from bayeshpo.experiment.store import RunRecord


def importances(runs: Sequence[RunRecord]) -> list[Block]:
    """A figure for each problem and searcher that kept a posterior, of its first seed, and a table of all."""
    first: dict[tuple[str, str], RunRecord] = {}
    for run in runs:
        if run.posteriors:
            first.setdefault((run.problem, run.searcher), run)
    found: list[tuple[RunRecord, Importance]] = []
    shown: list[Block] = []
    for run in first.values():
        try:
            one = importance(run)
        except SpecificationError as error:
            shown.append(Text(f"Left out: {run.problem}, {run.searcher}: {error}."))
            continue
        found += [(run, one)] if len(one.first) else []
        flat = Text(f"Left out: {run.problem}, {run.searcher}: every draw's function is flat.")
        shown += figures(partial(importance_figure.draw, run, one)) or [flat]
    return [*shown, _table(found)] if found else shown


def parallel(runs: Sequence[RunRecord]) -> list[Block]:
    """A figure for each problem, with the trials of all its runs."""
    shown: list[Block] = []
    for problem in dict.fromkeys(run.problem for run in runs):
        try:
            shown += figures(partial(parallel_figure.draw, [run for run in runs if run.problem == problem]))
        except SpecificationError as error:
            shown.append(Text(f"Left out: {problem}: {error}."))
    return shown


def _table(found: Sequence[tuple[RunRecord, Importance]]) -> Table:
    cells = [
        [word(run.problem), word(run.searcher), word(name), *_index(one.total[:, j]), *_index(one.first[:, j])]
        for run, one in found
        for j, name in enumerate(one.hyperparameters)
    ]
    return Table("Sobol indices: medians and 90 % intervals over posterior draws", _COLUMNS, cells)


def _index(draws: np.ndarray) -> list[Cell]:
    low, median, high = (float(q) for q in np.quantile(draws, (0.05, 0.5, 0.95)))
    # Their own error is in the second digit.
    return [Cell(f"{median:z.2f}", median), Cell(f"[{low:z.2f}, {high:z.2f}]", high - low)]


_COLUMNS = (
    Column("problem", numeric=False),
    Column("searcher", numeric=False),
    Column("hyperparameter", numeric=False),
    Column("total", "share of the variance, with all interactions"),
    Column("90 %", "sorted by its width"),
    Column("first order", "share of the variance explained by it alone"),
    Column("90 %", "sorted by its width"),
)
