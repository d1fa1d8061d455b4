"""Running an experiment: equal trials however it is run, and what kills, interrupts and errors leave behind."""

from __future__ import annotations

import io
import multiprocessing
import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from typer.testing import CliRunner

from bayeshpo.cli import app
from bayeshpo.experiment import spec
from bayeshpo.experiment.display import ProgressTable
from bayeshpo.experiment.runner import run_plan
from bayeshpo.experiment.spec import Plan
from bayeshpo.experiment.store import Results
from bayeshpo.experiment.worker import Progress

BUDGET = 500
LONG = f"""
name = "long"
budget = {BUDGET}
[[problems]]
name = "branin"
[[searchers]]
name = "random"
"""
MIXED = """
name = "mixed"
budget = 8
seeds = 2
[[problems]]
name = "branin"
[[problems]]
name = "logistic_breast_cancer"
label = "logistic"
budget = 3
[[searchers]]
name = "random"
[[searchers]]
name = "hypergradient"
problems = ["logistic"]
"""
# A process started in the background of a shell may have inherited that Ctrl-C is ignored.
START = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); from bayeshpo.cli import main; main()"
KILLED_AFTER = 30


class Recorder:
    """A display that keeps what it is told."""

    def __init__(self, react: Callable[[Progress], None] | None = None) -> None:
        self.seen: list[Progress] = []
        self._react = react

    def update(self, progress: Progress) -> None:
        self.seen.append(progress)
        if self._react is not None:
            self._react(progress)


def planned(tmp_path: Path, text: str, **options: Any) -> Plan:
    path = tmp_path / "q.toml"
    path.write_text(text)
    return spec.read(path, **options)


def execute(plan: Plan, results: Path, workers: int = 1) -> dict[str, str]:
    return run_plan(plan, results, workers=workers, display=Recorder())


def trials(results: Path) -> dict[tuple[str, str, int], list[dict[str, Any]]]:
    """All that is not a measured time, by run."""
    clocks = ("seconds_ask", "seconds_evaluate")
    return {
        (run.problem, run.searcher, run.seed): [
            {key: value for key, value in record.items() if key not in clocks} for record in run.trials
        ]
        for run in Results(results).runs()
    }


