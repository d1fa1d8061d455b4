"""The experiment's file: what it resolves to, and every bad input refused in one line with exit code 2."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from bayeshpo.cli import app
from bayeshpo.errors import SpecificationError
from bayeshpo.experiment import spec
from bayeshpo.problems import suite
from bayeshpo.problems.synthetic import Branin

HEAD = 'name = "tiny"\nbudget = 3\n'
BRANIN = '[[problems]]\nname = "branin"\n'
RANDOM = '[[searchers]]\nname = "random"\n'

REFUSED = {
    "unknown key": ("bugdet = 3\n" + HEAD + BRANIN + RANDOM, "bugdet: unknown key 'bugdet'; did you mean 'budget'?"),
    "unknown problem": (
        HEAD + '[[problems]]\nname = "brannin"\n' + RANDOM,
        "problems[1].name: unknown problem 'brannin'; did you mean 'branin'?",
    ),
    "unknown searcher": (
        HEAD + BRANIN + RANDOM + '[[searchers]]\nname = "bayesan"\n',
        "searchers[2].name: unknown searcher 'bayesan'; did you mean 'bayesian'?",
    ),
    "unknown argument": (
        HEAD + '[[problems]]\nname = "svc_digits"\ndiscret = true\n' + RANDOM,
        "problems[1].discret: unknown key 'discret'; did you mean 'discrete'?",
    ),
    "unknown argument of a part": (
        HEAD + BRANIN + '[[searchers]]\nname = "bayesian"\nsurrogate = { name = "gp", kernl = "rbf" }\n',
        "searchers[1] (bayesian): unknown argument of surrogate 'gp' 'kernl'; did you mean 'kernel'?",
    ),
    "impossible argument of a part": (
        HEAD + BRANIN + '[[searchers]]\nname = "bayesian"\nsurrogate = { name = "gp", kernel = "rbff" }\n',
        "searchers[1] (bayesian): unknown kernel 'rbff'; did you mean 'rbf'?",
    ),
    "part without a name": (
        HEAD + BRANIN + '[[searchers]]\nname = "bayesian"\ninference = { draws = 400 }\n',
        "searchers[1] (bayesian): expected a table with the engine's name and its arguments, got {'draws': 400}",
    ),
    "exact model by its name": (
        HEAD + BRANIN + '[[searchers]]\nname = "bayesian"\nsurrogate = { name = "sparse", exact = "saas" }\n',
        "searchers[1] (bayesian): surrogate 'sparse': expected the exact model as an object, SAASGaussianProcess(), "
        "got 'saas'",
    ),
    "misspelled label": (
        HEAD + BRANIN + 'lable = "b"\n' + RANDOM,
        "problems[1].lable: unknown key 'lable'; did you mean 'label'?",
    ),
    "unknown problem label": (
        HEAD + BRANIN + RANDOM + 'problems = ["brannin"]\n',
        "searchers[1].problems: unknown problem label 'brannin'; did you mean 'branin'?",
    ),
    "no name": (
        HEAD + BRANIN + '[[searchers]]\nnam = "random"\n',
        "searchers[1].name: missing; did you mean 'name' by 'nam'?",
    ),
    "negative budget": (
        'name = "tiny"\nbudget = -3\n' + BRANIN + RANDOM,
        "budget: expected at least 1, got -3",
    ),
    "zero budget of a problem": (
        HEAD + BRANIN + "budget = 0\n" + RANDOM,
        "problems[1].budget: expected at least 1, got 0",
    ),
    "zero seeds": (HEAD + "seeds = 0\n" + BRANIN + RANDOM, "seeds: expected at least 1, got 0"),
    "budget as text": (
        'name = "tiny"\nbudget = "3"\n' + BRANIN + RANDOM,
        "budget: expected a whole number, got '3'",
    ),
    "budget missing": ('name = "tiny"\n' + BRANIN + RANDOM, "budget: missing; expected a line such as budget = 20"),
    "no searchers": (HEAD + BRANIN, "searchers: missing; expected at least one [[searchers]] with a name"),
    "wrong keep": (
        HEAD + 'keep = "every"\n' + BRANIN + RANDOM,
        "keep: expected 'last', 'all', 'none' or a number of trials, got 'every'",
    ),
    "unknown stopping rule": (
        HEAD + 'stop = "seconds(60) | unchangd(5)"\n' + BRANIN + RANDOM,
        "stop: unknown rule 'unchangd'; did you mean 'unchanged'?",
    ),
    "impossible stopping rule of a searcher": (
        HEAD + BRANIN + RANDOM + 'stop = "unchanged(0)"\n',
        "searchers[1].stop: unchanged: expected a whole number of trials of at least 1, got 0",
    ),
    "stopping rule about one objective where there are two": (
        HEAD + '[[problems]]\nname = "branin_currin"\n[[searchers]]\nname = "bayesian"\nstop = "regret_below(0.1)"\n',
        "searchers[1].stop: regret_below: several objectives have no one optimum; use pareto_set",
    ),
    "stopping rule as a number": (HEAD + "stop = 600\n" + BRANIN + RANDOM, "stop: expected a string, got 600"),
    "name with a slash": (
        'name = "a/b"\nbudget = 3\n' + BRANIN + RANDOM,
        "name: expected letters, digits, '_', '-' and '.', got 'a/b'",
    ),
    "problems is no list": (HEAD + "problems = 3\n" + RANDOM, "problems: expected a list, got 3"),
    "a date as argument": (
        HEAD + BRANIN + "noise = 2020-01-01\n" + RANDOM,
        "problems[1].noise: expected a string, number, boolean, list or table, got datetime.date(2020, 1, 1)",
    ),
    "equal labels": (
        HEAD + BRANIN + '[[problems]]\nname = "hartmann6"\nlabel = "branin"\n' + RANDOM,
        "problems[2].label: 'branin' is taken; give each its own label",
    ),
    "equal entries": (
        HEAD + BRANIN + RANDOM + RANDOM + 'label = "again"\n',
        "searchers[2]: the same as searchers[1]; remove one",
    ),
    "gradient searcher without gradients": (
        HEAD + BRANIN + RANDOM + '[[searchers]]\nname = "hypergradient"\n',
        "searchers[2]: 'hypergradient' cannot work on problem 'branin': ",
    ),
    "grid without a finite grid": (
        HEAD + BRANIN + '[[problems]]\nname = "svc_digits"\ndiscrete = true\n[[searchers]]\nname = "grid"\n',
        "searchers[1]: 'grid' cannot work on problem 'branin': ",
    ),
    "not TOML": ("name = \n", "not valid TOML: "),
    "unknown suite": (
        HEAD + '[[problems]]\nsuite = "tabluar"\n' + RANDOM,
        "problems[1].suite: unknown suite 'tabluar'; did you mean 'tabular'?",
    ),
    "unknown key beside a suite": (
        HEAD + BRANIN + '[[problems]]\nsuite = "failing"\nonyl = ["tree_share"]\n' + RANDOM,
        "problems[2].onyl: unknown key of a suite 'onyl'; did you mean 'only'?",
    ),
    "wrappers beside a suite": (
        HEAD + '[[problems]]\nsuite = "failing"\nwrappers = ["idle"]\n' + RANDOM,
        "problems[1].wrappers: its problems have their own names and wrappers",
    ),
    "unknown problem of a suite": (
        HEAD + '[[problems]]\nsuite = "failing"\nonly = ["tree_shares"]\n' + RANDOM,
        "problems[1].only: unknown problem of the suite 'tree_shares'; did you mean 'tree_share'?",
    ),
    "labels of a suite as text": (
        HEAD + '[[problems]]\nsuite = "failing"\nonly = "tree_share"\n' + RANDOM,
        "problems[1].only: expected a list of labels, got 'tree_share'",
    ),
    "budget of a suite": (
        HEAD + BRANIN + '[[problems]]\nsuite = "failing"\nbudget = 0\n' + RANDOM,
        "problems[2] (failing: branin_region).budget: expected at least 1, got 0",
    ),
    "a problem of a suite again": (
        HEAD + '[[problems]]\nsuite = "synthetic"\nonly = ["ackley", "branin"]\n' + BRANIN + RANDOM,
        "problems[2]: the same as problems[1] (synthetic: branin); remove one",
    ),
    "misspelled suite": (
        HEAD + '[[problems]]\nsiute = "failing"\n' + RANDOM,
        "problems[1].name: missing; did you mean 'suite' by 'siute'?",
    ),
    "unknown wrapper": (
        HEAD + BRANIN + 'wrappers = [{ name = "noise", scale = 1.0 }, "idel"]\n' + RANDOM,
        "problems[1].wrappers[2].name: unknown wrapper 'idel'; did you mean 'idle'?",
    ),
    "unknown argument of a wrapper": (
        HEAD + BRANIN + 'wrappers = [{ name = "noise", scal = 1.0 }]\n' + RANDOM,
        "problems[1].wrappers[1].scal: unknown key 'scal'; did you mean 'scale'?",
    ),
    "a wrapper's problem": (
        HEAD + BRANIN + 'wrappers = [{ name = "noise", scale = 1.0, problem = 1 }]\n' + RANDOM,
        "problems[1].wrappers[1].problem: unknown key 'problem'; valid: name, scale",
    ),
    "wrapper without its argument": (
        HEAD + BRANIN + 'wrappers = ["noise"]\n' + RANDOM,
        "problems[1] (branin): wrapper 'noise': expected the argument 'scale', got none",
    ),
    "wrapper without a name": (
        HEAD + BRANIN + "wrappers = [{ scale = 1.0 }]\n" + RANDOM,
        "problems[1].wrappers[1].name: expected the wrapper's name; valid: delay, failures, idle, noise, ",
    ),
    "wrappers as a table": (
        HEAD + BRANIN + 'wrappers = { name = "noise" }\n' + RANDOM,
        "problems[1].wrappers: expected a list, got {'name': 'noise'}",
    ),
    "wrapper that does not fit": (
        HEAD + '[[problems]]\nname = "tree"\nwrappers = ["shift"]\n' + RANDOM,
        "problems[1] (tree): shift: expected a float that is no part of a condition, got none",
    ),
}


def write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "q.toml"
    path.write_text(text)
    return path


@pytest.mark.parametrize("case", REFUSED)
def test_bad_input_is_refused_in_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, case: str) -> None:
    text, message = REFUSED[case]
    write(tmp_path, text)
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(app, ["run", "q.toml"])
    assert result.exit_code == 2
    assert result.stdout == ""
    assert result.stderr.count("\n") == 1
    assert result.stderr.startswith(f"bayeshpo: q.toml: {message}")
    assert list(tmp_path.iterdir()) == [tmp_path / "q.toml"]


def test_refusal_names_what_the_searcher_can_do(tmp_path: Path) -> None:
    text, _ = REFUSED["grid without a finite grid"]
    with pytest.raises(SpecificationError, match=r'problems = \["svc_digits"\] names what it can do$'):
        spec.read(write(tmp_path, text))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--budget", "-1"], "--budget: expected at least 1, got -1"),
        (["--seeds", "0"], "--seeds: expected at least 1, got 0"),
        (["--workers", "0"], "--workers: expected at least 1, got 0"),
    ],
)
def test_bad_options_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], message: str
) -> None:
    write(tmp_path, HEAD + BRANIN + RANDOM)
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(app, ["run", "q.toml", *arguments])
    assert (result.exit_code, result.stderr) == (2, f"bayeshpo: {message}\n")
    assert not (tmp_path / "results").exists()


def test_missing_file_names_the_nearest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "quickstart.toml").write_text("")
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(app, ["run", "quikstart.toml"])
    assert result.exit_code == 2
    assert result.stderr == "bayeshpo: quikstart.toml: no such file; did you mean 'quickstart.toml'?\n"


def test_file_that_is_not_text(tmp_path: Path) -> None:
    path = tmp_path / "q.toml"
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(SpecificationError, match="expected a TOML file in UTF-8"):
        spec.read(path)


def test_runs_are_problems_times_searchers_times_seeds(tmp_path: Path) -> None:
    text = (
        'name = "tiny"\nbudget = 3\nseeds = 2\n'
        + BRANIN
        + 'budget = 5\n[[problems]]\nname = "hartmann6"\nlabel = "six"\n'
        + RANDOM
        + '[[searchers]]\nname = "sobol"\nproblems = ["six"]\n'
    )
    plan = spec.read(write(tmp_path, text))
    got = [(r.problem.label, r.searcher.label, r.seed, r.budget) for r in plan.runs]
    assert got == [
        ("branin", "random", 0, 5), ("branin", "random", 1, 5),
        ("six", "random", 0, 3), ("six", "random", 1, 3),
        ("six", "sobol", 0, 3), ("six", "sobol", 1, 3),
    ]  # fmt: skip
    assert len({run.id for run in plan.runs}) == len(plan.runs)
    overridden = spec.read(write(tmp_path, text), budget=9, seeds=1)
    assert [(r.seed, r.budget) for r in overridden.runs] == [(0, 9)] * 3


def test_a_searcher_s_own_stopping_rule_is_in_place_of_the_file_s(tmp_path: Path) -> None:
    text = HEAD + 'stop = "unchanged( 5 )|seconds(60)"\n' + BRANIN + RANDOM
    plan = spec.read(write(tmp_path, text + '[[searchers]]\nname = "sobol"\nstop = "budget(2)"\n'))
    assert [run.stop for run in plan.runs] == ["unchanged(5) | seconds(60)", "budget(2)"]
    assert [run.to_record()["stop"] for run in plan.runs] == [run.stop for run in plan.runs]
    record = plan.experiment.to_record()
    assert record["stop"] == "unchanged( 5 )|seconds(60)"
    assert [part.get("stop") for part in record["searchers"]] == [None, "budget(2)"]
    (without,) = spec.read(write(tmp_path, HEAD + BRANIN + RANDOM)).runs
    assert without.rule() is None
    # When a run ends does not make it another run.
    assert without.id == plan.runs[0].id


def test_identity_of_a_run_is_what_defines_its_trials(tmp_path: Path) -> None:
    text = HEAD + BRANIN + RANDOM
    run = spec.read(write(tmp_path, text)).runs[0]
    same = spec.read(write(tmp_path, text + 'label = "other"\n'), budget=100).runs[0]
    assert same.id == run.id
    other = spec.read(write(tmp_path, HEAD + '[[problems]]\nname = "hartmann6"\n' + RANDOM)).runs[0]
    assert other.id != run.id


def test_a_suite_stands_for_its_problems(tmp_path: Path) -> None:
    two = '[[problems]]\nsuite = "failing"\nonly = ["tree_share", "ackley_share"]\nbudget = 7\n'
    text = HEAD + BRANIN + two + RANDOM
    plan = spec.read(write(tmp_path, text))
    assert [(run.problem.label, run.budget) for run in plan.runs] == [
        ("branin", 3),
        ("tree_share", 7),
        ("ackley_share", 7),
    ]
    assert plan.warnings == ()
    # The record is the resolved file: what a suite is may change.
    share = {"name": "failures", "share": 0.2}
    assert plan.experiment.to_record()["problems"] == [
        {"name": "branin", "label": "branin"},
        {"name": "tree", "label": "tree_share", "wrappers": [share], "budget": 7},
        {"name": "ackley", "label": "ackley_share", "wrappers": [share], "budget": 7},
    ]
    same = '[[problems]]\nname = "tree"\nlabel = "mine"\nwrappers = [{ name = "failures", share = 0.2 }]\n'
    (mine,) = spec.read(write(tmp_path, HEAD + same + RANDOM)).runs
    assert mine.id == plan.runs[1].id
    whole = spec.read(write(tmp_path, HEAD + '[[problems]]\nsuite = "failing"\n' + RANDOM))
    assert [run.problem.label for run in whole.runs] == list(suite("failing"))


def test_wrappers_are_composed_in_their_order(tmp_path: Path) -> None:
    noise, idle = '{ name = "noise", scale = 0.5 }', '{ name = "idle", dimension = 4 }'
    text = HEAD + BRANIN + f'wrappers = ["normalisation", {noise}, {idle}]\n' + RANDOM
    run = spec.read(write(tmp_path, text)).runs[0]
    problem = run.problem.build()
    kinds = []
    while hasattr(problem, "problem"):
        kinds.append(type(problem).__name__)
        problem = problem.problem
    assert kinds == ["Idle", "Noise", "Normalisation"]
    assert run.space == ("idle03", "idle04", "x1", "x2")
    assert run.optimum == 0.0
    other = spec.read(write(tmp_path, HEAD + BRANIN + f'wrappers = [{noise}, "normalisation", {idle}]\n' + RANDOM))
    assert other.runs[0].id != run.id


def test_a_folder_of_data_is_found_beside_the_file_and_is_no_part_of_a_run(tmp_path: Path) -> None:
    lcbench = '[[problems]]\nname = "lcbench"\ndata = 7593\n'
    with pytest.raises(SpecificationError) as refused:
        spec.read(write(tmp_path, HEAD + 'data_dir = "../here"\n' + lcbench + RANDOM))
    expected = tmp_path.parent / "here" / "lcbench_surrogate_table" / "curves.parquet"
    assert f"problems[1] (lcbench): {expected}: no such file" in str(refused.value)
    (without,) = spec.read(write(tmp_path, HEAD + BRANIN + RANDOM)).runs
    (run,) = spec.read(write(tmp_path, HEAD + f'data_dir = "{tmp_path}"\n' + BRANIN + RANDOM)).runs
    assert (run.data_dir, run.id) == (str(tmp_path), without.id)
    assert "data_dir" not in run.to_record()


def test_a_changed_problem_is_warned_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    true = Branin.function
    monkeypatch.setattr(Branin, "function", lambda self, x: true(self, x) + 0.5)
    write(tmp_path, HEAD + BRANIN + RANDOM)
    monkeypatch.chdir(tmp_path)
    # Refused after the warning, so that nothing is run.
    result = CliRunner().invoke(app, ["run", "q.toml", "--workers", "0"])
    assert result.stderr.startswith("bayeshpo: warning: problem 'branin' is not what it was when its signature was ")


def test_quickstart_is_valid_and_its_check_does_not_import_pymc() -> None:
    code = (
        "import sys; from bayeshpo.experiment import spec; plan = spec.read('experiments/quickstart.toml'); "
        "assert len(plan.runs) == 24, len(plan.runs); "
        "print([m for m in ('pymc', 'pytensor', 'arviz', 'nutpie') if m in sys.modules])"
    )
    root = Path(__file__).parents[1]
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
