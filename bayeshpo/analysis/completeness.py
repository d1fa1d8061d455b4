"""How much of an experiment is there: finished, unfinished and missing runs."""

from __future__ import annotations

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


def completeness(results: Results, runs: list[RunRecord]) -> Completeness:
    """Count the runs of a results folder against its experiment's file."""
    finished = sum(is_finished(run) for run in runs)
    expected = max(_expected(results.experiment), len(runs))
    return Completeness(expected, finished, len(runs) - finished)


def _expected(experiment: dict[str, Any]) -> int:
    problems = [part["label"] for part in experiment["problems"]]
    pairs = sum(len(searcher.get("problems") or problems) for searcher in experiment["searchers"])
    return pairs * experiment["seeds"]
