"""Which runs an aggregate over problems is of, and which are left out: as counts, and in sentences."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bayeshpo.analysis.traces import Traces
from bayeshpo.analysis.wording import counted, listed

# Why there may be none.
NOTHING = "no two searchers have come to their end on every problem with one seed"
# So many problems are named in a sentence, and further ones counted.
_NAMED = 5


def comparable(traces: Traces) -> Traces | None:
    """The part that can be compared; None if it has not two searchers."""
    compared = traces.comparable()
    return compared if len(compared.searchers) > 1 and compared.problems else None


@dataclass(frozen=True)
class RunCount:
    """One searcher's runs.

    Attributes
    ----------
    compared
        Whole runs that the aggregate is of.
    asked
        Runs that were asked for, on whatever problem.
    missing
        Those of them that are missing or unfinished.
    """

    compared: int
    asked: int
    missing: int

    def __str__(self) -> str:
        if self.compared == self.asked:
            return str(self.asked)
        return f"{self.compared} of {self.asked}" + (f", {self.missing} missing" if self.missing else "")


def run_counts(compared: Traces) -> list[RunCount]:
    """The runs of each searcher that is compared (S,), counted against all problems."""
    source = compared.source or compared
    asked = source.expected.sum(axis=0)
    missing = np.maximum(source.expected - source.whole.sum(axis=2), 0).sum(axis=0)
    at = [source.searchers.index(label) for label in compared.searchers]
    whole = compared.whole.sum(axis=(0, 2))
    return [RunCount(int(whole[s]), int(asked[i]), int(missing[i])) for s, i in enumerate(at)]


def coverage(compared: Traces) -> str:
    """The sentences of `covered` as one text."""
    return " ".join(covered(compared))


def covered(compared: Traces) -> list[str]:
    """Sentences: searchers, problems, seeds and runs of what is compared, and what `Traces.comparable` left out."""
    source = compared.source or compared
    seeds = [int(n) for n in compared.whole.sum(axis=2).ravel()]
    runs, asked = sum(seeds), int(source.expected.sum())
    sentences = [
        f"{counted([len(compared.searchers)], 'searcher')} on {counted([len(compared.problems)], 'problem')}, "
        f"{counted(seeds, 'seed')} on each: {counted([runs], 'run') if runs == asked else f'{runs} of {asked} runs'}."
    ]
    if absent := [s for s in source.searchers if s not in compared.searchers]:
        sentences.append(f"Left out: {listed(absent)}, not asked for on every problem, or without a whole run.")
    if dropped := [p for p in source.problems if p not in compared.problems]:
        sentences.append(
            f"{counted([len(dropped)], 'problem')} left out, on which no seed has all of these searchers: "
            f"{_named(dropped)}."
        )
    if source.missing:
        sentences.append(f"{counted([source.missing], 'run')} missing or unfinished, and left out.")
    return sentences


def unfinished(traces: Traces, problems: Sequence[int]) -> list[str]:
    """A sentence where runs on some problems, by index, are shown that have not come to their end."""
    count = int(np.sum((traces.lengths > 0) & ~traces.whole, axis=(1, 2))[problems].sum())
    return [f"{counted([count], 'run')} unfinished, and drawn with the trials on record."] if count else []


def _named(labels: list[str]) -> str:
    if len(labels) <= _NAMED:
        return listed(labels)
    return listed([*labels[:_NAMED], counted([len(labels) - _NAMED], "other")])
