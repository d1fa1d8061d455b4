"""A surrogate's beliefs before the first trial: as a table in the terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape
from rich.table import Table

if TYPE_CHECKING:
    import pandas as pd

_NUMBERS = ("size", "5 %", "50 %", "95 %")


def print_priors(priors: pd.DataFrame, title: str, console: Console) -> None:
    """The table of `Surrogate.describe`, with medians in place of means, which heavy tails carry off."""
    table = Table(title=title, title_justify="left", box=None, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("name", no_wrap=True)
    table.add_column("prior", no_wrap=True)
    for name in _NUMBERS:
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("unit")
    for hyperparameter, row in priors.iterrows():
        numbers = (f"{row[name]:.3g}" for name in _NUMBERS)
        table.add_row(escape(str(hyperparameter)), escape(str(row["prior"])), *numbers, str(row["unit"]))
    console.print(table)
