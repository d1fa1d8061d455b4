"""Studies past the exact model's reach: the switch of surrogates is recorded, and the posterior after it is right."""

from __future__ import annotations

import numpy as np
import pytest
from posterior_checks import carried, weighted_moments
from surrogate_cases import PLANE, density_on, wavy
from toy_surrogates import Level, outcomes, toy_density

import bayeshpo
from bayeshpo.errors import SpecificationError
from bayeshpo.experiment import spec
from bayeshpo.inference.compilation import COMPILATIONS
from bayeshpo.inference.density import log_density
from bayeshpo.inference.posterior import prepared
from bayeshpo.inference.sequential import Sequential
from bayeshpo.searchers.bayesian import BayesianSearcher
from bayeshpo.surrogates.columns import Columns
from bayeshpo.surrogates.hsgp import HilbertSpaceGaussianProcess
from bayeshpo.surrogates.sparse import SparseGaussianProcess

COLUMNS = Columns.of(PLANE)
# Fewer inducing points than trials after the switch, and enough to be near the exact model.
SPARSE = SparseGaussianProcess(inducing=24)
REPLICATES = 5


def bumpy(c):
    return np.sin(5.0 * c["x"]) + 0.5 * c["z"] ** 2


@pytest.fixture(scope="module")
def crossing():
    """A study that goes on with inducing points after eight trials, and how many compilations each trial needed."""
    searcher = BayesianSearcher(beyond={"trials": 8, "surrogate": SparseGaussianProcess(inducing=6)})
    study, compiled = bayeshpo.Study({"x": (0.0, 1.0), "z": (0.0, 1.0)}, searcher, seed=0), []
    for budget in range(1, 13):
        before = len(COMPILATIONS.entries)
        study.optimize(bumpy, budget, progress=False)
        compiled.append(len(COMPILATIONS.entries) - before)
    return study, compiled


def test_rows_of_inference_name_their_surrogate(crossing):
    rows = crossing[0].reports
    assert [(r["n"], r["surrogate"]) for r in rows] == [(n, "gp" if n <= 8 else "sparse") for n in range(4, 12)]
    assert all(r["status"] == "ok" for r in rows)


def test_each_surrogate_is_compiled_once(crossing):
    _, compiled = crossing
    # The fifth trial has the first fit, the tenth the first of the other surrogate.
    assert [k for k, count in enumerate(compiled, 1) if count > 0 and k not in (5, 10)] == []
    assert compiled[9] > 0


def test_population_goes_over_the_switch():
    # The same data under the other surrogate: all that changes is the approximation, and the draws hardly need to move.
    data, exact, sparse = wavy(20), density_on(PLANE), log_density(SPARSE, COLUMNS)
    rng = np.random.default_rng(0)
    before = Sequential().fit(exact, data, rng=rng)
    after = Sequential().fit(sparse, prepared(sparse, data, before), rng=rng, previous=before)
    assert after.report.action == "reweighted"
    # With inducing points at all trials it is the same posterior, and there is nothing to predict.
    assert abs(after.report.evidence_increment or np.inf) < 0.01
    np.testing.assert_array_equal(after.unconstrained, before.unconstrained)


@pytest.fixture(scope="module")
def exact():
    """Posteriors of the exact model given 36 trials, and carried on to 40, for each seed."""
    return [carried(Sequential(), density_on(PLANE), [wavy(36), wavy(40)], seed) for seed in range(REPLICATES)]


def moments(posteriors):
    return np.array([np.concatenate(weighted_moments(p)) for p in posteriors])


def assert_alike(found, expected, allowed=0.0):
    """Means of replicates (R, ...) agree within five of their standard errors, and what is allowed beside."""
    error = np.sqrt((found.var(axis=0, ddof=1) + expected.var(axis=0, ddof=1)) / REPLICATES)
    assert (np.abs(found.mean(axis=0) - expected.mean(axis=0)) < 5.0 * error + allowed).all()


@pytest.mark.parametrize("surrogate", [SPARSE, HilbertSpaceGaussianProcess(functions=64)], ids=["sparse", "hsgp"])
def test_posterior_after_the_switch_is_that_of_a_fresh_fit(surrogate, exact):
    other, over, fresh = log_density(surrogate, COLUMNS), [], []
    for seed, (before, at_forty) in enumerate(exact):
        rng = np.random.default_rng(100 + seed)
        # The inducing points are those of the same draws for both.
        data = prepared(other, wavy(40), before)
        over.append(Sequential().fit(other, data, rng=rng, previous=before))
        fresh.append(Sequential().fit(other, data, rng=rng))
        assert over[-1].report.status == fresh[-1].report.status == at_forty.report.status == "ok"
    assert_alike(moments(over), moments(fresh))
    if surrogate is SPARSE:
        # Of a smooth function 24 points leave little unexplained: a small share of the posterior's width.
        expected = moments([at_forty for _, at_forty in exact])
        width = expected[:, expected.shape[1] // 2 :].mean(axis=0)
        assert_alike(moments(fresh), expected, 0.1 * np.concatenate([width, width]))


def test_another_layout_of_hyperparameters_starts_anew():
    level = Sequential().fit(toy_density(Level()), outcomes([0.1, -0.3, 0.4]), rng=np.random.default_rng(0))
    exact, data = density_on(PLANE), wavy(10)
    posterior = Sequential().fit(exact, prepared(exact, data, level), rng=np.random.default_rng(0), previous=level)
    assert posterior.report.status == "ok"
    assert posterior.unconstrained.shape[2] == exact.dimension


HEAD = 'name = "large"\nbudget = 3\n[[problems]]\nname = "{problem}"\n[[searchers]]\nname = "bayesian"\n{line}\n'


def plan(tmp_path, line, problem="branin"):
    path = tmp_path / "large.toml"
    path.write_text(HEAD.format(problem=problem, line=line))
    return spec.read(path)


def test_experiment_files_can_switch(tmp_path):
    [run] = plan(tmp_path, 'beyond = { trials = 400, surrogate = "sparse" }').runs
    assert run.to_record()["searcher"]["beyond"] == {"trials": 400, "surrogate": "sparse"}
    assert isinstance(run.searcher.build(), BayesianSearcher)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ('beyond = { trials = 400, surrogate = "spars" }', "unknown surrogate 'spars'; did you mean 'sparse'?"),
        ('beyond = { trial = 400, surrogate = "sparse" }', "expected beyond with a whole number of trials >= 1"),
        ('beyond = { trials = 0, surrogate = "sparse" }', "expected beyond with a whole number of trials >= 1"),
        ('beyond = "sparse"', "expected beyond with a whole number of trials >= 1"),
        ('beyond = { trials = 9, surrogate = "hsgp" }', "at most 3 hyperparameters, got 6; use 'sparse'"),
        ('surrogate = "hsgp"', "at most 3 hyperparameters, got 6; use 'sparse'"),
    ],
)
def test_impossible_switches_are_refused_before_anything_runs(tmp_path, line, words):
    with pytest.raises(SpecificationError, match=words.replace("?", r"\?")):
        plan(tmp_path, line, "hartmann6")
