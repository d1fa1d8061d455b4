"""What a full disk, a read-only folder, damage and a second runner leave: nothing lost, nothing doubled."""

from __future__ import annotations

import ctypes
import io
import multiprocessing
import os
import resource
import shutil
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from typer.testing import CliRunner

from bayeshpo.cli import app
from bayeshpo.experiment import spec
from bayeshpo.experiment.display import ProgressLines
from bayeshpo.experiment.runner import run_plan
from bayeshpo.experiment.status import status
from bayeshpo.experiment.store import Results, open_results
from bayeshpo.experiment.worker import Progress, execute
from bayeshpo.experiment.writer import claimed

# Where another test has loaded JAX, it warns of every fork; here the child does nothing but become another program.
pytestmark = pytest.mark.filterwarnings("ignore:os.fork:RuntimeWarning")
EXPERIMENT = """
name = "q"
budget = {budget}
seeds = {seeds}
[[problems]]
name = "branin"
[[searchers]]
name = "random"
"""
COMMAND = [sys.executable, "-c", "from bayeshpo.cli import main; main()"]


class Silent:
    """A display that reacts, if it is told to."""

    def __init__(self, react: Callable[[Progress], None] = lambda progress: None) -> None:
        self.update = react


def written(folder: Path, budget: int = 60, seeds: int = 1) -> Path:
    path = folder / "q.toml"
    path.write_text(EXPERIMENT.format(budget=budget, seeds=seeds))
    return path


def tried(results: Path) -> dict[int, list[Any]]:
    return {
        run.seed: [(t["index"], t["configuration"], t["value"]) for t in run.trials] for run in Results(results).runs()
    }


def goes_on(file: Path, results: Path) -> dict[int, list[Any]]:
    """What a runner and its worker do, in this process: all that is left is done."""
    plan = spec.read(file)
    with claimed(results):
        open_results(results, plan.experiment.to_record())
        for run, row in zip(plan.runs, status(Results(results)), strict=True):
            if row.state != "done":
                execute(run, results / "runs" / run.id, lambda progress: None)
    assert {row.state for row in status(Results(results))} == {"done"}
    return tried(results)


def undisturbed(folder: Path, file: Path) -> dict[int, list[Any]]:
    return goes_on(file, folder / "undisturbed")


def states(results: Path) -> list[str]:
    return [row.state for row in status(Results(results))]


def limited(command: list[str], results: Path) -> subprocess.CompletedProcess[str]:
    """A limit on the size of files cuts a line short in its middle, as a disk does that becomes full."""

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (12_000, resource.RLIM_INFINITY))

    return subprocess.run([*command, str(results)], preexec_fn=limit, capture_output=True, text=True, timeout=120)


def on_a_small_disk(command: list[str], results: Path) -> subprocess.CompletedProcess[str]:
    """A disk of 28 KB in memory that only this process sees; what is on it in the end is copied to the results."""
    disk = results.with_name("disk")
    disk.mkdir()
    script = f'mount -t tmpfs -o size=28k none "$0" && "$@" "$0"; code=$?; cp -r "$0" "{results}"; exit $code'
    mounted = ["unshare", "--map-root-user", "--mount", "sh", "-c", script, str(disk)]
    return subprocess.run([*mounted, *command], capture_output=True, text=True, timeout=120)


def may_mount() -> bool:
    """Whether a process may have a disk of its own here; in some containers it may not."""
    command = ["unshare", "--map-root-user", "--mount", "mount", "-t", "tmpfs", "none", "/mnt"]
    return shutil.which("unshare") is not None and subprocess.run(command, capture_output=True).returncode == 0


