"""Records of the benchmark: one JSON file a cell, written whole or not at all, so that a killed run goes on."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import bayeshpo

Cell = dict[str, Any]
# Statuses after which a cell is not measured again: "done", or longer than its limit.
_FINAL = ("done", "over the limit")


class Records:
    """What has been measured so far.

    Parameters
    ----------
    directory
        Where the records are.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def put(self, part: str, cell: Cell, status: str, result: Cell) -> None:
        """Record how the measurement of a cell ended, and what it gave."""
        path = self._path(part, cell)
        path.parent.mkdir(parents=True, exist_ok=True)
        record = {"cell": cell, "status": status, "code": code(), "result": result}
        unfinished = path.with_suffix(".tmp")
        unfinished.write_text(json.dumps(record))
        unfinished.replace(path)

    def get(self, part: str, cell: Cell) -> Cell | None:
        """The whole record of a cell, if there is one."""
        path = self._path(part, cell)
        return json.loads(path.read_text()) if path.exists() else None

    def result(self, part: str, cell: Cell) -> Cell | None:
        """What a cell gave, if its measurement came to its end."""
        record = self.get(part, cell)
        return record["result"] if record and record["status"] == "done" else None

    def results(self, part: str, cells: list[Cell]) -> Iterator[tuple[Cell, Cell]]:
        """The cells that came to their end, each with what it gave."""
        for cell in cells:
            result = self.result(part, cell)
            if result is not None:
                yield cell, result

    def missing(self, part: str, cells: list[Cell]) -> list[Cell]:
        """The cells that are still to be measured; failed ones among them."""
        known = [self.get(part, cell) for cell in cells]
        return [c for c, record in zip(cells, known, strict=True) if not record or record["status"] not in _FINAL]

    def _path(self, part: str, cell: Cell) -> Path:
        return self.directory / part / ("_".join(f"{k}-{v}" for k, v in cell.items()) + ".json")


def code() -> str:
    """A fingerprint of the package's source files."""
    root = Path(bayeshpo.__file__).parent
    digest = hashlib.sha256()
    for path in sorted(root.rglob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:12]
