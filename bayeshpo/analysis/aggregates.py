"""What each searcher is over all problems: a row of a table."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bayeshpo.analysis.compared import RunCount, run_counts
from bayeshpo.analysis.statistics.interquartile import iqm
from bayeshpo.analysis.statistics.ranks import mean_ranks
from bayeshpo.analysis.statistics.wins import win_probability
from bayeshpo.analysis.traces import Traces

BASELINE = "random"
# A value with its 95 % bootstrap interval.
Interval = tuple[float, float, float]


@dataclass(frozen=True)
class Aggregate:
    """One searcher after the last trial, over problems.

    Attributes
    ----------
    searcher
        Label.
    rank, iqm, wins
        Mean rank, interquartile mean of normalised regret, and probability to beat random search, each as low, value
        and high; the last is None without random search.
    runs
        How many runs that is of, and how many are not there.
    """

    searcher: str
    rank: Interval
    iqm: Interval
    wins: Interval | None
    runs: RunCount


def baseline(traces: Traces) -> int | None:
    """Index of random search, if it is there."""
    labels = [label.lower() for label in traces.searchers]
    return labels.index(BASELINE) if BASELINE in labels else None


def aggregates(compared: Traces) -> list[Aggregate]:
    """A row a searcher of what is compared, best mean rank first; see `comparable`."""
    final, whole, random = compared.final(), compared.whole, baseline(compared)
    streams = np.random.default_rng(0).spawn(3)
    ranks, means = mean_ranks(final, whole, streams[0]), iqm(final, whole, streams[1])
    wins = None if random is None else win_probability(final, whole, random, streams[2])
    rows, counts = [], run_counts(compared)
    for s in np.argsort(ranks.value, kind="stable"):
        rank, mean, win = (
            None if e is None else (float(e.low[s]), float(e.value[s]), float(e.high[s])) for e in (ranks, means, wins)
        )
        assert rank is not None
        assert mean is not None
        rows.append(Aggregate(compared.searchers[s], rank, mean, None if s == random else win, counts[s]))
    return rows
