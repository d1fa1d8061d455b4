"""A record of simulation-based calibration: as a table in the terminal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from rich.console import Console
from rich.markup import escape
from rich.table import Table


def print_calibration(record: Mapping[str, Any], console: Console) -> None:
    """A row a quantity: mean rank, and the p-values of two tests that ranks are uniform; then the verdict."""
    table = Table(title=f"Calibration of {record['surrogate']} with {record['engine']}", title_justify="left", box=None)
    table.add_column("quantity")
    for name in ("mean rank", "p, 20 bins", "p, largest deviation"):
        table.add_column(name, justify="right")
    ranks = (np.asarray(record["ranks"]) + 0.5) / (record["draws"] + 1)
    columns = zip(record["quantities"], ranks.T, record["chi_square"], record["largest_deviation"], strict=True)
    for name, column, chi_square, deviation in columns:
        table.add_row(escape(name), f"{column.mean():.2f}", f"{chi_square:.2g}", f"{deviation:.2g}")
    console.print(table)
    style = "green" if record["calibrated"] else "red"
    console.print(f"[{style}]{record['verdict']}[/{style}]", highlight=False, soft_wrap=True)
