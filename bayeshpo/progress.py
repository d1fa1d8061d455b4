"""A line in the terminal that shows how far a study is."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from bayeshpo.trial import Trial


def with_progress(trials: Iterator[Trial], study: Any, budget: int) -> Iterator[Trial]:
    """The trials as they come, and how far a `Study` is with its budget."""
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    columns = (
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(),
        TextColumn("left"), TimeRemainingColumn(), TextColumn("{task.fields[best]}"),
    )  # fmt: skip
    with Progress(*columns) as bar:
        task = bar.add_task(study.searcher.name, total=budget, completed=len(study.history), best="")
        for trial in trials:
            best = study.best
            shown = "no finished trial yet" if best is None else f"best {best.value:.6g}"
            bar.update(task, completed=len(study.history), best=shown)
            yield trial
        if study.ending is not None and study.ending.status != "finished":
            bar.update(task, best=study.ending.reason)
