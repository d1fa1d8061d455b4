"""Runs of experiments whose trials are evaluated several at once: records, replay, kills, Dask."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from simulated_clock import Killed, Simulated, drawn_seconds
from test_executors import scheduler
from test_parallel_trials import indices, study_of

from bayeshpo.analysis.comparison.next_regret import _outcomes
from bayeshpo.analysis.losses import incumbent_losses
from bayeshpo.analysis.recommended import recommended_regret, remaining_regret
from bayeshpo.diagnostics.replay import Replay
from bayeshpo.errors import RecordError, SpecificationError
from bayeshpo.experiment import spec
from bayeshpo.experiment.executors import local
from bayeshpo.experiment.runner import run_plan
from bayeshpo.experiment.spec import RunSpec
from bayeshpo.experiment.store import Results, RunRecord, check_results
from bayeshpo.experiment.worker import Progress, execute
from bayeshpo.trial import Outcome

EXPERIMENT = """
name = "q"
budget = {budget}
{head}
[[problems]]
name = "branin"
wrappers = [{{ name = "noise", scale = 1.0 }}]
[[searchers]]
name = "{searcher}"
"""


def written(folder: Path, searcher: str = "random", budget: int = 20, head: str = "parallel = 3") -> Path:
    path = folder / "q.toml"
    path.write_text(EXPERIMENT.format(searcher=searcher, budget=budget, head=head))
    return path


def run_of(folder: Path, searcher: str = "random", budget: int = 20) -> RunSpec:
    return spec.read(written(folder, searcher, budget)).runs[0]


def executed(run: RunSpec, path: Path, executor: Simulated) -> RunRecord:
    execute(run, path, lambda progress: None, executor)
    return RunRecord.read(path)


@pytest.mark.parametrize("cut", [0, 1, 40])
def test_killed_at_any_trial_none_is_lost_and_none_doubled(tmp_path: Path, on_a_clock: Any, cut: int) -> None:
    run, values = run_of(tmp_path), {}
    for most in range(20):
        path = tmp_path / str(most)
        with pytest.raises(Killed):
            executed(run, path, on_a_clock(drawn_seconds, most))
        before = RunRecord.read(path).trials
        assert len(before) == most
        assert len(RunRecord.read(path).pending) == min(3, 20 - most)
        # A kill may cut the last line short.
        content = (path / "suggestions.jsonl").read_bytes()
        (path / "suggestions.jsonl").write_bytes(
            content[: len(content) - cut] if cut < 40 else content + b'{"index": 9'
        )
        pending = {row["index"]: row for row in RunRecord.read(path).pending}
        after = executed(run, path, on_a_clock())
        assert after.trials[:most] == before
        assert sorted(t["index"] for t in after.trials) == list(range(20))
        assert not after.pending
        rest = {t["index"]: t for t in after.trials[most:]}
        assert all(rest[i].items() >= row.items() for i, row in pending.items())
        assert after.done is not None
        assert after.done["trials"] == 20
        # Configurations and noise go by the trial's number, whatever was done twice.
        values[most] = {t["index"]: t["value"] for t in after.trials}
        for i, record in enumerate(after.trials):
            told = record.get("told", record["index"])
            waiting = set(range(record["index"])) - {t["index"] for t in after.trials[:told]}
            assert len(waiting) == record["index"] - told <= 2
            assert told <= i
    assert all(found == values[0] for found in values.values())


@pytest.mark.parametrize("searcher", ["sobol", "finite_difference", "optuna"])
def test_searchers_go_on_from_what_was_pending(tmp_path: Path, on_a_clock: Any, searcher: str) -> None:
    run = run_of(tmp_path, searcher)
    with pytest.raises(Killed):
        executed(run, tmp_path / "run", on_a_clock(drawn_seconds, 7))
    record = executed(run, tmp_path / "run", on_a_clock())
    assert sorted(t["index"] for t in record.trials) == list(range(20))
    assert all(Replay.of(record, index).reproduced for index in range(20))


def test_a_run_that_lost_its_last_line_evaluates_that_trial_again(tmp_path: Path, on_a_clock: Any) -> None:
    run = run_of(tmp_path)
    whole = executed(run, tmp_path / "run", on_a_clock()).trials
    trials = tmp_path / "run" / "trials.jsonl"
    os.truncate(trials, trials.stat().st_size - 30)
    damaged = RunRecord.read(tmp_path / "run")
    assert (damaged.done, damaged.damage) == (None, "the last line of its record is damaged")
    assert [row["index"] for row in damaged.pending] == [whole[-1]["index"]]
    again = executed(run, tmp_path / "run", on_a_clock())
    assert again.trials[:-1] == whole[:-1]
    assert [again.trials[-1][key] for key in ("index", "configuration", "value")] == [
        whole[-1][key] for key in ("index", "configuration", "value")
    ]
    assert (again.done or {})["trials"] == 20


def test_records_that_name_a_trial_twice_are_refused(tmp_path: Path, on_a_clock: Any) -> None:
    executed(run_of(tmp_path), tmp_path / "run", on_a_clock())
    trials = tmp_path / "run" / "trials.jsonl"
    trials.write_bytes(trials.read_bytes() + trials.read_bytes().splitlines(keepends=True)[4])
    with pytest.raises(RecordError, match=r"line 21: expected one that has no line yet, got \d"):
        _ = RunRecord.read(tmp_path / "run").trials


def test_every_proposal_of_a_bayesian_run_is_reproduced(tmp_path: Path, on_a_clock: Any) -> None:
    """What was told and what was pending follow from the records; a kill in the middle changes nothing of that."""
    run = run_of(tmp_path, "bayesian", 10)
    with pytest.raises(Killed):
        executed(run, tmp_path / "run", on_a_clock(drawn_seconds, 6))
    interrupted = RunRecord.read(tmp_path / "run")
    fits = interrupted.inference
    assert {row["trial"] for row in fits} & {row["index"] for row in interrupted.pending}
    record = executed(run, tmp_path / "run", on_a_clock())
    assert record.inference[: len(fits)] == fits
    assert [row["trial"] for row in record.inference] == list(range(4, 10))
    assert any(t["suggestion_info"].get("fitted_on", 9) < t["index"] - 1 for t in record.trials)
    for index in range(10):
        past = Replay.of(record, index)
        assert past.recorded.suggestion.index == index
        assert past.reproduced, index
        assert past.suggestion.info == past.recorded.suggestion.info
    with pytest.raises(SpecificationError, match="expected an iteration below 10, got 10"):
        Replay.of(record, 10)
    # What is looked up by a trial's number is found wherever its line is.
    assert record.done is not None
    recommended = record.done["recommendation"]
    (chosen,) = [t for t in record.trials if t["index"] == recommended["index"]]
    assert chosen["configuration"] == recommended["configuration"]
    regret = pytest.approx(chosen["true_value"] - record.spec["optimum"])
    assert recommended_regret(record, record.trials) == regret
    by_number = {t["index"]: t for t in record.trials}
    for index, found in remaining_regret(record).items():
        beside = by_number[by_number[index]["suggestion_info"]["recommended"]]
        assert found == pytest.approx(beside["true_value"] - record.spec["optimum"])
    outcome, best = _outcomes([(record, record.inference)]), incumbent_losses([record])[record.path]
    for row in record.inference:
        trial = by_number[row["trial"]]
        before = best[trial.get("told", row["trial"]) - 1] - record.spec["optimum"]
        own = trial["true_value"] - record.spec["optimum"]
        assert outcome(record, row) == pytest.approx(np.log10(own / before))


def test_a_file_says_how_many_trials_are_evaluated_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one, three = (spec.read(written(tmp_path, head=head)) for head in ("parallel = 1", "parallel = 3"))
    plain = spec.read(written(tmp_path, head=""))
    assert one.experiment.to_record() == plain.experiment.to_record()
    assert one.runs[0].to_record() == plain.runs[0].to_record()
    assert one.runs[0].id == plain.runs[0].id != three.runs[0].id
    assert three.runs[0].to_record()["parallel"] == 3
    with pytest.raises(SpecificationError, match="parallel: "):
        spec.read(written(tmp_path, head="parallel = 0"))
    asked: list[int] = []
    monkeypatch.setattr(local, "distribute", lambda waiting, results, count, display: asked.append(count) or {})
    for workers, seeds in ((1, 4), (4, 4), (6, 4), (7, 2), (64, 2)):
        plan = spec.read(written(tmp_path, head="parallel = 3"), seeds=seeds)
        run_plan(plan, tmp_path / "results", workers=workers, display=Silent())
    assert asked == [1, 1, 2, 2, 2]
    with pytest.raises(SpecificationError, match=r"made by a different experiment \(with parallel = 3, not 1\)"):
        check_results(tmp_path / "results", one.experiment.to_record())


class Silent:
    def update(self, progress: Progress) -> None:
        assert progress.error is None, progress.error


def test_runs_of_processes_have_processes_of_their_own(tmp_path: Path) -> None:
    plan = spec.read(written(tmp_path, budget=6, head="parallel = 2"))
    assert run_plan(plan, tmp_path / "results", workers=2, display=Silent()) == {}
    record = RunRecord.read(tmp_path / "results" / "runs" / plan.runs[0].id)
    assert sorted(t["index"] for t in record.trials) == list(range(6))
    assert any("told" in t for t in record.trials)


COMMAND = [sys.executable, "-c", "from bayeshpo.cli import main; main()", "run", "q.toml", "--workers", "2"]


@pytest.mark.slow
def test_a_runner_that_is_killed_goes_on(tmp_path: Path) -> None:
    written(tmp_path, budget=80, head="parallel = 2")
    with subprocess.Popen(COMMAND, cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        while sum(p.read_bytes().count(b"\n") for p in tmp_path.glob("results/q/runs/*/trials.jsonl")) < 20:
            assert process.poll() is None
            time.sleep(0.01)
        process.kill()
    done = subprocess.run(COMMAND, cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    (run,) = Results(tmp_path / "results" / "q").runs()
    assert sorted(t["index"] for t in run.trials) == list(range(80))
    in_turn = spec.read(written(tmp_path, budget=80, head="")).runs[0]
    execute(in_turn, tmp_path / "in_turn", lambda progress: None)
    alone = RunRecord.read(tmp_path / "in_turn").trials
    assert {t["index"]: t["value"] for t in run.trials} == {t["index"]: t["value"] for t in alone}


@pytest.mark.slow
def test_dask_evaluates_trials_of_studies_and_of_runs(tmp_path: Path) -> None:
    """The runs' trials go to the workers that execute the runs; one of these is killed on the way."""
    from distributed import Client

    here = os.getpid()
    with scheduler(tmp_path, 2) as (address, workers):
        with Client(address) as client:
            study = study_of()
            study.optimize(
                lambda c: Outcome(c["x"], info={"elsewhere": os.getpid() != here}), 8, workers=2, executor=client,
                progress=False,
            )  # fmt: skip
        assert sorted(indices(study)) == list(range(8))
        assert all(t.outcome.info["elsewhere"] for t in study.history.trials)
        file = written(tmp_path, budget=60, head="parallel = 2\nseeds = 2")
        command = [*COMMAND, "--executor", address]
        with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
            while sum(p.read_bytes().count(b"\n") for p in tmp_path.glob("results/q/runs/*/trials.jsonl")) < 20:
                assert process.poll() is None, process.communicate()
                time.sleep(0.01)
            workers[0].kill()
            out, _ = process.communicate(timeout=300)
        assert process.returncode == 0, out
    assert len(spec.read(file).runs) == 2
    for run in Results(tmp_path / "results" / "q").runs():
        assert run.done is not None
        assert sorted(t["index"] for t in run.trials) == list(range(60))
        assert all(t["value"] is not None for t in run.trials)