@pytest.mark.parametrize(
    ("run", "reason"),
    [
        (limited, "OSError: [Errno 27] File too large"),
        *([(on_a_small_disk, "OSError: [Errno 28] No space left on device")] if may_mount() else []),
    ],
)
def test_a_full_disk_is_said_and_loses_nothing(tmp_path: Path, run: Any, reason: str) -> None:
    file, results = written(tmp_path), tmp_path / "r"
    code = """
        import sys, pathlib
        from bayeshpo.experiment import runner, spec
        class Silent:
            def update(self, progress):
                pass
        if __name__ == "__main__":
            plan, results = spec.read(sys.argv[1]), pathlib.Path(sys.argv[2])
            print(*runner.run_plan(plan, results, workers=1, display=Silent()).values())
    """
    script = tmp_path / "runner.py"
    script.write_text(textwrap.dedent(code))
    done = run([sys.executable, str(script), str(file)], results)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(reason)
    trials = results / "runs" / spec.read(file).runs[0].id / "trials.jsonl"
    assert not trials.read_bytes().endswith(b"\n")
    assert 10 < len(tried(results)[0]) < 60
    (row,) = status(Results(results))
    assert row.state == "failed"
    assert row.reason in (reason, "its reason could not be written; is the disk full?")
    assert goes_on(file, results) == undisturbed(tmp_path, file)


def test_a_reason_that_found_no_place_on_the_disk_is_said_to_be_missing(tmp_path: Path) -> None:
    file, results = written(tmp_path, budget=3), tmp_path / "r"
    goes_on(file, results)
    (run,) = Results(results).runs()
    (run.path / "done.json").unlink()
    (run.path / "error.txt").touch()
    (row,) = status(Results(results))
    assert (row.state, row.reason) == ("failed", "its reason could not be written; is the disk full?")


def bound_by_permissions() -> None:
    """Take from root the right to pass over permissions (CAP_DAC_OVERRIDE); others have none to lose."""
    ctypes.CDLL(None).prctl(24, 1, 0, 0, 0)


def test_a_folder_that_may_not_be_written_is_said_and_left_alone(tmp_path: Path) -> None:
    file, results = written(tmp_path, budget=3), tmp_path / "r"
    goes_on(file, results)
    before = {path: path.read_bytes() for path in results.rglob("*") if path.is_file()}
    paths = [results, *results.rglob("*")]
    for path in paths:
        path.chmod(0o555 if path.is_dir() else 0o444)
    command = [*COMMAND, "run", str(file), "--results", str(results), "--budget", "9"]
    done = subprocess.run(command, preexec_fn=bound_by_permissions, capture_output=True, text=True, timeout=120)
    for path in paths:
        path.chmod(0o755 if path.is_dir() else 0o644)
    assert (done.returncode, done.stderr) == (1, f"bayeshpo: {results / '.lock'}: Permission denied\n")
    assert {path: path.read_bytes() for path in results.rglob("*") if path.is_file()} == before


def test_a_second_runner_is_refused_and_the_first_goes_on(tmp_path: Path) -> None:
    file, results = written(tmp_path), tmp_path / "r"
    options = ["run", str(file), "--results", str(results), "--workers", "1"]
    with claimed(results):
        second = subprocess.run([*COMMAND, *options], capture_output=True, text=True, timeout=120)
    assert second.returncode == 2
    assert second.stderr.startswith(f"bayeshpo: {results}: process {os.getpid()} on ")
    assert second.stderr.endswith("is at work on this experiment; wait for it, or end it\n")
    assert not (results / "experiment.json").exists()
    assert goes_on(file, results) == undisturbed(tmp_path, file)


