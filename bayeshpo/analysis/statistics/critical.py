"""Which searchers differ in rank: Friedman's test, Nemenyi's distance, and Wilcoxon's tests corrected by Holm."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import stats

ALPHA = 0.05


@dataclass(frozen=True, eq=False)
class RankTests:
    """Tests over problems (Demsar 2006).

    Attributes
    ----------
    ranks
        Mean rank (S,).
    friedman
        p-value of the hypothesis that all searchers are equal.
    distance
        Nemenyi's critical distance of mean ranks at 5 %.
    pairs
        p-values of Wilcoxon's signed-rank test of each pair, corrected by Holm (S, S); 1 on the diagonal.
    problems
        Number of problems.
    """

    ranks: np.ndarray
    friedman: float
    distance: float
    pairs: np.ndarray
    problems: int

    def groups(self) -> list[tuple[int, ...]]:
        """Largest sets of searchers next to each other in rank of which no two differ at 5 %, each best first."""
        order = np.argsort(self.ranks, kind="stable")
        alike = self.pairs[np.ix_(order, order)] >= ALPHA
        found: list[tuple[int, int]] = []
        for start in range(len(order)):
            end = start
            while end + 1 < len(order) and alike[start : end + 2, start : end + 2].all():
                end += 1
            if end > start and all(end > last for _, last in found):
                found.append((start, end))
        return [tuple(int(i) for i in order[start : end + 1]) for start, end in found]


def rank_tests(scores: np.ndarray) -> RankTests:
    """Tests of scores (P, S), one a problem and searcher, lower is better.

    Friedman (1937) with ties; Nemenyi (1963); Wilcoxon (1945) with Holm's correction (1979), which compares searchers
    two at a time, unlike Nemenyi's distance, that other searchers in the pool can shift (Benavoli et al. 2016). Pairs
    without any difference have a p-value of 1.

    Raises
    ------
    ValueError
        If there are fewer than three searchers or two problems.
    """
    problems, searchers = scores.shape
    if searchers < 3 or problems < 2:
        raise ValueError(f"expected at least 3 searchers and 2 problems, got {searchers} and {problems}")
    ranks = stats.rankdata(scores, axis=1)
    tied = (ranks == ranks[:, :1]).all()
    friedman = 1.0 if tied else float(stats.friedmanchisquare(*scores.T).pvalue)
    quantile = stats.studentized_range.ppf(1.0 - ALPHA, searchers, np.inf)
    distance = float(quantile / np.sqrt(2.0) * np.sqrt(searchers * (searchers + 1) / (6.0 * problems)))
    return RankTests(ranks.mean(axis=0), friedman, distance, _holm(_wilcoxon(scores)), problems)


def _wilcoxon(scores: np.ndarray) -> np.ndarray:
    count = scores.shape[1]
    pairs = np.ones((count, count))
    for i in range(count):
        for j in range(i):
            difference = scores[:, i] - scores[:, j]
            if difference.any():
                test: Any = stats.wilcoxon(difference)
                pairs[i, j] = pairs[j, i] = test.pvalue
    return pairs


def _holm(pairs: np.ndarray) -> np.ndarray:
    at = np.tril_indices(len(pairs), -1)
    p = pairs[at]
    order = np.argsort(p, kind="stable")
    stepped = np.minimum(np.maximum.accumulate(p[order] * (len(p) - np.arange(len(p)))), 1.0)
    corrected = np.ones_like(pairs)
    values = np.empty_like(p)
    values[order] = stepped
    corrected[at] = values
    return np.minimum(corrected, corrected.T)
