"""A record of a command and its figure, as files."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from bayeshpo.analysis.figures import style


def save_record(
    record: Mapping[str, Any], draw: Callable[[Mapping[str, Any], float], style.Drawing], folder: Path, width: float
) -> list[Path]:
    """Write a record and its figure, with the caption beside it, and return their paths.

    Parameters
    ----------
    record
        JSON values.
    draw
        The figure of a record, of a width in inches; the files have its name.
    folder, width
        Where to, and the width.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with style.settings():
        drawing = draw(record, width)
        paths = style.save(drawing, folder)
    written = folder / f"{drawing.name}.json"
    written.write_text(json.dumps({**record, "caption": drawing.caption}) + "\n", encoding="utf-8")
    return [written, *paths]
