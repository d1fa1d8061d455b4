"""One score for each searcher on each problem."""

from __future__ import annotations

import numpy as np

from bayeshpo.analysis.statistics.critical import RankTests, rank_tests
from bayeshpo.analysis.traces import Traces


def median_scores(traces: Traces) -> np.ndarray:
    """Median over whole runs of the normalised regret after the last trial (P, S); NaN where there is no such run."""
    final = traces.final()
    scores = np.full(final.shape[:2], np.nan)
    for at in np.ndindex(scores.shape):
        known = final[at][~np.isnan(final[at])]
        if known.size:
            scores[at] = np.median(known)
    return scores


def tests_of(compared: Traces) -> RankTests | None:
    """Rank tests of the medians; None with fewer than three searchers or two problems."""
    if len(compared.searchers) < 3 or len(compared.problems) < 2:
        return None
    return rank_tests(median_scores(compared))
