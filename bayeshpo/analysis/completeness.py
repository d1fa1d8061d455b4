"""How much of an experiment is there: finished, unfinished and missing runs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bayeshpo.experiment.store import Results, RunRecord, has_ended


@dataclass(frozen=True)
class Completeness:
    """Number of runs that an experiment asks for, and how many of them are there.

    Attributes
    ----------
    expected
        Runs that the experiment's file asks for.
    finished
        Runs that spent their budget, exhausted their space or were ended by their stopping rule.
    unfinished
        Runs that were begun.
    """

    expected: int
    finished: int
    unfinished: int

    @property
    def missing(self) -> int:
        """Runs not begun."""
        return max(0, self.expected - self.finished - self.unfinished)

    @property
    def complete(self) -> bool:
        """Whether nothing is unfinished or missing."""
        return self.unfinished == 0 and self.missing == 0

    def __str__(self) -> str:
        if self.complete:
            return f"all {self.finished} runs finished"
        parts = [f"{self.finished} of {self.expected} runs finished"]
        parts += [f"{self.unfinished} unfinished"] if self.unfinished else []
        parts += [f"{self.missing} missing"] if self.missing else []
        return ", ".join(parts)


def is_finished(run: RunRecord) -> bool:
    """Whether a run spent its budget or ended early for good; a budget raised later makes it unfinished again."""
    return run.done is not None and has_ended(run.done, run.spec["budget"], run.spec.get("stop"))


def completeness(results: Results, runs: Sequence[RunRecord]) -> Completeness:
    """Count the runs of a results folder against its experiment's file."""
    finished = sum(is_finished(run) for run in runs)
    expected = sum(asked_runs(results.experiment, runs).values())
    return Completeness(expected, finished, len(runs) - finished)


def asked_runs(experiment: Mapping[str, Any], runs: Sequence[RunRecord]) -> dict[tuple[str, str], int]:
    """How many runs an experiment's file asks for, of each problem with each searcher that is to work on it (labels).

    In the file's order. No fewer than were begun; what stands in records alone comes after.
    """
    asked = {
        (problem["label"], searcher["label"]): experiment["seeds"]
        for problem in experiment["problems"]
        for searcher in experiment["searchers"]
        if problem["label"] in (searcher.get("problems") or [problem["label"]])
    }
    begun = Counter((run.problem, run.searcher) for run in runs)
    return {pair: max(asked.get(pair, 0), begun[pair]) for pair in dict.fromkeys([*asked, *begun])}
