"""Every run by itself: how it ended, its trials and its fits."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from bayeshpo.analysis.completeness import is_finished
from bayeshpo.analysis.figures import predictive, trace
from bayeshpo.analysis.losses import aims_of
from bayeshpo.analysis.report.blocks import Block, Cell, Column, Details, Facts, Table, number, word
from bayeshpo.analysis.report.measures import digits, known_measures, statuses
from bayeshpo.analysis.report.svg import figures
from bayeshpo.analysis.summary import short
from bayeshpo.experiment.store import RunRecord
from bayeshpo.trial import Status

# Inches of a run's own figure, and rows of all runs' tables together: what keeps the file small.
_WIDTH = 4.8
_ROWS = 15_000


def run_sections(runs: Sequence[RunRecord]) -> list[Block]:
    """A folded part a run."""
    most = max(50, _ROWS // max(1, len(runs)))
    return [_run(run, most) for run in runs]


def _run(run: RunRecord, most: int) -> Details:
    trials = run.trials
    failed = sum(Status(trial["status"]).failed for trial in trials)
    blocks: list[Block] = [_facts(run, trials, failed), *figures(partial(trace.draw, run), _WIDTH)]
    blocks += figures(partial(predictive.draw, [run]), _WIDTH)
    blocks += [_trials(run, trials, most)] if trials else []
    blocks += [_fits(run.inference, most)] if run.inference else []
    summary = f"{run.problem}, {run.searcher}, seed {run.seed}: {len(trials)} trials"
    marks = [f"{failed} failed"] if failed else []
    marks += [] if is_finished(run) else ["not finished"]
    return Details(summary, blocks, ", ".join(marks))


def _facts(run: RunRecord, trials: Sequence[Mapping[str, Any]], failed: int) -> Facts:
    done = run.done or {}
    values = [trial["value"] for trial in trials if trial["value"] is not None]
    best = (min if run.spec["direction"] == "minimize" else max)(values, default=None)
    recommended = done.get("recommendation") or {}
    error = run.path / "error.txt"
    pairs = [
        ("Ended", done.get("reason") or "not yet"),
        ("Error", error.read_text(encoding="utf-8").partition("\n")[0] if error.exists() else ""),
        ("Trials", f"{len(trials)} of {run.spec['budget']}, {failed} failed"),
        ("Best value", "none" if best is None else short(best, 5)),
        ("Direction", run.spec["direction"]),
        ("Known optimum", "" if run.spec["optimum"] is None else short(run.spec["optimum"], 5)),
        ("Recommended", _configuration(recommended["configuration"]) if recommended else ""),
        ("Seconds", short(done["seconds"]) if "seconds" in done else ""),
        ("Searcher", _configuration({k: v for k, v in run.spec["searcher"].items() if k != "label"})),
        ("Run", run.run_id),
    ]
    return Facts([(name, what) for name, what in pairs if what])


def _configuration(configuration: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} = {_shown(value)}" for name, value in configuration.items())


def _shown(value: Any) -> str:
    return short(value, 4) if isinstance(value, float) else value if isinstance(value, str) else json.dumps(value)


def _trials(run: RunRecord, trials: Sequence[Mapping[str, Any]], most: int) -> Table:
    # Records in small form have no configurations, and less of the rest.
    names = [name for name in run.spec["space"] if any(name in t.get("configuration", {}) for t in trials)]
    metrics = list(aims_of(run).metrics)
    numeric = {name: all(_is_number(t["configuration"].get(name)) for t in trials) for name in names}
    reasons = any(trial.get("reason") for trial in trials)
    cells = []
    for trial in trials[-most:]:
        configuration, outcome = trial.get("configuration", {}), trial.get("metrics") or {}
        cells.append(
            [number(trial["index"]), number(trial["value"], 5), *(number(outcome.get(m), 4) for m in metrics),
             word(trial["status"]), *([word(trial.get("reason"))] if reasons else []),
             *(_setting(configuration.get(n), numeric[n]) for n in names),
             word(trial["origin"]), number(trial["seconds_ask"]), number(trial.get("seconds_evaluate")),
             number(trial["work"])]
        )  # fmt: skip
    columns = [
        Column("trial"), Column("value"), *(Column(m, "a metric") for m in metrics), Column("status", numeric=False),
        *([Column("reason", numeric=False)] if reasons else []),
        *(Column(n, "a hyperparameter", numeric=numeric[n]) for n in names), Column("origin", numeric=False),
        Column("s/ask", "seconds to propose it"), Column("s/eval.", "seconds to evaluate it"), Column("work"),
    ]  # fmt: skip
    return Table("Trials", columns, cells, _shortened(len(trials), most, "trials.jsonl"))


def _is_number(value: Any) -> bool:
    return value is None or (isinstance(value, (int, float)) and not isinstance(value, bool))


def _setting(value: Any, numeric: bool) -> Cell:
    return number(value, 4) if numeric else word(value)


def _fits(rows: Sequence[Mapping[str, Any]], most: int) -> Table:
    measures, words = known_measures(rows), statuses(rows)
    reasons = any(row.get("reason") for row in rows)
    cells = [
        [number(row["n"]), word(row["action"]), word(row["status"]), *([word(row.get("reason"))] if reasons else []),
         *(word(row.get(name)) for name in words),
         *(number(row.get(name), digits(name)) for name in measures)] for row in rows[-most:]
    ]  # fmt: skip
    columns = [
        Column("trials seen"), Column("action", numeric=False), Column("status", numeric=False),
        *([Column("reason", numeric=False)] if reasons else []),
        *words.values(), *measures.values(),
    ]  # fmt: skip
    return Table("Fits of the surrogate", columns, cells, _shortened(len(rows), most, "inference.jsonl"))


def _shortened(count: int, most: int, file: str) -> str:
    return f"The last {most} of {count}; all are in the run's {file}." if count > most else ""
