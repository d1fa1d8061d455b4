"""What figures of searchers over problems say of the runs that they are made of."""

from __future__ import annotations

from bayeshpo.analysis.figures.style import counted, listed
from bayeshpo.analysis.traces import Traces

# Why there may be no such figure.
NOTHING = "no two searchers have come to their end on every problem with one seed"


def comparable(traces: Traces) -> Traces | None:
    """The part that can be compared; None if it has not two searchers."""
    compared = traces.comparable()
    return compared if len(compared.searchers) > 1 and compared.problems else None


def coverage(traces: Traces, compared: Traces) -> str:
    """Sentences of a caption: searchers, problems and seeds, and what is left out."""
    seeds = [int(n) for n in compared.whole.sum(axis=2).ravel()]
    problems = counted([len(compared.problems)], "problem")
    parts = [f"{len(compared.searchers)} searchers on {problems}, {counted(seeds, 'seed')} on each."]
    absent = [s for s in traces.searchers if s not in compared.searchers]
    if absent:
        parts.append(f"Left out: {listed(absent)}, which did not work on every problem.")
    dropped = len(traces.problems) - len(compared.problems)
    if dropped:
        parts.append(f"{counted([dropped], 'problem')} left out, on which no seed has all of these searchers.")
    if traces.missing:
        parts.append(f"{counted([traces.missing], 'run')} missing or unfinished, and left out.")
    return " ".join(parts)
