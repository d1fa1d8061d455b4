"""Records on disk: what a kill leaves behind, damaged records, foreign folders, and reading it all back."""

from __future__ import annotations

import json
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from bayeshpo.errors import RecordError, SpecificationError
from bayeshpo.experiment import store, writer
from bayeshpo.experiment.collect import collect
from bayeshpo.experiment.lines import count_lines, read_lines
from bayeshpo.experiment.rows import Rows
from bayeshpo.experiment.store import Results, RunRecord, open_results
from bayeshpo.experiment.writer import RunWriter
from bayeshpo.trial import Outcome, Status, Suggestion, Trial

SPEC: dict[str, Any] = {
    "problem": {"name": "branin", "label": "branin"},
    "searcher": {"name": "random", "label": "random"},
    "seed": 0,
}
EXPERIMENT: dict[str, Any] = {
    "name": "tiny",
    "budget": 3,
    "seeds": 1,
    "keep": "last",
    "problems": [{"name": "branin", "label": "branin"}],
    "searchers": [{"name": "random", "label": "random"}],
}


def trial(index: int) -> dict[str, Any]:
    suggestion = Suggestion({"x": index / 3, "kind": "a"}, index, "random", info={"step": index})
    return Trial(suggestion, Outcome(0.1 * index, info={"folds": [0.1, 0.2]})).to_record()


def filled(path: Path, n: int = 3) -> Path:
    with RunWriter(path, SPEC) as run:
        for i in range(n):
            run.append(trial(i), [{"trial": i, "n": i, "status": "ok"}])
    return path


def test_records_survive_the_round_trip(tmp_path: Path) -> None:
    run = RunRecord.read(filled(tmp_path / "run"))
    assert run.trials == [trial(i) for i in range(3)]
    assert [Trial.from_record(r).to_record() for r in run.trials] == run.trials
    assert [row["trial"] for row in run.inference] == [0, 1, 2]
    assert (run.problem, run.searcher, run.seed, run.run_id, run.done) == ("branin", "random", 0, "run", None)


def test_failed_trial_keeps_its_reason(tmp_path: Path) -> None:
    failed = Trial(Suggestion({"x": 0.5}, 0, "random"), Outcome.of(float("nan")))
    with RunWriter(tmp_path, SPEC) as run:
        run.append(failed.to_record())
    (record,) = RunRecord.read(tmp_path).trials
    assert (record["value"], record["status"]) == (None, Status.INVALID)
    assert record["reason"] == "expected a finite number, got nan"


@pytest.mark.parametrize("cut", range(1, 40, 3))
def test_truncated_last_line_is_dropped_and_cut_off(tmp_path: Path, cut: int) -> None:
    trials = filled(tmp_path) / "trials.jsonl"
    whole = trials.read_bytes()
    trials.write_bytes(whole[:-cut])
    assert len(RunRecord.read(tmp_path).trials) == 2
    with RunWriter(tmp_path, SPEC) as run:
        assert [r["index"] for r in run.record.trials] == [0, 1]
        run.append(trial(2), [{"trial": 2, "n": 2, "status": "ok"}])
    assert trials.read_bytes() == whole
    assert [row["trial"] for row in RunRecord.read(tmp_path).inference] == [0, 1, 2]


LINES = b'{"a": 1}\n{"b": "\\n"}\n'


