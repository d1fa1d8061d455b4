"""Traces that were not made here, for statistics and comparisons."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path

import pandas as pd
import pytest

from bayeshpo.analysis.traces import Traces

DATA = Path(os.environ.get("BAYESHPO_DATA", Path(__file__).resolve().parents[2] / "shared" / "data"))
FILE = DATA / "hpob_results" / "traces.parquet"
# Those that have whole traces on all problems, one of each kind.
METHODS = ("BOHAMIANN", "DGP", "DNGO", "FSBO", "GP", "RGPE", "Random")


@cache
def hpob() -> Traces:
    """Published traces of seven methods on the test tasks of HPO-B-v3: 86 problems, 5 seeds, 101 trials.

    Trial 0 is the best of the initial points (Pineda Arango et al. 2021).
    """
    if not FILE.exists():
        pytest.skip(f"no traces of HPO-B: {FILE} does not exist")
    frame = pd.read_parquet(FILE).astype({"method": str, "space": str, "dataset": str, "seed": str})
    frame = frame[frame["method"].isin(METHODS)]
    return Traces.of_frame(
        pd.DataFrame(
            {
                "problem": frame["space"] + "/" + frame["dataset"],
                "searcher": frame["method"],
                "seed": frame["seed"].str.removeprefix("test").astype(int),
                "trial": frame["trial"],
                "regret": (1.0 - frame["incumbent"].astype(float)).round(7),
            }
        )
    )
