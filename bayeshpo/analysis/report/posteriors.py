"""What kept posteriors say of the surrogates' hyperparameters."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from bayeshpo.analysis.kept import last_kept
from bayeshpo.analysis.report.blocks import Block, Column, Details, Table, number, word
from bayeshpo.experiment.store import RunRecord

if TYPE_CHECKING:
    import pandas as pd

_COLUMNS = {
    "mean": "",
    "sd": "posterior standard deviation",
    "5 %": "quantile",
    "95 %": "quantile",
    "bulk ESS": "effective sample size",
    "tail ESS": "effective sample size of the 5 % and 95 % quantiles",
    "R-hat": "below 1.01 where chains agree",
    "MCSE mean": "Monte Carlo standard error of the mean",
    "MCSE sd": "Monte Carlo standard error of the standard deviation",
}


def posteriors(runs: Sequence[RunRecord]) -> list[Block]:
    """A folded table a run that kept a posterior: its last one."""
    found = last_kept(runs)
    if not found:
        return []
    # ArviZ takes seconds to start: only where there is something to summarise.
    from bayeshpo.analysis.hyperparameter_table import hyperparameter_tables

    return [
        Details(
            f"{run.problem}, {run.searcher}, seed {run.seed}: posterior given {int(run.posteriors[-1].stem)} trials",
            [_table(name, frame) for name, frame in hyperparameter_tables(tree).items()],
        )
        for run, tree in found
    ]


def _table(member: str, frame: pd.DataFrame) -> Table:
    columns = [Column("of the surrogate", numeric=False), *(Column(name, what) for name, what in _COLUMNS.items())]
    cells = [[word(name), *(number(float(value), 4) for value in row)] for name, *row in frame.itertuples()]
    return Table(f"Hyperparameters of {member}" if member else "Hyperparameters", columns, cells)
