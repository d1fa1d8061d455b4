"""Rows of a script that runs one thing after another: a line each, so that one that was stopped goes on."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bayeshpo.experiment.lines import read_lines


class Rows:
    """The finished rows of a JSON-lines file, each known by some of its entries; its folder is made.

    A last line whose write was cut short is no row, and is cut off.

    Parameters
    ----------
    path
        The file.
    key
        Names of the entries that tell one row from another.

    Raises
    ------
    RecordError
        If a line other than the last is damaged.
    """

    def __init__(self, path: Path, *key: str) -> None:
        self._path, self._key = path, key
        path.parent.mkdir(parents=True, exist_ok=True)
        self.finished, size = read_lines(path)
        if path.exists():
            os.truncate(path, size)

    def __contains__(self, row: Mapping[str, Any]) -> bool:
        return any(all(row[name] == known[name] for name in self._key) for known in self.finished)

    def add(self, row: dict[str, Any]) -> None:
        """One row more, on disk when this returns."""
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")
        self.finished.append(row)
