"""Traces that were not made here, for statistics and comparisons."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path

import pytest

from bayeshpo.analysis.traces import Traces
from experiments.comparison.hpob import published

DATA = Path(os.environ.get("BAYESHPO_DATA", Path(__file__).resolve().parents[2] / "shared" / "data"))
FILE = DATA / "hpob_results" / "traces.parquet"


@cache
def hpob() -> Traces:
    """See `published`."""
    if not FILE.exists():
        pytest.skip(f"no traces of HPO-B: {FILE} does not exist")
    return published(FILE)
