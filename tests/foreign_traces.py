"""Traces that were not made here, for statistics and comparisons."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pandas as pd

from bayeshpo.analysis.traces import Traces


@cache
def hpob() -> Traces:
    """The traces of `hpob/README.md`."""
    return Traces.of_frame(pd.read_parquet(Path(__file__).parent / "hpob" / "traces.parquet"))
