"""Where runs are executed makes no difference to their trials, and workers may die."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from bayeshpo.cli import app
from bayeshpo.errors import SpecificationError
from bayeshpo.experiment import spec
from bayeshpo.experiment.executors.dask import job_cluster
from bayeshpo.experiment.store import Results

EXPERIMENT = """
name = "q"
budget = {budget}
seeds = 3
[[problems]]
name = "branin"
[[searchers]]
name = "random"
[[searchers]]
name = "sobol"
"""


def written(folder: Path, budget: int = 40, head: str = "") -> Path:
    path = folder / "q.toml"
    path.write_text(head + EXPERIMENT.format(budget=budget))
    return path


def trials(results: Path) -> dict[tuple[str, int], list[dict[str, Any]]]:
    """All that is not a measured time, by run."""
    clocks = ("seconds_ask", "seconds_evaluate")
    return {
        (run.searcher, run.seed): [{k: v for k, v in record.items() if k not in clocks} for record in run.trials]
        for run in Results(results).runs()
    }


@contextmanager
def ended(*command: str) -> Iterator[subprocess.Popen[bytes]]:
    """A process that is killed at the end, with all that it started."""
    process = subprocess.Popen(
        [sys.executable, "-m", "distributed.cli." + command[0], *command[1:]],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip
    try:
        yield process
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


@contextmanager
def scheduler(folder: Path, workers: int) -> Iterator[tuple[str, list[subprocess.Popen[bytes]]]]:
    """A scheduler and workers as processes of their own on loopback: its address, and the workers."""
    file = folder / "scheduler.json"
    with ExitStack() as stack:
        where = ["--host", "127.0.0.1"]
        stack.enter_context(
            ended("dask_scheduler", *where, "--port", "0", "--no-dashboard", "--scheduler-file", str(file))
        )
        while not file.exists() or not file.read_text().endswith("}"):
            time.sleep(0.05)
        address = json.loads(file.read_text())["address"]
        worker = ["dask_worker", address, *where, "--nthreads", "1", "--no-dashboard", "--no-nanny"]
        yield address, [stack.enter_context(ended(*worker)) for _ in range(workers)]


@pytest.mark.slow
def test_one_worker_two_and_dask_give_the_same_trials(tmp_path: Path) -> None:
    """A worker of Dask is killed in the middle of a run; another one goes on with it."""
    file = written(tmp_path, budget=300)
    for folder, workers in (("one", "1"), ("two", "2")):
        options = ["--workers", workers, "--results", str(tmp_path / folder)]
        assert CliRunner().invoke(app, ["run", str(file), *options]).exit_code == 0
    with scheduler(tmp_path, 2) as (address, workers):
        command = [sys.executable, "-c", "from bayeshpo.cli import main; main()", "run", str(file)]
        command += ["--executor", address, "--results", str(tmp_path / "dask")]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
            while sum(p.read_bytes().count(b"\n") for p in (tmp_path / "dask").glob("runs/*/trials.jsonl")) < 30:
                assert process.poll() is None, process.communicate()
                time.sleep(0.002)
            workers[0].kill()
            assert Results(tmp_path / "dask").runs()
            assert any(run.done is None for run in Results(tmp_path / "dask").runs())
            out, _ = process.communicate(timeout=300)
    assert process.returncode == 0, out
    assert "q: all 6 runs finished" in out
    one = trials(tmp_path / "one")
    assert len(one) == 6
    assert {len(records) for records in one.values()} == {300}
    assert trials(tmp_path / "two") == one
    assert trials(tmp_path / "dask") == one


@pytest.mark.slow
def test_posteriors_do_not_depend_on_where_they_are_fitted(tmp_path: Path) -> None:
    file = tmp_path / "q.toml"
    searcher = '[[searchers]]\nname = "bayesian"\nn_initial = 4\n'
    file.write_text(f'name = "q"\nbudget = 8\nseeds = 2\n[[problems]]\nname = "branin"\n{searcher}')
    found = []
    for folder, options in (("one", ["--workers", "1"]), ("two", ["--workers", "2"]), ("dask", ["--executor", "dask"])):
        command = [sys.executable, "-c", "from bayeshpo.cli import main; main()", "run", str(file)]
        subprocess.run([*command, *options, "--results", str(tmp_path / folder)], check=True, timeout=500)
        found.append(trials(tmp_path / folder))
    assert len(found[0]) == 2
    assert found[1] == found[0]
    assert found[2] == found[0]


@pytest.mark.slow
def test_a_cluster_on_this_machine_by_one_word(tmp_path: Path) -> None:
    file = written(tmp_path, head='executor = "dask"\n')
    command = [sys.executable, "-c", "from bayeshpo.cli import main; main()", "run", str(file), "--workers", "2"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert len(trials(tmp_path / "results" / "q")) == 6


@pytest.mark.parametrize(
    ("name", "options", "lines"),
    [
        (
            "slurm",
            {"queue": "normal", "walltime": "02:00:00"},
            ["#SBATCH -p normal", "#SBATCH -t 02:00:00", "#SBATCH -n 1"],
        ),
        ("pbs", {"queue": "normal", "account": "me"}, ["#PBS -q normal", "#PBS -A me"]),
        ("lsf", {"queue": "normal", "walltime": "00:30"}, ["#BSUB -q normal", "#BSUB -W 00:30"]),
    ],
)
def test_job_scripts_ask_for_what_the_file_says(name: str, options: dict[str, Any], lines: list[str]) -> None:
    with job_cluster(name, {"memory": "4GB", "scheduler_options": {"dashboard_address": None}, **options}) as cluster:
        script = cluster.job_script()
    assert all(line in script for line in lines), script
    assert "--nthreads 1 " in script


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('executor = "dusk"', "executor.name: expected 'local' or 'dask', got 'dusk'"),
        ('executor = { cluster = "slurm" }', 'cluster, scheduler and options are Dask\'s; give name = "dask"'),
        (
            'executor = { name = "dask", cluster = "slurm", scheduler = "tcp://here:1" }',
            "a scheduler has workers already",
        ),
    ],
)
def test_an_executor_that_cannot_be_is_refused(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(SpecificationError, match=message):
        spec.read(written(tmp_path, head=text + "\n"))


def test_the_command_line_names_another_executor(tmp_path: Path) -> None:
    file = written(tmp_path, head='executor = "dask"\n')
    assert spec.read(file).experiment.executor.name == "dask"
    assert spec.read(file, executor="local").experiment.executor.name == "local"
    assert spec.read(file, executor="tcp://here:1").experiment.executor.scheduler == "tcp://here:1"


def test_a_scheduler_that_is_not_there_is_refused_in_a_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(app, ["run", str(written(tmp_path)), "--executor", "nonsense://127.0.0.1:1"])
    assert result.exit_code == 2
    assert result.stderr.startswith("bayeshpo: executor: no Dask scheduler at 'nonsense://127.0.0.1:1'")


def test_jobs_that_nothing_here_submits_are_refused_in_a_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path))
    head = 'executor = { name = "dask", cluster = "slurm", options = { memory = "1GB" } }\n'
    result = CliRunner().invoke(app, ["run", str(written(tmp_path, head=head))])
    assert result.exit_code == 2
    assert result.stderr.startswith("bayeshpo: executor: cluster 'slurm' submits jobs by 'sbatch', which is not here")


def test_jobs_that_a_queue_refuses_are_said_in_a_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    sbatch = tmp_path / "bin" / "sbatch"
    sbatch.parent.mkdir()
    sbatch.write_text("#!/bin/sh\necho 'error: invalid partition specified: nowhere' >&2\nexit 1\n")
    sbatch.chmod(0o755)
    monkeypatch.setenv("PATH", f"{sbatch.parent}:{os.environ['PATH']}")
    head = 'executor = { name = "dask", cluster = "slurm", options = { memory = "1GB" } }\n'
    command = [sys.executable, "-c", "from bayeshpo.cli import main; main()", "run", str(written(tmp_path, head=head))]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 2
    assert done.stderr.startswith("bayeshpo: executor: cluster 'slurm': its queue refused a job: ")
    assert "invalid partition specified: nowhere" in done.stderr
    assert done.stderr.count("\n") == 1
