"""Comparisons of searchers as PyMC models, one a file."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from bayeshpo.analysis.comparison.bradley_terry import compare_wins
from bayeshpo.analysis.comparison.correlated_t import compare_differences
from bayeshpo.analysis.comparison.log_regret import compare_log_regret
from bayeshpo.analysis.comparison.result import Comparison
from bayeshpo.analysis.comparison.time_to_target import compare_times
from bayeshpo.analysis.traces import Traces


def compare(traces: Traces, *, floor: float, rope: float, target: float, seed: int = 0) -> Iterator[Comparison]:
    """Fit the four models, one after another.

    Parameters
    ----------
    traces
        What can be compared; see `Traces.comparable`.
    floor
        Normalised regret below which regrets are censored.
    rope
        Difference of normalised regrets that is practically none.
    target
        Normalised regret to be reached.
    seed
        Of the draws.
    """
    streams = np.random.default_rng(seed).spawn(4)
    yield compare_log_regret(traces, streams[0], floor)
    yield compare_wins(traces, streams[1], rope)
    yield compare_times(traces, streams[2], target)
    yield compare_differences(traces, streams[3], rope)
