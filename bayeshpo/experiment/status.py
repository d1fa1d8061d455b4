"""What has become of every run that an experiment asks for."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from bayeshpo.errors import RecordError
from bayeshpo.experiment.rules import parse
from bayeshpo.experiment.store import Results, RunRecord, has_ended, read_json

State = Literal["done", "running", "failed", "interrupted", "missing"]
# A disk that is full keeps a file, and nothing in it.
_UNWRITTEN = "its reason could not be written; is the disk full?"
STATES: tuple[State, ...] = ("done", "running", "failed", "interrupted", "missing")


@dataclass(frozen=True)
class RunStatus:
    """What has become of one run.

    Attributes
    ----------
    problem, searcher, seed
        Labels and seed.
    state
        "done"; "running": a process holds it; "failed": it had to stop; "interrupted": begun, and nobody works on it;
        "missing": never begun.
    trials, budget
        How many trials it has, and is to have.
    reason
        Why it failed, or what its record lost when it was interrupted.
    """

    problem: str
    searcher: str
    seed: int
    state: State
    trials: int
    budget: int
    reason: str | None = None


def status(results: Results) -> list[RunStatus]:
    """Every run that the experiment asks for, those that were never begun among them; nothing on disk is changed."""
    found = {}
    for path in sorted((results.path / "runs").glob("*/spec.json")):
        spec = read_json(path)
        found[spec["problem"]["label"], spec["searcher"]["label"], spec["seed"]] = path.parent
    experiment, rows = results.experiment, []
    for problem in experiment["problems"]:
        budget = problem.get("budget", experiment["budget"])
        for searcher in experiment["searchers"]:
            if problem["label"] not in searcher.get("problems", [problem["label"]]):
                continue
            stop = searcher.get("stop", experiment.get("stop"))
            for seed in range(experiment["seeds"]):
                labels = problem["label"], searcher["label"], seed
                rows.append(_status(labels, found.get(labels), budget, stop))
    return rows


def counted(rows: Sequence[RunStatus]) -> str:
    """How many runs are in which state, in words."""
    counts = Counter(row.state for row in rows)
    return ", ".join(f"{counts[state]} {state}" for state in STATES if counts[state])


def _status(labels: tuple[str, str, int], path: Path | None, budget: int, stop: str | None) -> RunStatus:
    if path is None:
        return RunStatus(*labels, "missing", 0, budget)
    try:
        run = RunRecord.read(path)
    except RecordError as error:
        return RunStatus(*labels, "failed", 0, budget, str(error))
    n = len(run.trials)
    if run.done is not None and has_ended(run.done, budget, None if stop is None else str(parse(stop))):
        return RunStatus(*labels, "done", n, budget)
    if _held(path / "trials.jsonl"):
        return RunStatus(*labels, "running", n, budget)
    error = path / "error.txt"
    if error.exists():
        reason = error.read_text(encoding="utf-8").partition("\n")[0]
        return RunStatus(*labels, "failed", n, budget, reason or _UNWRITTEN)
    return RunStatus(*labels, "interrupted", n, budget, run.damage)


def _held(path: Path) -> bool:
    """Whether a process is writing a file, as `RunWriter` does."""
    if sys.platform == "win32":
        return False
    import fcntl

    with path.open("rb") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False