@pytest.mark.parametrize("ended", [True, False])
@pytest.mark.parametrize("damage", [b'{"index": 59, "config', b"\x00\xff garbage\r\n", b"[1, 2]\n", b""])
def test_a_damaged_last_line_is_said_and_made_anew(tmp_path: Path, damage: bytes, ended: bool) -> None:
    """Whether the run had come to its end or not; a line that is gone as a whole is missed where it had."""
    file = written(tmp_path)
    whole = undisturbed(tmp_path, file)
    results = tmp_path / "r"
    shutil.copytree(tmp_path / "undisturbed", results)
    (run,) = Results(results).runs()
    lines = (run.path / "trials.jsonl").read_bytes().splitlines(keepends=True)
    (run.path / "trials.jsonl").write_bytes(b"".join(lines[:-1]) + damage)
    if not ended:
        (run.path / "done.json").unlink()
    said = "the last line of its record is damaged" if damage else None
    if ended and not damage:
        said = "its record has 59 of the 60 trials that it ended with"
    (row,) = status(Results(results))
    assert (row.state, row.trials, row.reason) == ("interrupted", 59, said)
    shown = CliRunner().invoke(app, ["status", str(results)]).stdout
    assert (f"interrupted: branin, random, seed 0, after 59 trials: {said}\n" in shown) == (said is not None)
    assert "1 interrupted of 1 runs. 'bayeshpo run' with its file does what is left.\n" in shown
    plan, console = spec.read(file), Console(width=200, record=True, file=io.StringIO())
    assert run_plan(plan, results, workers=1, display=ProgressLines(plan, console)) == {}
    begins = console.export_text().splitlines()[0]
    assert begins == "[0/1] branin, random, seed 0: begins at trial 59 of 60" + (f"; {said}" if said else "")
    assert states(results) == ["done"]
    assert tried(results) == whole


def test_a_run_that_brings_every_worker_down_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its death is told each time; the runs beside it are finished."""
    file = written(tmp_path, budget=1000, seeds=2)
    plan, told = spec.read(file), []
    victim = plan.runs[0].id

    def react(progress: Progress) -> None:
        if progress.run != victim:
            return
        told.extend(text for text in (progress.again, progress.error) if text)
        if not progress.again and not progress.ended:
            for worker in multiprocessing.active_children():
                worker.kill()

    errors = run_plan(plan, tmp_path / "r", workers=1, display=Silent(react))
    assert list(errors) == [victim]
    assert told[:2] == ["its worker process died with exit code -9; another one goes on with it"] * 2
    assert told[2:] == ["its worker process died with exit code -9, after 2 others (see log.txt in the results)"]
    assert {row.seed: (row.state, row.reason) for row in status(Results(tmp_path / "r"))} == {
        0: ("failed", told[2]), 1: ("done", None)
    }  # fmt: skip


def test_status_tells_every_state_and_changes_nothing(tmp_path: Path) -> None:
    file, results = written(tmp_path, budget=4, seeds=5), tmp_path / "r"
    goes_on(file, results)
    runs = {run.seed: run.path for run in Results(results).runs()}
    for seed in (1, 2, 3):
        (runs[seed] / "done.json").unlink()
    (runs[2] / "error.txt").write_text("ValueError: no memory left\n\nTraceback ...\n")
    shutil.rmtree(runs[4])
    code = (
        "import sys, fcntl; f = open(sys.argv[1], 'ab'); fcntl.flock(f, fcntl.LOCK_EX); print(1, flush=True); input()"
    )
    command = [sys.executable, "-c", code, str(runs[1] / "trials.jsonl")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        before = {path: path.stat().st_mtime_ns for path in results.rglob("*")}
        result = CliRunner().invoke(app, ["status", str(results)])
        assert {path: path.stat().st_mtime_ns for path in results.rglob("*")} == before
        assert states(results) == ["done", "running", "failed", "interrupted", "missing"]
        holder.kill()
    assert result.exit_code == 0
    row = next(line.split() for line in result.stdout.splitlines() if line.split()[:2] == ["branin", "random"])
    assert row == ["branin", "random", "5", "1", "1", "1", "1", "1", "16/20"]
    assert "failed: branin, random, seed 2, after 4 trials: ValueError: no memory left\n" in result.stdout
    counts = "1 done, 1 running, 1 failed, 1 interrupted, 1 missing of 5 runs."
    assert result.stdout.endswith(f"{counts} 'bayeshpo run' with its file does what is left.\n")
    began = time.time_ns()
    goes_on(file, results)
    assert (runs[0] / "trials.jsonl").stat().st_mtime_ns < began
