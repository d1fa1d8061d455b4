"""Parts of one's own by where they are, `module:attribute`, in experiment files and searchers."""

from __future__ import annotations

import sys

import pytest
from typer.testing import CliRunner

from bayeshpo import BayesianSearcher, Study
from bayeshpo.cli import app
from bayeshpo.errors import SpecificationError
from bayeshpo.experiment import spec
from bayeshpo.experiment.store import Results
from bayeshpo.registry import create, entry

MODULE = """
import bayeshpo
from bayeshpo.space import as_space
from bayeshpo.surrogates.derivative import DerivativeGaussianProcess
from bayeshpo.surrogates.gp import GaussianProcess


class Bowl:
    name, direction, optimum, work_unit = "bowl", "minimize", 0.0, "evaluations"

    def __init__(self, centre=0.3):
        self.space, self.centre = as_space({"x": (0.0, 1.0)}), centre

    def evaluate(self, configuration, *, rng=None):
        return bayeshpo.Outcome((configuration["x"] - self.centre) ** 2)

    def true_value(self, configuration):
        return self.evaluate(configuration).value


class Rough(GaussianProcess):
    name = "rough"


rougher = GaussianProcess(kernel="matern12")
sloped = DerivativeGaussianProcess()
"""
FILE = """
name = "own"
budget = 4
seeds = 1
[[problems]]
name = "own_bowl:Bowl"
label = "bowl"
centre = 0.6
[[searchers]]
name = "bayesian"
n_initial = 3
surrogate = {surrogate}
inference = "map"
"""


@pytest.fixture(autouse=True)
def module(tmp_path, monkeypatch):
    """A module in the working directory, which is not where Python looks for modules."""
    (tmp_path / "own_bowl.py").write_text(MODULE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    yield
    sys.modules.pop("own_bowl", None)


def test_an_experiment_is_of_ones_own_problem_and_surrogate(tmp_path):
    (tmp_path / "own.toml").write_text(FILE.format(surrogate='"own_bowl:Rough"'))
    result = CliRunner().invoke(app, ["run", "own.toml", "--workers", "1"])
    assert result.exit_code == 0, result.output
    [run] = Results(tmp_path / "results" / "own").runs()
    losses = [(t["configuration"]["x"] - 0.6) ** 2 for t in run.trials]
    assert len(losses) == 4
    assert [t["value"] for t in run.trials] == losses
    assert [s["surrogate"] for s in run.inference] == ["rough"]


def test_a_part_may_be_an_object_a_class_or_a_table():
    assert create("surrogate", "own_bowl:rougher", {}).kernel == "matern12"
    assert create("surrogate", "own_bowl:Rough", {"kernel": "rbf"}).kernel == "rbf"
    study = Study(
        {"x": (0.0, 1.0)}, BayesianSearcher(surrogate="own_bowl:rougher", n_initial=3, inference="map"), seed=0
    )
    study.optimize(lambda c: c["x"] ** 2, budget=4, progress=False)
    assert study.inference["surrogate"].tolist() == ["gp"]


def test_the_part_itself_says_what_it_needs():
    assert not entry("surrogate", "own_bowl:Rough").uses_gradients
    assert entry("surrogate", "own_bowl:sloped").uses_gradients


@pytest.mark.parametrize(
    ("surrogate", "expected"),
    [
        ('"own_bowl:Ruogh"', "no attribute 'Ruogh'"),
        ('"own_bowll:Rough"', "No module named 'own_bowll'"),
        ('{ name = "own_bowl:Rough", kernl = "rbf" }', "did you mean 'kernel'?"),
        ('{ name = "own_bowl:rougher", kernel = "rbf" }', "argument of surrogate 'own_bowl:rougher' 'kernel'"),
    ],
)
def test_what_is_not_there_is_refused(tmp_path, surrogate, expected):
    (tmp_path / "own.toml").write_text(FILE.format(surrogate=surrogate))
    with pytest.raises(SpecificationError, match=expected):
        spec.read(tmp_path / "own.toml")
