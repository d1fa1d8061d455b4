"""Rank tests and expected running times as macros."""

from __future__ import annotations

import itertools

import numpy as np

from bayeshpo.analysis.latex import number
from bayeshpo.analysis.macros import Macro
from bayeshpo.analysis.scores import tests_of
from bayeshpo.analysis.statistics.targets import expected_running_time, first_hits, typical_time
from bayeshpo.analysis.traces import Traces

# Normalised regret of which the running time is told, that of `bayeshpo compare`'s model of times.
_TARGET = 0.01


def rank_numbers(name: str, compared: Traces) -> list[Macro]:
    """Friedman's p-value, those of each pair corrected by Holm, and the evaluations each searcher needs to the target.

    Of what is compared; p-values from three searchers and two problems on. "--" is a target that is not reached on
    half of the problems.
    """
    macros, tests = [], tests_of(compared)
    if tests is not None:
        macros.append(((name, "overall", "friedman"), number(tests.friedman, 2)))
        for (i, first), (j, second) in itertools.combinations(enumerate(compared.searchers), 2):
            macros.append(((name, "overall", first, "against", second), number(float(tests.pairs[i, j]), 2)))
    hits = first_hits(compared.normalised(), np.array([_TARGET]))
    times = typical_time(expected_running_time(hits, compared.whole, compared.budgets))[:, 0]
    for searcher, time in zip(compared.searchers, times.tolist(), strict=True):
        macros.append(((name, "overall", searcher, "running time"), number(time)))
    return macros
