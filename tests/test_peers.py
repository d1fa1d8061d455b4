"""Other libraries as searchers: what they are told, and what becomes of those that fail."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pytest
from ConfigSpace import CategoricalHyperparameter, ConfigurationSpace, EqualsCondition
from scipy.stats import norm
from sklearn.model_selection import ParameterGrid, ParameterSampler

from bayeshpo.errors import SpecificationError
from bayeshpo.experiment import spec
from bayeshpo.experiment.peers.base import PeerError
from bayeshpo.experiment.peers.external import ExternalSearcher
from bayeshpo.experiment.runner import run_plan
from bayeshpo.experiment.store import Results
from bayeshpo.problem import Capabilities
from bayeshpo.randomness import Streams
from bayeshpo.registry import Entry, create
from bayeshpo.space import SearchSpace, as_space
from bayeshpo.study import Study
from bayeshpo.testing.searchers import Bowl, conditional, finite, mixed
from bayeshpo.trial import Outcome, Suggestion, Trial

TINY = [sys.executable, str(Path(__file__).parent / "tiny_peer.py")]
SPACE = as_space({"a": (0.0, 1.0), "b": (1, 9), "c": ["x", "y"]})


def ran(searcher: Any, space: SearchSpace, budget: int, **arguments: Any) -> Study:
    study = Study(space, searcher, seed=5, name="peers", **arguments)
    list(study.run(Bowl(space), budget))
    return study


def refused(name: str, space: SearchSpace, message: str, **arguments: Any) -> None:
    with pytest.raises(SpecificationError, match=message):
        create("searcher", name, arguments).check(space, Capabilities())


def test_optuna_finds_what_it_finds_by_itself():
    """A loop written by hand with Optuna alone, the same seed, failures told."""
    space = as_space({"a": (0.0, 1.0), "b": (1, 40), "c": [0.1, 0.2, 0.4], "d": ["x", "y", "z"]})
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    sampler = optuna.samplers.TPESampler(seed=Streams("peers", 5).integer("peer"), n_startup_trials=6)
    alone, found = optuna.create_study(sampler=sampler), []
    for i in range(25):
        trial = alone.ask()
        a, b = trial.suggest_float("a", 0.0, 1.0), trial.suggest_int("b", 1, 40)
        c, d = trial.suggest_int("c", 0, 2), trial.suggest_categorical("d", ["x", "y", "z"])
        found.append({"a": a, "b": b, "c": [0.1, 0.2, 0.4][c], "d": d})
        outcome = Bowl(space).evaluate(found[-1], rng=np.random.default_rng(0)).value
        if i % 5 == 2:
            alone.tell(trial, state=optuna.trial.TrialState.FAIL)
        else:
            alone.tell(trial, outcome)
    study = Study(space, create("searcher", "optuna", {"options": {"n_startup_trials": 6}}), seed=5, name="peers")
    for i in range(25):
        suggestion = study.ask()
        value = Bowl(space).evaluate(suggestion.configuration, rng=np.random.default_rng(0)).value
        study.tell(suggestion, float("nan") if i % 5 == 2 else value)
    assert [t.configuration for t in study.history.trials] == found


def test_optuna_suggests_what_is_active_alone():
    space = ConfigurationSpace({"kind": ["plain", "tuned"], "rate": (0.0, 1.0), "depth": (1, 3)})
    space.add(
        EqualsCondition(space["rate"], space["kind"], "tuned"), EqualsCondition(space["depth"], space["kind"], "tuned")
    )
    study = ran(create("searcher", "optuna", {}), SearchSpace(space), 20)
    for trial in study.history.trials:
        assert ("rate" in trial.configuration) == (trial.configuration["kind"] == "tuned")


def test_sklearn_draws_are_those_of_a_parameter_sampler():
    seed = Streams("peers", 5).integer("peer")
    grid = {"a": [1, 2, 3], "b": ["x", "y"], "c": [0.1, 0.2, 0.4]}
    study = ran(create("searcher", "sklearn_random", {}), finite(), 9)
    assert [t.configuration for t in study.history.trials] == list(ParameterSampler(grid, 9, random_state=seed))
    study = ran(create("searcher", "sklearn_grid", {}), finite(), 100)
    assert [t.configuration for t in study.history.trials] == list(ParameterGrid(grid))
    assert study.ending is not None
    assert study.ending.status == "exhausted"


def test_sklearn_draws_follow_the_space():
    space = as_space({"n": norm(2.0, 3.0), "k": (1, 4), "c": ["x", "y"]})
    draws = [t.configuration for t in ran(create("searcher", "sklearn_random", {}), space, 400).history.trials]
    numbers = np.array([c["n"] for c in draws])
    # Within four standard errors of a normal distribution; it is cut far out.
    assert abs(numbers.mean() - 2.0) < 4 * 3.0 / np.sqrt(400)
    assert abs(numbers.std() - 3.0) < 4 * 3.0 / np.sqrt(2 * 400)
    assert {c["k"] for c in draws} == {1, 2, 3, 4}


@pytest.mark.parametrize(
    ("name", "space", "message"),
    [
        ("optuna", conditional(), "Optuna has no forbidden clauses, and the space has: .*odd"),
        ("optuna", as_space({"n": norm(0.0, 1.0)}), "Optuna has no distributions of numbers, and the space has: n"),
        (
            "optuna",
            as_space({"c": CategoricalHyperparameter("c", ["x", "y"], weights=[1, 3])}),
            "Optuna has no weights of choices, and the space has: c",
        ),
        ("smac", as_space({"n": norm(0.0, 1.0)}), "SMAC has no distributions of numbers, and the space has: n"),
        ("sklearn_random", conditional(), "ParameterSampler has no conditions, and the space has: rate"),
        ("sklearn_grid", mixed(), "ParameterGrid has no continuous ranges, and the space has: a"),
    ],
)
def test_what_a_peer_cannot_be_told_is_refused_in_words_that_name_both(name, space, message):
    refused(name, space, message)


@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        ("optuna", {"sampler": "tpee"}, "unknown sampler of Optuna 'tpee'; did you mean 'tpe'?"),
        ("optuna", {"options": {"n_startup": 3}}, "did you mean 'n_startup_trials'?"),
        ("optuna", {"sampler": "gp"}, r"needs the package torch; install it with: pip install 'bayeshpo\[optuna-gp\]'"),
        ("smac", {"facade": "black"}, "unknown facade of SMAC 'black'; did you mean 'blackbox'?"),
        ("smac", {"costs": "lg"}, "unknown costs of SMAC 'lg'"),
        ("external", {"command": "python"}, "command: expected a list of strings"),
    ],
)
def test_arguments_are_checked(name, arguments, message, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda package: None if package == "torch" else package)
    with pytest.raises(SpecificationError, match=message):
        create("searcher", name, arguments)


def test_a_peer_that_is_not_installed_says_how_to_install_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "optuna", None)
    monkeypatch.delitem(sys.modules, "bayeshpo.experiment.peers.optuna", raising=False)
    entry = Entry("bayeshpo.experiment.peers.optuna:OptunaSearcher", "", extra="optuna")
    with pytest.raises(SpecificationError, match=r"optuna is not installed; .* pip install 'bayeshpo\[optuna\]'"):
        entry.load()


@pytest.mark.parametrize("facade", ["hyperparameter", "blackbox"])
def test_smac_knows_conditions_and_forbidden_clauses(facade):
    """Two points of its design, a model, and a failed trial, on a space that the others cannot take."""
    space = conditional()
    study = Study(space, create("searcher", "smac", {"facade": facade, "n_trials": 8}), seed=1, name="peers")
    for i in range(4):
        suggestion = study.ask()
        assert space.legal(space.encode([suggestion.configuration])).all()
        study.tell(suggestion, float("nan") if i == 0 else Outcome(float(-i)))


def test_trials_that_a_study_begins_with_are_told():
    given = [Trial(Suggestion({"a": 0.1 * i, "b": i + 1, "c": "x"}, i, "given"), Outcome(float(i))) for i in range(8)]
    searcher = create("searcher", "optuna", {"options": {"n_startup_trials": 0}})
    study = ran(searcher, SPACE, 10, trials=given)
    assert [t.configuration for t in study.history.trials[:8]] == [t.configuration for t in given]
    assert [t.suggestion.info for t in study.history.trials[8:]] == [{"told": 8}, {"told": 9}]


def test_records_that_a_peer_does_not_repeat_are_an_error():
    first = ran(ExternalSearcher(TINY), SPACE, 3).history.trials
    changed = Trial(Suggestion({"a": 0.123, "b": 1, "c": "x"}, 1, "external", info={"told": 1}), Outcome(0.0))
    with pytest.raises(PeerError, match=r"expected \{'a': 0.123, .* again for trial 1, as on record"):
        ran(ExternalSearcher(TINY), SPACE, 5, trials=(first[0], changed, first[2]))


@pytest.mark.parametrize(
    ("arguments", "timeout", "message"),
    [
        ({"crash": 2}, 60.0, "peer, at 'ask': expected an answer, got its end with exit code 1; its last words: "
         "ZeroDivisionError: the peer's own fault"),
        ({"hang": 2}, 1.0, "peer, at 'ask': expected an answer within 1 s, got none; its last words: asked for 2"),
        ({"nonsense": 2}, 60.0, r"expected a line of JSON, a mapping, got b'not a line of JSON\\n'"),
        ({"illegal": 2}, 60.0, "expected a legal configuration, got .*1000000000.0"),
    ],
)  # fmt: skip
def test_a_peer_that_fails_is_ended_with_its_own_words(arguments, timeout, message):
    space = as_space({"a": (0.0, 1.0)})
    with pytest.raises(PeerError, match=message):
        ran(ExternalSearcher(TINY, arguments, timeout), space, 4)


def test_a_run_whose_peer_crashes_ends_with_its_words_and_the_others_go_on(tmp_path):
    """It is not replaced by anything, and its trials are kept."""
    (tmp_path / "q.toml").write_text(
        'name = "q"\nbudget = 4\n[[problems]]\nname = "branin"\n[[searchers]]\nname = "random"\n[[searchers]]\n'
        f'name = "external"\ncommand = {TINY!r}\narguments = {{ crash = 2 }}\n'
    )

    class Silent:
        def update(self, progress: Any) -> None:
            pass

    errors = run_plan(spec.read(tmp_path / "q.toml"), tmp_path / "r", workers=1, display=Silent())
    ((identity, reason),) = errors.items()
    assert "ZeroDivisionError: the peer's own fault" in reason
    runs = {run.searcher: run for run in Results(tmp_path / "r").runs()}
    assert (len(runs["external"].trials), runs["external"].done) == (2, None)
    assert "asked for 1\nasked for 2\nTraceback" in (tmp_path / "r" / "runs" / identity / "error.txt").read_text()
    assert runs["random"].done is not None


def test_an_external_peer_refuses_before_anything_runs():
    refused("external", conditional(), "peer, at 'space': expected a space without conditions", command=TINY)
    refused(
        "external", SPACE, "command: expected a program that starts, got .*no_such_program", command=["no_such_program"]
    )


def test_an_external_peer_can_be_exhausted():
    study = ran(ExternalSearcher(TINY, {"exhausted": 3}), SPACE, 6)
    assert study.ending is not None
    assert (study.ending.status, len(study.history)) == ("exhausted", 3)
