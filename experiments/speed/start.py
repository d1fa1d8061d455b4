"""Seconds from the import to the first suggestion of a surrogate, with empty and with filled caches; memory."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from histories import given
from peer import Peer
from records import Cell, Records
from sizes import carried, peak_gigabytes

_SCRIPT = Path(__file__).parent / "first_suggestion.py"


def measure(cell: Cell, records: Records, peer: Peer) -> dict[str, Any]:
    """One cold start and several warm ones after it; or the peak memory of a study from given trials."""
    if cell["kind"] == "memory":
        carried(given(6, cell["n"], seed=0), "gp")
        return {"gigabytes": peak_gigabytes()}
    with tempfile.TemporaryDirectory() as caches:
        return {"cold": _start(caches), "warm": [_start(caches) for _ in range(cell["warm"])]}


def _start(caches: str) -> dict[str, float]:
    flags = [f for f in (os.environ.get("PYTENSOR_FLAGS"), f"base_compiledir={caches}/pytensor") if f]
    environment = os.environ | {"PYTENSOR_FLAGS": ",".join(flags), "NUMBA_CACHE_DIR": f"{caches}/numba"}
    started = subprocess.run(
        [sys.executable, str(_SCRIPT)], env=environment, stdout=subprocess.PIPE, text=True, check=True
    )
    return json.loads(started.stdout.splitlines()[-1])
