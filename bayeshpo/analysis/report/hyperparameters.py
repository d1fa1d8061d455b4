"""Which hyperparameters matter, and which configurations were tried."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np

from bayeshpo.analysis.figures import importance as importance_figure
from bayeshpo.analysis.figures import parallel as parallel_figure
from bayeshpo.analysis.importance import Importance, of_seeds
from bayeshpo.analysis.report.blocks import Block, Cell, Column, Table, Text, number, word
from bayeshpo.analysis.report.svg import figures
from bayeshpo.errors import SpecificationError
from bayeshpo.experiment.store import RunRecord


def importances(runs: Sequence[RunRecord]) -> list[Block]:
    """A figure for each problem and searcher that kept posteriors, of all its seeds, and a table of all."""
    kept: dict[tuple[str, str], list[RunRecord]] = {}
    for run in runs:
        if run.posteriors:
            kept.setdefault((run.problem, run.searcher), []).append(run)
    found: list[tuple[RunRecord, Importance]] = []
    shown: list[Block] = []
    for run, *others in kept.values():
        try:
            one = of_seeds([run, *others])
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
        [word(run.problem), word(run.searcher), number(len(one.seeds)), word(name),
         *_index(one, one.total, j), *_index(one, one.first, j)]
        for run, one in found
        for j, name in enumerate(one.hyperparameters)
    ]  # fmt: skip
    note = "Of seeds: the lowest and the highest of the medians of single seeds."
    return Table("Sobol indices: medians and 90 % intervals over draws of all seeds", _COLUMNS, cells, note)


def _index(found: Importance, indices: np.ndarray, j: int) -> list[Cell]:
    low, median, high = (float(q) for q in np.quantile(indices[:, j], (0.05, 0.5, 0.95)))
    of_seeds = found.by_seed(indices)[:, j]
    # Their own error is in the second digit.
    return [Cell(f"{median:z.2f}", median), _interval(low, high), _interval(of_seeds.min(), of_seeds.max())]


def _interval(low: float, high: float) -> Cell:
    return Cell(f"[{low:z.2f}, {high:z.2f}]", float(high - low))


_COLUMNS = (
    Column("problem", numeric=False),
    Column("searcher", numeric=False),
    Column("seeds"),
    Column("hyperparameter", numeric=False),
    Column("total", "share of the variance, with all interactions"),
    Column("90 %", "sorted by its width"),
    Column("of seeds", "medians of single seeds, sorted by how far they are apart"),
    Column("first order", "share of the variance explained by it alone"),
    Column("90 %", "sorted by its width"),
    Column("of seeds", "medians of single seeds, sorted by how far they are apart"),
)