def start(tmp_path: Path, *arguments: str) -> subprocess.Popen[str]:
    environment = {key: value for key, value in os.environ.items() if key != "UV_RUN_RECURSION_DEPTH"}
    return subprocess.Popen(
        [sys.executable, "-c", START, *arguments],
        cwd=tmp_path, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def wait_for_lines(results: Path, n: int, process: subprocess.Popen[str]) -> None:
    while sum(path.read_bytes().count(b"\n") for path in results.glob("runs/*/trials.jsonl")) < n:
        assert process.poll() is None, process.communicate()
        time.sleep(0.002)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("undisturbed")
    assert execute(planned(folder, LONG), folder / "results") == {}
    return folder / "results"


def test_trials_do_not_depend_on_the_number_of_workers(tmp_path: Path) -> None:
    plan = planned(tmp_path, MIXED)
    assert execute(plan, tmp_path / "one", workers=1) == {}
    assert execute(plan, tmp_path / "two", workers=2) == {}
    one = trials(tmp_path / "one")
    assert one == trials(tmp_path / "two")
    assert {key: len(records) for key, records in one.items()} == {
        ("branin", "random", 0): 8, ("branin", "random", 1): 8,
        ("logistic", "random", 0): 3, ("logistic", "random", 1): 3,
        ("logistic", "hypergradient", 0): 3, ("logistic", "hypergradient", 1): 3,
    }  # fmt: skip
    assert one["branin", "random", 0] != one["branin", "random", 1]
    assert all(run.done and run.done["status"] == "finished" for run in Results(tmp_path / "one").runs())


def test_larger_budget_and_more_seeds_go_on_from_the_records(tmp_path: Path, undisturbed: Path) -> None:
    execute(planned(tmp_path, LONG, budget=100), tmp_path / "r")
    (first,) = Results(tmp_path / "r").runs()
    before = (first.path / "trials.jsonl").read_bytes()
    assert before.count(b"\n") == 100
    assert execute(planned(tmp_path, LONG, seeds=2), tmp_path / "r") == {}
    assert (first.path / "trials.jsonl").read_bytes().startswith(before)
    grown, direct = trials(tmp_path / "r"), trials(undisturbed)
    assert grown["branin", "random", 0] == direct["branin", "random", 0]
    assert len(grown["branin", "random", 1]) == BUDGET


def test_finished_runs_are_not_run_again(tmp_path: Path, undisturbed: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in undisturbed.rglob("*") if path.is_file()}
    display = Recorder()
    assert run_plan(planned(tmp_path, LONG), undisturbed, workers=2, display=display) == {}
    assert {path: path.stat().st_mtime_ns for path in undisturbed.rglob("*") if path.is_file()} == before
    (progress,) = display.seen
    assert (progress.done, progress.trials) == (True, BUDGET)


def test_exhausted_space_ends_a_run(tmp_path: Path) -> None:
    text = 'name = "g"\nbudget = 100\n[[problems]]\nname = "mlp_iris"\ndiscrete = true\nepochs = 1\n'
    plan = planned(tmp_path, text + '[[searchers]]\nname = "grid"\n')
    assert execute(plan, tmp_path / "r") == {}
    (run,) = Results(tmp_path / "r").runs()
    assert run.done is not None
    assert (run.done["status"], run.done["trials"]) == ("exhausted", len(run.trials))
    assert len(run.trials) < 100
    display = Recorder()
    run_plan(plan, tmp_path / "r", workers=1, display=display)
    assert [progress.done for progress in display.seen] == [True]


def test_run_that_its_rule_ended_stands_until_the_rule_is_another_one(tmp_path: Path) -> None:
    def ran(stop: str) -> tuple[int, str, list[int]]:
        plan, display = planned(tmp_path, stop + LONG, budget=7), Recorder()
        assert run_plan(plan, tmp_path / "r", workers=1, display=display) == {}
        (run,) = Results(tmp_path / "r").runs()
        assert run.done is not None
        return len(run.trials), run.done["reason"], [progress.trials for progress in display.seen]

    assert ran('stop = "budget(3)"') == (3, "budget of 3 trials spent", [0, 1, 2, 3, 3])
    assert ran('stop = "budget( 3 )"') == (3, "budget of 3 trials spent", [3])
    assert ran('stop = "budget(5)"') == (5, "budget of 5 trials spent", [3, 4, 5, 5])
    assert ran("") == (7, "budget of 7 trials spent", [5, 6, 7, 7])


def test_run_that_its_rule_ended_and_that_lost_a_trial_since_goes_on(tmp_path: Path) -> None:
    plan = planned(tmp_path, 'stop = "budget(3)"' + LONG, budget=7)
    assert execute(plan, tmp_path / "r") == {}
    (whole,) = trials(tmp_path / "r").values()
    (run,) = Results(tmp_path / "r").runs()
    os.truncate(run.path / "trials.jsonl", (run.path / "trials.jsonl").stat().st_size - 1)
    (run,) = Results(tmp_path / "r").runs()
    assert not run.ended_early
    display = Recorder()
    assert run_plan(plan, tmp_path / "r", workers=1, display=display) == {}
    assert [progress.trials for progress in display.seen] == [2, 3, 3]
    damage = "the last line of its record is damaged"
    assert [progress.damage for progress in display.seen] == [damage, None, None]
    assert list(trials(tmp_path / "r").values()) == [whole]


def test_a_line_says_why_a_run_ended_early(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    planned(tmp_path, 'stop = "budget(3)"' + LONG)
    for _ in range(2):
        lines = CliRunner().invoke(app, ["run", "q.toml", "--workers", "1"]).stdout.splitlines()
        (line,) = [line for line in lines if line.startswith("[1/1] ")]
        assert ", budget of 3 trials spent" in line
        assert "long: all 1 runs finished" in lines


def test_killed_experiment_goes_on_to_the_same_trials(tmp_path: Path, undisturbed: Path) -> None:
    plan = planned(tmp_path, LONG)
    with start(tmp_path, "run", "q.toml", "--results", "results") as process:
        wait_for_lines(tmp_path / "results", KILLED_AFTER, process)
        process.send_signal(signal.SIGKILL)
    ((_, kept),) = trials(tmp_path / "results").items()
    assert KILLED_AFTER <= len(kept) < BUDGET
    assert execute(plan, tmp_path / "results") == {}
    assert trials(tmp_path / "results") == trials(undisturbed)


def test_ctrl_c_keeps_trials_and_prints_the_command_that_resumes(tmp_path: Path, undisturbed: Path) -> None:
    planned(tmp_path, LONG)
    with start(tmp_path, "run", "q.toml", "--results", "my results", "--workers", "1") as process:
        wait_for_lines(tmp_path / "my results", KILLED_AFTER, process)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (130, "")
    ((_, kept),) = trials(tmp_path / "my results").items()
    assert KILLED_AFTER <= len(kept) < BUDGET
    *_, message, command = out.splitlines()
    assert message == f"Interrupted. {len(kept)} finished trials are kept in my results; go on with:"
    assert command == "  bayeshpo run q.toml --workers 1 --results 'my results'"
    with start(tmp_path, *shlex.split(command)[1:]) as process:
        process.communicate(timeout=120)
    assert process.returncode == 0
    assert trials(tmp_path / "my results") == trials(undisturbed)


def test_run_of_a_worker_that_dies_is_taken_up_again(tmp_path: Path, undisturbed: Path) -> None:
    plan = planned(tmp_path, LONG, seeds=2)
    victims: list[str] = []

    def kill_first(progress: Progress) -> None:
        if not victims and progress.trials == KILLED_AFTER:
            victims.append(progress.run)
            (worker,) = multiprocessing.active_children()
            worker.kill()

    display = Recorder(kill_first)
    assert run_plan(plan, tmp_path / "r", workers=1, display=display) == {}
    again = "its worker process died with exit code -9; another one goes on with it"
    assert [(progress.run, progress.again) for progress in display.seen if progress.again] == [(victims[0], again)]
    found = trials(tmp_path / "r")
    assert {len(records) for records in found.values()} == {BUDGET}
    assert found["branin", "random", 0] == trials(undisturbed)["branin", "random", 0]


def test_run_with_damaged_records_is_reported_and_left_alone(tmp_path: Path, undisturbed: Path) -> None:
    shutil.copytree(undisturbed, tmp_path / "r")
    (run,) = Results(tmp_path / "r").runs()
    damaged = run.path / "trials.jsonl"
    lines = damaged.read_bytes().splitlines(keepends=True)
    damaged.write_bytes(b"".join([lines[0], b"no record\n", *lines[2:]]))
    before = damaged.read_bytes()
    plan = planned(tmp_path, LONG, budget=BUDGET + 1, seeds=2)
    errors = execute(plan, tmp_path / "r")
    assert list(errors) == [run.run_id]
    assert "trials.jsonl, line 2: expected a JSON mapping" in errors[run.run_id]
    assert "Traceback" in (run.path / "error.txt").read_text()
    assert damaged.read_bytes() == before
    assert (tmp_path / "r" / "runs" / plan.runs[1].id / "done.json").exists()


def test_exit_code_says_that_a_run_was_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (run,) = planned(tmp_path, LONG, budget=3).runs
    # A folder where a file is to be written.
    (Path("results/long/runs") / run.id / "done.json.partial").mkdir(parents=True)
    result = CliRunner().invoke(app, ["run", "q.toml", "--workers", "1", "--budget", "3"])
    assert result.exit_code == 1
    assert "stopped: branin, random, seed 0: IsADirectoryError" in result.stderr
    assert len(Results("results/long").trials()) == 3


def test_foreign_folder_is_refused_before_anything_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    planned(tmp_path, MIXED)
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "text.tex").write_text("text")
    result = CliRunner().invoke(app, ["run", "q.toml", "--results", "thesis"])
    assert result.exit_code == 2
    assert result.stderr == (
        "bayeshpo: thesis: not empty, and not a results folder; give another folder with --results\n"
    )
    assert [path.name for path in (tmp_path / "thesis").iterdir()] == ["text.tex"]


def test_progress_table_counts_runs_trials_and_failures(tmp_path: Path) -> None:
    plan = planned(tmp_path, MIXED)
    table = ProgressTable(plan)
    first, second = plan.runs[:2]
    table.update(Progress(first.id, 3, 1, 0.75, damage="the last line of its record is damaged"))
    table.update(Progress(first.id, 4, 1, 0.75, done=True))
    table.update(Progress(second.id, 2, 0, 0.5))
    table.update(Progress(second.id, error="ValueError: no"))
    console = Console(width=100, record=True, file=io.StringIO())
    console.print(table)
    text = console.export_text()
    assert "branin, random, seed 0: the last line of its record is damaged" in text
    (row,) = [line for line in text.splitlines() if "branin" in line and "seed" not in line]
    cells = [cell.strip() for cell in row.strip("│").split("│")]
    assert cells == ["branin", "random", "1/2, 1 stopped", "6/16", "1", "0.5"]
