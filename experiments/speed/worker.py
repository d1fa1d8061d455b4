"""One process of the benchmark: measures cells of one part and records each as soon as it is done.

Started by `run.py`: worker.py PART DIRECTORY CELLS [BOTORCH], with the cells as a JSON list.
"""

from __future__ import annotations

import importlib
import json
import sys
import traceback
from pathlib import Path

from peer import Peer
from records import Records


def main(part: str, directory: str, cells: str, botorch: str | None = None) -> None:
    """Measure every cell; one that raises is recorded as failed, with its reason, and the others go on."""
    records = Records(Path(directory))
    measure = importlib.import_module(part).measure
    with Peer(botorch) as peer:
        for cell in json.loads(cells):
            try:
                result, status = measure(cell, records, peer), "done"
            except Exception as error:
                traceback.print_exc()
                result, status = {"reason": f"{type(error).__name__}: {error}"[:300]}, "failed"
            records.put(part, cell, status, result)
            print(f"{part} {cell}: {status}", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
