"""What the experiment is, and how much of it is there."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from bayeshpo.analysis.completeness import completeness
from bayeshpo.analysis.report.blocks import Block, Column, Facts, Table, number, word
from bayeshpo.experiment.status import RunStatus, counted, status
from bayeshpo.experiment.store import Results, RunRecord
from bayeshpo.trial import Status


def overview(results: Results, runs: Sequence[RunRecord]) -> list[Block]:
    """Facts of the experiment, its runs by problem and searcher, and what became of those that are not done."""
    rows = status(results)
    blocks: list[Block] = [_facts(results, runs), _grid(rows, runs)]
    if stuck := [row for row in rows if row.state != "done"]:
        blocks.append(_stuck(stuck))
    return blocks


def _facts(results: Results, runs: Sequence[RunRecord]) -> Facts:
    experiment = results.experiment
    problems, searchers = ([part["label"] for part in experiment[kind]] for kind in ("problems", "searchers"))
    budgets = {part.get("budget", experiment["budget"]) for part in experiment["problems"]}
    statuses = Counter(trial["status"] for run in runs for trial in run.trials)
    failed = sum(count for name, count in statuses.items() if Status(name).failed)
    machine = experiment.get("machine", {})
    pairs = [
        ("Runs", str(completeness(results, runs))),
        ("Problems", f"{len(problems)}: {', '.join(problems)}"),
        ("Searchers", f"{len(searchers)}: {', '.join(searchers)}"),
        ("Seeds", str(experiment["seeds"])),
        ("Budget", f"{' to '.join(str(n) for n in sorted({min(budgets), max(budgets)}))} trials a run"),
        ("Stopping rule", experiment.get("stop") or "none but the budget"),
        ("Trials on record", f"{statuses.total()}, {failed} of them failed"),
        ("Fits on record", str(sum(len(run.inference) for run in runs))),
        ("Posteriors kept", str(sum(len(run.posteriors) for run in runs))),
        ("Versions", ", ".join(f"{name} {version}" for name, version in experiment.get("versions", {}).items())),
        ("Machine", ", ".join(f"{name} {value}" for name, value in machine.items())),
    ]
    return Facts([(name, what) for name, what in pairs if what])


def _grid(rows: Sequence[RunStatus], runs: Sequence[RunRecord]) -> Table:
    statuses: dict[tuple[str, str], Counter[str]] = {}
    for run in runs:
        known = statuses.setdefault((run.problem, run.searcher), Counter())
        known.update(trial["status"] for trial in run.trials)
    cells = []
    for pair in dict.fromkeys((row.problem, row.searcher) for row in rows):
        own = [row for row in rows if (row.problem, row.searcher) == pair]
        trials = statuses.get(pair, Counter())
        failed = sum(count for name, count in trials.items() if Status(name).failed)
        done = sum(row.state == "done" for row in own)
        cells.append(
            [word(pair[0]), word(pair[1]), number(len(own)), number(done), word(counted(own)), number(trials.total()),
             number(failed), number(own[0].budget)]
        )  # fmt: skip
    columns = [
        Column("problem", numeric=False), Column("searcher", numeric=False), Column("runs", "asked for"),
        Column("done"), Column("state", numeric=False), Column("trials", "on record, in all runs"),
        Column("failed", "trials without a value, a curve or a bound"), Column("budget", "trials a run"),
    ]  # fmt: skip
    return Table("Runs by problem and searcher", columns, cells)


def _stuck(rows: Sequence[RunStatus]) -> Table:
    cells = [
        [word(row.problem), word(row.searcher), number(row.seed), word(row.state), number(row.trials),
         number(row.budget), word(row.reason)] for row in rows
    ]  # fmt: skip
    columns = [
        Column("problem", numeric=False), Column("searcher", numeric=False), Column("seed"),
        Column("state", "running: a process holds it; interrupted: begun, and nobody works on it", numeric=False),
        Column("trials"), Column("budget"), Column("reason", numeric=False),
    ]  # fmt: skip
    return Table("Runs that are not done", columns, cells)