@pytest.mark.parametrize(
    "content", [None, b"", b"\n", b"{", b"{}\n", LINES, LINES[:-1], LINES + b"\0\r\n", LINES + b"[1]\n"]
)
def test_lines_are_counted_as_they_are_read(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "rows.jsonl"
    if content is not None:
        path.write_bytes(content)
    records, size = read_lines(path)
    assert count_lines(path) == (len(records), size == len(content or b""))


def test_rows_of_a_script_go_on_after_a_line_that_was_cut_short(tmp_path: Path) -> None:
    path = tmp_path / "new" / "rows.jsonl"
    rows = Rows(path, "case", "seed")
    rows.add({"case": "a", "seed": 0, "loss": 1.0})
    rows.add({"case": "a", "seed": 1, "loss": 2.0})
    path.write_bytes(path.read_bytes()[:-5])
    again = Rows(path, "case", "seed")
    assert again.finished == [{"case": "a", "seed": 0, "loss": 1.0}]
    assert {"case": "a", "seed": 0} in again
    assert {"case": "a", "seed": 1} not in again
    again.add({"case": "b", "seed": 1, "loss": 3.0})
    assert Rows(path, "case").finished == again.finished


def test_inference_rows_without_a_trial_are_dropped(tmp_path: Path) -> None:
    inference = filled(tmp_path) / "inference.jsonl"
    with inference.open("a") as stream:
        stream.write('{"trial": 3, "n": 3}\n{"trial": 3, "n"')
    assert len(RunRecord.read(tmp_path).inference) == 3
    with RunWriter(tmp_path, SPEC) as run:
        assert [row["trial"] for row in run.record.inference] == [0, 1, 2]
    assert inference.read_text().count("\n") == 3


def test_kept_posteriors_of_a_trial_that_was_lost_are_dropped(tmp_path: Path) -> None:
    trials = filled(tmp_path) / "trials.jsonl"
    for n in (2, 3):
        (tmp_path / "posterior" / f"{n:05d}.zarr").mkdir(parents=True)
    assert len(RunRecord.read(tmp_path).posteriors) == 2
    trials.write_bytes(trials.read_bytes()[:-1])
    left = (tmp_path / "posterior" / "00002.zarr",)
    assert RunRecord.read(tmp_path).posteriors == left
    with RunWriter(tmp_path, SPEC) as run:
        assert run.record.posteriors == left
    assert tuple(tmp_path.glob("posterior/*")) == left


def test_last_line_of_zeros_is_dropped(tmp_path: Path) -> None:
    trials = filled(tmp_path) / "trials.jsonl"
    with trials.open("ab") as stream:
        stream.write(b"\0" * 100 + b"\n")
    assert len(RunRecord.read(tmp_path).trials) == 3


def test_damage_before_the_last_line_is_an_error_with_its_place(tmp_path: Path) -> None:
    trials = filled(tmp_path) / "trials.jsonl"
    lines = trials.read_text().splitlines(keepends=True)
    trials.write_text(lines[0] + lines[1][:20] + "\n" + lines[2])
    before = trials.read_bytes()
    with pytest.raises(RecordError, match=r"trials\.jsonl, line 2: expected a JSON mapping"):
        RunWriter(tmp_path, SPEC)
    assert trials.read_bytes() == before


def test_missing_line_is_an_error(tmp_path: Path) -> None:
    trials = filled(tmp_path) / "trials.jsonl"
    lines = trials.read_text().splitlines(keepends=True)
    trials.write_text(lines[0] + lines[2])
    with pytest.raises(RecordError, match=r"line 2: expected trial 1, got 2"):
        _ = RunRecord.read(tmp_path).trials


def test_two_processes_cannot_write_one_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer, "_PATIENCE", 0.2)
    code = """
        import sys, pathlib
        from bayeshpo.experiment.writer import RunWriter
        with RunWriter(pathlib.Path(sys.argv[1]), {}):
            print("open", flush=True)
            sys.stdin.read()
    """
    command = [sys.executable, "-c", textwrap.dedent(code), str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"open\n"
        with pytest.raises(RecordError, match="another process is writing this run"):
            RunWriter(tmp_path, SPEC)
        holder.kill()
    RunWriter(tmp_path, SPEC).__exit__(None, None, None)


def test_json_is_written_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "done.json"
    store.write_json(path, {"trials": 1})

    def fail(*_: Any) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr(store.os, "fsync", fail)
    with pytest.raises(OSError, match="no space"):
        store.write_json(path, {"trials": 2})
    assert store.read_json(path) == {"trials": 1}


def test_plain_turns_numpy_and_non_finite_numbers_into_json() -> None:
    value = {"a": np.float64(0.1), "b": np.array([1, 2]), "c": float("inf"), "d": np.bool_(True), "e": (np.nan, "x")}
    got = store.plain(value)
    assert got == {"a": 0.1, "b": [1, 2], "c": None, "d": True, "e": [None, "x"]}
    assert json.loads(json.dumps(got, allow_nan=False)) == got
    with pytest.raises(TypeError, match="expected JSON values, got object"):
        store.plain({"a": object()})


@pytest.mark.parametrize(
    "change",
    [
        {"budget": 10},
        {"seeds": 5},
        {"problems": [*EXPERIMENT["problems"], {"name": "hartmann6", "label": "hartmann6"}]},
        {"searchers": [{"name": "random", "label": "random", "problems": ["branin"]}]},
    ],
)
def test_more_of_the_same_experiment_continues_its_folder(tmp_path: Path, change: dict[str, Any]) -> None:
    open_results(tmp_path / "r", EXPERIMENT)
    open_results(tmp_path / "r", EXPERIMENT | change)
    assert Results(tmp_path / "r").experiment == EXPERIMENT | change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"name": "other"}, r"made by a different experiment \(named 'tiny', not 'other'\)"),
        (
            {"problems": [{"name": "hartmann6", "label": "hartmann6"}]},
            r"\(with a problem 'branin', which this file has not\)",
        ),
        (
            {"searchers": [{"name": "random", "label": "random", "x": 1}]},
            r"\(its searcher 'random' has other arguments\)",
        ),
    ],
)
def test_folder_of_a_different_experiment_is_refused(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    open_results(tmp_path / "r", EXPERIMENT)
    with pytest.raises(SpecificationError, match=message + "; give another folder with --results"):
        open_results(tmp_path / "r", EXPERIMENT | change)
    assert Results(tmp_path / "r").experiment == EXPERIMENT


def test_folder_that_is_no_results_folder_is_refused_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("text")
    with pytest.raises(SpecificationError, match="not empty, and not a results folder"):
        open_results(tmp_path, EXPERIMENT)
    with pytest.raises(SpecificationError, match="expected a folder for results, got a file"):
        open_results(tmp_path / "thesis.tex", EXPERIMENT)
    (tmp_path / "experiment.json").write_text('{"title": "mine"}')
    with pytest.raises(SpecificationError, match=r"its experiment\.json is not that of a results folder"):
        open_results(tmp_path, EXPERIMENT)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["experiment.json", "thesis.tex"]
    with pytest.raises(SpecificationError, match="no results here"):
        Results(tmp_path / "nowhere")


def test_folder_begun_before_a_kill_is_taken_up(tmp_path: Path) -> None:
    (tmp_path / "runs").mkdir()
    (tmp_path / "experiment.json.partial").write_text('{"na')
    open_results(tmp_path, EXPERIMENT)
    assert Results(tmp_path).experiment == EXPERIMENT


def test_frames_and_parquet_hold_every_run(tmp_path: Path) -> None:
    open_results(tmp_path, EXPERIMENT)
    results = Results(tmp_path)
    assert results.trials().empty
    assert list(results.trials().columns[:4]) == ["problem", "searcher", "seed", "run_id"]
    assert {"rhat_max", "status"} <= set(results.inference().columns)
    filled(tmp_path / "runs" / "b")
    with RunWriter(tmp_path / "runs" / "a", SPEC | {"seed": 1}) as run:
        run.append(trial(0))
    trials = results.trials()
    assert list(trials["run_id"]) == ["b", "b", "b", "a"]
    assert list(trials["value"]) == [0.0, 0.1, 0.2, 0.0]
    paths = collect(results)
    stored = pd.read_parquet(paths[0])
    assert json.loads(stored["configuration"][1]) == trials["configuration"][1]
    assert list(stored["value"]) == list(trials["value"])
    assert len(pd.read_parquet(paths[1])) == 3


def test_posterior_is_kept_whole(tmp_path: Path) -> None:
    import xarray as xr

    coordinates = {"hyperparameter": ["C", "gamma"], "chain": [0, 1]}
    data = xr.Dataset({"lengthscale": (("chain", "draw", "hyperparameter"), np.ones((2, 5, 2)))}, coords=coordinates)
    with RunWriter(filled(tmp_path, 12), SPEC) as run:
        for n in (12, 3):
            run.keep_posterior(xr.DataTree.from_dict({"posterior": data}), n)
    kept = RunRecord.read(tmp_path).posteriors
    assert [p.name for p in kept] == ["00003.zarr", "00012.zarr"]
    with xr.open_datatree(kept[0], engine="zarr") as tree:
        xr.testing.assert_identical(tree["posterior"].to_dataset().load(), data)
