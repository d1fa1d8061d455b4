"""Posteriors on record, replayed proposals and compared surrogates: as tables in the terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from bayeshpo.experiment.store import RunRecord
from bayeshpo.space import Configuration, SearchSpace, distance

if TYPE_CHECKING:
    import pandas as pd

_FIT = (
    "surrogate", "engine", "action", "status", "reason", "rhat_max", "ess_bulk_min", "khat", "divergences",
    "acquisition", "acquisition_mcse",
)  # fmt: skip


def print_posterior(title: str, tables: Mapping[str, pd.DataFrame], console: Console) -> None:
    """A row a hyperparameter, a table a member."""
    for member, frame in tables.items():
        # Its Monte Carlo errors follow from sd and ESS.
        frame = frame[[column for column in frame.columns if not str(column).startswith("mcse")]]
        table = _table(["hyperparameter", *map(str, frame.columns)])
        for name, row in frame.iterrows():
            table.add_row(escape(str(name)), *(f"{value:.4g}" for value in row))
        _print(f"{title}: {member}" if member else title, table, console)


def print_fit(row: Mapping[str, Any], console: Console) -> None:
    """How a fit ended, by its row of inference or by the attributes of its tree, in a line."""
    told = ", ".join(f"{key} {_shown(row[key])}" for key in _FIT if row.get(key) is not None)
    if told:
        console.print(f"fit: {told}", highlight=False, soft_wrap=True, markup=False)


def print_check(found: Mapping[str, tuple[float, np.ndarray, float]], console: Console) -> None:
    """A row a statistic of the standardised losses: observed, and in replications."""
    columns = ["standardised losses", "observed", "5 %", "50 %", "95 %", "share below"]
    table = _table(columns)
    for name, (value, quantiles, share) in found.items():
        table.add_row(name, f"{value:.3g}", *(f"{q:.3g}" for q in quantiles), f"{share:.3f}")
    if found:
        _print("Posterior predictive check", table, console)


def print_replay(
    run: RunRecord,
    iteration: int,
    proposals: Mapping[str, Configuration],
    space: SearchSpace,
    rows: Sequence[Mapping[str, Any]],
    console: Console,
) -> None:
    """A row a proposal, with its distance from the one on record; then the fit behind it."""
    names = list(dict.fromkeys(name for c in proposals.values() for name in c))
    table = _table(["proposal", *names, "distance"])
    X = space.encode(proposals.values())
    for (label, configuration), apart in zip(proposals.items(), distance(X, X[0]), strict=True):
        values = (escape(_shown(configuration[name])) if name in configuration else "-" for name in names)
        table.add_row(label, *values, f"{apart:.3g}")
    _print(f"Trial {iteration} of {run.problem}, {run.searcher}, seed {run.seed}", table, console)
    for row in rows:
        print_fit(row, console)
    same = proposals["on record"] == proposals["replayed"]
    verdict = "The proposal on record is reproduced exactly." if same else "The proposal on record is NOT reproduced."
    console.print(f"[{'green' if same else 'red'}]{verdict}[/]", highlight=False)


def print_surrogates(rows: Sequence[Mapping[str, Any]], runs: Sequence[str], console: Console) -> None:
    """A row a surrogate, best one-step-ahead score first: how much lower its log densities are, and its weights."""
    columns = ["surrogate", "one step\nahead", "weight", "leave-\none-out", "weight", "bad\nk", "in\n50 %", "in\n90 %"]
    table = _table(columns)
    for row in rows:
        cells = []
        for kind in ("ahead", "loo"):
            known = row[f"{kind}_difference"] is not None
            cells.append(f"{row[f'{kind}_difference']:.1f} ± {row[f'{kind}_se']:.1f}" if known else "-")
            cells.append(f"{row[f'{kind}_weight']:.2f}")
        shares = ("-" if row[name] is None else f"{row[name]:.0%}" for name in ("bad_khat", "in_50", "in_90"))
        table.add_row(row["surrogate"], *cells, *shares)
    _print("Log densities less those of the first surrogate, ± standard error", table, console)
    console.print(f"Trials of {', '.join(runs)}.", highlight=False, soft_wrap=True)
    best = rows[0]
    if len(rows) == 1:
        return
    close = [r["surrogate"] for r in rows[1:] if r["ahead_difference"] >= -2.0 * r["ahead_se"]]
    told = f"'{best['surrogate']}' predicts the next trial best, {best['ahead']:.1f} over {best['trials']} predictions"
    told += f"; not told apart from it: {', '.join(close)}" if close else ", by more than two standard errors"
    console.print(f"{told}.", highlight=False, soft_wrap=True)


def _print(title: str, table: Table, console: Console) -> None:
    """A table's own title would be as narrow as the table."""
    console.print(title, style="italic", highlight=False, markup=False)
    console.print(table)


def _table(columns: Sequence[str]) -> Table:
    table = Table(box=None, padding=(0, 1, 0, 0), pad_edge=False)
    for i, name in enumerate(columns):
        # Of numbers nothing is cut; a long name goes on in the next line.
        table.add_column(name, justify="left" if i == 0 else "right", no_wrap=i > 0, overflow="fold")
    return table


def _shown(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
