"""Files of JSON lines, whose last line may have been cut short."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from bayeshpo.errors import RecordError


def read_lines(path: Path) -> tuple[list[dict[str, Any]], int]:
    """The whole records of a JSON-lines file, and the number of bytes they take; a missing file has none.

    The last line is left out if it has no line end or is no JSON mapping: the write was cut short.

    Raises
    ------
    RecordError
        If any other line is damaged.
    """
    if not path.exists():
        return [], 0
    with path.open("rb") as stream:
        lines = stream.readlines()
    records: list[dict[str, Any]] = []
    size = 0
    for i, line in enumerate(lines):
        record = _record(line)
        if record is None:
            if i == len(lines) - 1:
                break
            raise RecordError(f"{path}, line {i + 1}: expected a JSON mapping, got {line[:40]!r}")
        records.append(record)
        size += len(line)
    return records, size


def count_lines(path: Path) -> tuple[int, bool]:
    """How many records `read_lines` finds, and whether it takes the last line, which alone is parsed."""
    content = path.read_bytes() if path.exists() else b""
    if not content:
        return 0, True
    last = content.rfind(b"\n", 0, -1) + 1
    whole = _record(content[last:]) is not None
    return content.count(b"\n", 0, last) + whole, whole


def _record(line: bytes) -> dict[str, Any] | None:
    """What a line of a JSON-lines file holds; None if it is damaged."""
    try:
        record = json.loads(line)
    except ValueError:
        return None
    return record if isinstance(record, dict) and line.endswith(b"\n") else None
