"""One run from its records to its end, and the process that executes runs one after another."""

from __future__ import annotations

import os
import signal
import traceback
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Protocol

from bayeshpo.errors import told
from bayeshpo.evaluators import Evaluator, InTurn, elsewhere
from bayeshpo.experiment.keep import is_due
from bayeshpo.experiment.spec import RunSpec
from bayeshpo.experiment.writer import RunWriter
from bayeshpo.problem import Problem, is_noisy, true_value
from bayeshpo.processes import end_with_parent
from bayeshpo.study import Study
from bayeshpo.trial import Suggestion, Trial


@dataclass(frozen=True)
class Progress:
    """How far a run has come.

    Attributes
    ----------
    run
        The run's identity.
    trials, failed
        Number of trials so far, and how many of them have no value.
    best
        Best value so far, in the problem's own direction.
    done
        Whether the run has ended.
    ended_early
        Why it ended before its budget was spent.
    error
        Why it could not go on.
    again
        Why another worker takes it up again.
    damage
        What was wrong with the end of its record, as it is taken up.
    """

    run: str
    trials: int = 0
    failed: int = 0
    best: float | None = None
    done: bool = False
    ended_early: str | None = None
    error: str | None = None
    again: str | None = None
    damage: str | None = None

    @property
    def ended(self) -> bool:
        """Whether nobody works on it any more."""
        return self.done or self.error is not None


class Display(Protocol):
    """Where progress is shown."""

    def update(self, progress: Progress) -> None:
        """Take notice of how far a run has come."""
        ...


def execute(run: RunSpec, path: Path, report: Callable[[Progress], None], executor: Any = None) -> None:
    """Take a run from its records in a folder to its end, recording each trial as it finishes.

    Where trials are evaluated at once, an executor may be given for them, as `bayeshpo.evaluators.several` takes it.

    Raises
    ------
    RecordError
        If the records are damaged or held by another process.
    """
    problem, searcher = run.problem.build(run.data_dir), run.searcher.build()
    with RunWriter(path, run.to_record()) as writer:
        trials = [Trial.from_record(record) for record in writer.record.trials]
        pending = [Suggestion.from_record(row) for row in writer.record.pending]
        # The problem's key, not the run's, names the random streams: searchers are compared on equal terms.
        study = Study(
            problem.space, searcher, run.direction, run.seed, name=run.problem.key, trials=trials,
            pending=pending, noisy=is_noisy(problem), **run.aims,
        )  # fmt: skip
        report(replace(_progress(run, study), damage=writer.record.damage))
        recorded = 0
        _keep(run, study, writer)
        for step in study.steps(problem, run.budget, run.rule(), evaluator=_evaluator(run, problem, executor)):
            if isinstance(step, Suggestion):
                if run.parallel > 1:
                    writer.propose(step.to_record(), study.reports[recorded:])
                    recorded = len(study.reports)
                continue
            # The true value is for the records alone: a study and its searcher must not know it.
            record = step.to_record() | {"true_value": true_value(problem, step)}
            writer.append(record, study.reports[recorded:])
            recorded = len(study.reports)
            _keep(run, study, writer)
            report(_progress(run, study))
        _keep(run, study, writer, last=True)
        writer.finish(_ending(run, study))
    report(_progress(run, study, done=True))


def attempt(run: RunSpec, path: Path, report: Callable[[Progress], None], executor: Any = None) -> None:
    """`execute`, and report why it could not go on, which the run's folder keeps in ``error.txt``."""
    try:
        execute(run, path, report, executor)
    except Exception as error:
        text = told(error)[:300]
        report(Progress(run.id, error=text + note_failure(path, f"{text}\n\n{traceback.format_exc()}")))


def note_failure(path: Path, text: str) -> str:
    """Keep why a run could not go on in its folder, in a line and what else is known; where that is, in words."""
    try:
        path.mkdir(parents=True, exist_ok=True)
        (path / "error.txt").write_text(text + "\n", encoding="utf-8")
    except OSError:
        # Where the trouble is the disk itself, only the screen is left to say so.
        return ""
    return f" (see {path / 'error.txt'})"


def serve(connection: Connection, log: Path) -> None:
    """Execute the runs that come over a connection, until None comes or the parent is gone.

    Whatever libraries print goes to a log, since the screen belongs to the parent.
    """
    # Ctrl-C reaches every process of the terminal; the parent decides.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # Its runs may be taken up by another command at once.
    end_with_parent()
    with log.open("ab") as stream:
        os.dup2(stream.fileno(), 1)
        os.dup2(stream.fileno(), 2)
    while True:
        try:
            task: tuple[RunSpec, Path] | None = connection.recv()
        except EOFError:
            return
        if task is None:
            return
        attempt(*task, connection.send)


def _evaluator(run: RunSpec, problem: Problem, executor: Any) -> Evaluator:
    if run.parallel == 1:
        return InTurn(problem)
    return elsewhere(partial(run.problem.build, run.data_dir), run.parallel, executor)


def _keep(run: RunSpec, study: Study, writer: RunWriter, *, last: bool = False) -> None:
    n = len(study.history)
    if run.keep == "none" or not run.fits or study.best is None or writer.posterior_path(n).exists():
        return
    if last or is_due(run.keep, study.history):
        writer.keep_posterior(study.posterior, n)


def _progress(run: RunSpec, study: Study, *, done: bool = False) -> Progress:
    history, best = study.history, study.best
    failed = int(history.failed.sum())
    reason = study.ending.reason if study.ending is not None and study.ending.status != "finished" else None
    return Progress(run.id, len(history), failed, None if best is None else best.value, done, reason)


def _ending(run: RunSpec, study: Study) -> dict[str, Any]:
    n, best, recommended = len(study.history), study.best, study.recommendation
    assert study.ending is not None
    recommendation = None
    if recommended is not None:
        recommendation = {
            "configuration": recommended.configuration,
            "value": recommended.value,
            "index": recommended.suggestion.index,
        }
    return {
        "status": study.ending.status,
        "reason": study.ending.reason,
        "stop": run.stop,
        "trials": n,
        "failed": int(study.history.failed.sum()),
        "best": None if best is None else best.value,
        "recommendation": recommendation,
        "seconds": study.history.seconds,
    }
