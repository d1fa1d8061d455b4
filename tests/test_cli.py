"""The command line from the outside: help, version, and a tiny experiment from file to figures."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

import bayeshpo
from bayeshpo.cli import app
from bayeshpo.experiment import spec
from bayeshpo.experiment.store import Results
from bayeshpo.problems import suite
from bayeshpo.registry import SUITES, SURROGATES

TINY = """
name = "tiny"
budget = 5
seeds = 2
[[problems]]
name = "branin"
[[searchers]]
name = "random"
"""


def test_help_names_the_commands() -> None:
    result = CliRunner().invoke(app, ["--help"])
    assert result.exit_code == 0
    commands = ("run", "status", "new", "figures", "summary", "tables", "compare", "diagnose", "prior", "list")
    assert all(command in result.stdout for command in commands)


def test_version() -> None:
    result = CliRunner().invoke(app, ["--version"])
    assert (result.exit_code, result.stdout) == (0, f"bayeshpo {bayeshpo.__version__}\n")


def test_command_line_starts_without_heavy_imports() -> None:
    code = (
        "import sys, bayeshpo.cli; print([m for m in ('numpy', 'pandas', 'ConfigSpace', 'pymc') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


@pytest.mark.parametrize("command", ["figures", "summary", "status", "tables", "compare"])
def test_folder_without_results_is_refused(tmp_path: Path, command: str) -> None:
    result = CliRunner().invoke(app, [command, str(tmp_path)])
    assert result.exit_code == 2
    assert result.stderr == f"bayeshpo: {tmp_path}: no results here; expected a folder made by 'bayeshpo run'\n"


def test_experiment_from_file_to_figures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "tiny.toml").write_text(TINY)
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(app, ["run", "tiny.toml", "--workers", "1"])
    assert result.exit_code == 0, result.output
    assert len(Results("results/tiny").trials()) == 10
    assert Path("results/tiny/trials.parquet").exists()
    assert result.stdout.rpartition("Results: results/tiny\n")[2].startswith("results/tiny/figures/regret.pdf\n")
    again = CliRunner().invoke(app, ["run", "tiny.toml", "--workers", "1"])
    assert again.exit_code == 0
    assert "begins" not in again.stdout
    drawn = CliRunner().invoke(app, ["figures", "results/tiny"])
    assert drawn.exit_code == 0
    assert all(Path(line).exists() for line in drawn.stdout.splitlines())
    table = CliRunner().invoke(app, ["summary", "results/tiny"])
    assert table.exit_code == 0
    assert "random" in table.stdout
    kept = CliRunner().invoke(app, ["posterior", "results/tiny"])
    assert kept.exit_code == 2
    assert kept.stderr == "bayeshpo: results/tiny: expected runs that kept a posterior, got none\n"


def test_new_writes_an_experiment_that_runs_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(app, ["new", "mine"])
    assert (result.exit_code, result.stdout) == (0, "mine.toml is written; run it with:\n  bayeshpo run mine.toml\n")
    plan = spec.read("mine.toml")
    assert plan.experiment.name == "mine"
    assert len(plan.runs) == 8
    again = CliRunner().invoke(app, ["new", "mine"])
    assert (again.exit_code, again.stderr) == (2, "bayeshpo: mine.toml is there already; give another name\n")
    assert CliRunner().invoke(app, ["new", "../mine"]).exit_code == 2


def test_completion_is_offered() -> None:
    assert "--install-completion" in CliRunner().invoke(app, ["--help"]).stdout


def test_list_names_every_part_of_a_kind() -> None:
    result = CliRunner().invoke(app, ["list", "surrogates"])
    assert result.exit_code == 0
    lines = result.output.splitlines()
    assert lines[0] == "surrogates"
    assert [line.split()[0] for line in lines[1:]] == list(SURROGATES)
    assert CliRunner().invoke(app, ["list"]).output.count("\n") > 20


def test_list_of_suites_names_their_problems() -> None:
    result = CliRunner().invoke(app, ["list", "suites"])
    assert result.exit_code == 0
    for name in SUITES:
        assert f"  {name} " in result.output
        assert all(label in result.output for label in suite(name))


def test_list_of_an_unknown_kind_is_refused() -> None:
    result = CliRunner().invoke(app, ["list", "surogates"])
    assert result.exit_code == 2
    assert "did you mean 'surrogates'?" in result.output
