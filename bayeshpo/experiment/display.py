"""Progress of an experiment: a live table on a terminal, a line a run elsewhere."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from rich import box
from rich.console import Console
from rich.live import Live
from rich.table import Table

from bayeshpo.experiment.spec import Plan, RunSpec
from bayeshpo.experiment.status import STATES, RunStatus, counted
from bayeshpo.experiment.worker import Display, Progress


class ProgressTable:
    """A row per problem and searcher, all its seeds together."""

    def __init__(self, plan: Plan) -> None:
        self._name = plan.experiment.name
        self._runs = plan.runs
        # All keys from the start: the screen is refreshed by another thread.
        self._latest = {run.id: Progress(run.id) for run in plan.runs}
        self._damages: dict[str, str] = {}
        self._start = time.monotonic()

    def update(self, progress: Progress) -> None:
        """Take notice of how far a run has come."""
        self._latest[progress.run] = _kept(progress, self._latest[progress.run])
        if progress.damage is not None:
            self._damages[progress.run] = progress.damage

    def __rich__(self) -> Table:
        table = Table(title=self._name, caption=self._caption(), caption_justify="left")
        table.add_column("problem", overflow="fold")
        table.add_column("searcher", overflow="fold")
        for column in ("runs", "trials", "failed trials", "best value"):
            table.add_column(column, justify="right")
        groups: dict[tuple[str, str], list[RunSpec]] = {}
        for run in self._runs:
            groups.setdefault((run.problem.label, run.searcher.label), []).append(run)
        for labels, runs in groups.items():
            table.add_row(*labels, *self._cells(runs))
        return table

    def _cells(self, runs: Sequence[RunSpec]) -> list[str]:
        states = [self._latest[run.id] for run in runs]
        failed = sum(state.failed for state in states)
        values = [state.best for state in states if state.best is not None]
        best = min if runs[0].direction == "minimize" else max
        stopped = sum(state.error is not None for state in states)
        done = f"{sum(state.done for state in states)}/{len(runs)}"
        return [
            f"[red]{done}, {stopped} stopped[/red]" if stopped else done,
            f"{sum(state.trials for state in states)}/{sum(run.budget for run in runs)}",
            str(failed) if failed else "",
            f"{best(values):.6g}" if values else "",
        ]

    def _caption(self) -> str:
        trials = sum(state.trials for state in self._latest.values())
        budget = sum(run.budget for run in self._runs)
        done = sum(state.done for state in self._latest.values())
        minutes, seconds = divmod(int(time.monotonic() - self._start), 60)
        damaged = [f"{describe(run)}: {self._damages[run.id]}" for run in self._runs if run.id in self._damages]
        counts = f"{done}/{len(self._runs)} runs, {trials}/{budget} trials, {minutes}:{seconds:02d}"
        return "\n".join([counts, *damaged])


class ProgressLines:
    """A line per run when it starts and when it ends."""

    def __init__(self, plan: Plan, console: Console) -> None:
        self._runs = {run.id: run for run in plan.runs}
        self._console = console
        self._begun: dict[str, float] = {}
        self._ended = 0

    def update(self, progress: Progress) -> None:
        """Take notice of how far a run has come."""
        run = self._runs[progress.run]
        begun = self._begun.get(run.id)
        if progress.again is not None:
            self._print(run, progress.again)
        elif progress.ended:
            self._ended += 1
            seconds = "" if begun is None else f", {time.monotonic() - begun:.1f} s"
            self._print(run, f"{_state(progress)}{seconds}")
        elif begun is None:
            self._begun[run.id] = time.monotonic()
            damage = "" if progress.damage is None else f"; {progress.damage}"
            self._print(run, f"begins at trial {progress.trials} of {run.budget}{damage}")

    def _print(self, run: RunSpec, text: str) -> None:
        counter = f"[{self._ended}/{len(self._runs)}]"
        line = f"{counter} {describe(run)}: {text}"
        self._console.print(line, markup=False, highlight=False, soft_wrap=True)


@contextmanager
def display(plan: Plan, console: Console) -> Iterator[Display]:
    """What suits the console: the live table on a terminal, lines elsewhere."""
    if console.is_terminal:
        table = ProgressTable(plan)
        with Live(table, console=console, refresh_per_second=4):
            yield table
    else:
        yield ProgressLines(plan, console)


def print_status(name: str, rows: Sequence[RunStatus], console: Console) -> None:
    """A table of how many runs are in which state, why some failed or what they lost, and what to do."""
    table = Table(title=f"Runs of {name}", title_justify="left", box=box.SIMPLE, padding=(0, 1, 0, 0))
    for column in ("problem", "searcher"):
        table.add_column(column, overflow="fold")
    shown = [state for state in STATES if state == "done" or any(row.state == state for row in rows)]
    for column in ("runs", *shown, "trials"):
        table.add_column(column, justify="right", no_wrap=True)
    groups: dict[tuple[str, str], list[RunStatus]] = {}
    for row in rows:
        groups.setdefault((row.problem, row.searcher), []).append(row)
    for labels, group in groups.items():
        counts = [sum(row.state == state for row in group) for state in shown]
        trials = f"{sum(row.trials for row in group)}/{sum(row.budget for row in group)}"
        table.add_row(*labels, str(len(group)), *(str(count) if count else "" for count in counts), trials)
    console.print(table)
    for row in rows:
        if row.reason is not None:
            run = f"{row.problem}, {row.searcher}, seed {row.seed}"
            line = f"{row.state}: {run}, after {row.trials} trials: {row.reason}"
            console.print(line, markup=False, highlight=False, soft_wrap=True)
    left = sum(row.state != "done" for row in rows)
    words = f"{counted(rows)} of {len(rows)} runs." + (
        " 'bayeshpo run' with its file does what is left." if left else ""
    )
    console.print(words, highlight=False, soft_wrap=True)


def describe(run: RunSpec) -> str:
    """A run in words."""
    return f"{run.problem.label}, {run.searcher.label}, seed {run.seed}"


def _state(progress: Progress) -> str:
    if progress.error is not None:
        return f"stopped: {progress.error}"
    best = "no value" if progress.best is None else f"best {progress.best:.6g}"
    failed = f", {progress.failed} failed" if progress.failed else ""
    early = f", {progress.ended_early}" if progress.ended_early else ""
    return f"{progress.trials} trials, {best}{failed}{early}"


def _kept(new: Progress, old: Progress) -> Progress:
    """An error, or the death of a worker, says nothing about trials: those known before still stand."""
    if new.error is None and new.again is None:
        return new
    return Progress(new.run, old.trials, old.failed, old.best, error=new.error)
