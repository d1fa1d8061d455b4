"""Studies that aim at more than one value: metrics, objectives, limits; on record, refused where they cannot be."""

from __future__ import annotations

import json

import numpy as np
import pytest

import bayeshpo
from bayeshpo.aims import Aims, Limits
from bayeshpo.errors import SpecificationError
from bayeshpo.experiment.spec import read
from bayeshpo.history import History
from bayeshpo.problem import aims
from bayeshpo.registry import create
from bayeshpo.trial import Outcome, Status, Suggestion, Trial

LINE = {"x": (0.0, 1.0)}
BOTH = {"objectives": {"speed": "maximize"}, "constraints": {"memory": (None, 8.0)}}


def measured(c):
    return Outcome(c["x"], metrics={"speed": c["x"] ** 2, "memory": 10.0 * c["x"]})


def study(searcher=None, **arguments):
    return bayeshpo.Study(LINE, searcher or bayeshpo.RandomSearcher(), **(arguments or BOTH))


@pytest.fixture(scope="module")
def searched():
    s = study()
    s.optimize(measured, 40, progress=False)
    return s


def test_metrics_are_on_record(searched):
    trials = searched.trials
    np.testing.assert_allclose(trials["memory"], 10.0 * trials["x"])
    for trial in searched.history.trials:
        assert Trial.from_record(json.loads(json.dumps(trial.to_record()))) == trial
    record = searched.history.trials[0].to_record()
    del record["metrics"]
    assert Trial.from_record(record).outcome.metrics == {}


def test_the_best_and_the_pareto_set_keep_to_the_limits(searched):
    x = searched.trials["x"].to_numpy()
    within = 10.0 * x <= 8.0
    assert 5 < within.sum() < 40
    assert searched.best.value == x[within].min()
    # Low values are slow: all that is within is on the front, in order of its value.
    assert [t.value for t in searched.pareto_set] == sorted(x[within])


def test_one_objective_has_a_pareto_set_of_its_best():
    s = study(constraints={"memory": (2.0, 8.0)})
    s.optimize(measured, 20, progress=False)
    assert s.pareto_set == [s.best]
    assert 2.0 <= s.best.outcome.metrics["memory"] <= 8.0


def test_a_history_of_a_metric_is_that_of_its_own_study(searched):
    own = searched.history.of("speed")
    np.testing.assert_allclose(own.losses, -(searched.trials["x"] ** 2))
    assert own.direction == "maximize"
    assert own.aims == Aims()
    np.testing.assert_allclose(searched.history.objectives, np.column_stack([searched.history.losses, own.losses]))


def test_of_what_has_no_value_no_metric_is_known():
    def metric(outcome):
        return Trial(Suggestion({"x": 0.5}, 0, "random"), outcome).outcome.of_metric("speed")

    assert metric(Outcome(None, Status.RAISED, "oh", metrics={"speed": 1.0})).status is Status.RAISED
    for outcome in (Outcome.stopped([(0.5, 1.0)]), Outcome.censored(1.0)):
        assert metric(outcome).status is Status.INVALID
        assert metric(outcome).value is None


@pytest.mark.parametrize("metrics", [{}, {"speed": 1.0}, {"speed": 1.0, "memory": np.nan}])
def test_a_trial_without_a_metric_that_is_asked_for_has_failed(metrics):
    s = study()
    trial = s.tell(s.ask(), Outcome(0.5, metrics=metrics))
    assert trial.outcome.status is Status.INVALID
    assert "'memory'" in trial.outcome.reason


def test_other_metrics_are_welcome_and_failures_need_none():
    s = study()
    assert s.tell(s.ask(), Outcome(0.5, metrics={"speed": 1.0, "memory": 1.0, "heat": 3.0})).finished
    assert s.tell(s.ask(), Outcome(None, Status.RAISED, "oh")).outcome.reason == "oh"


def test_that_nothing_is_within_is_said():
    s = study(constraints={"memory": (20.0, None)})
    with pytest.raises(SpecificationError, match=r"no trial kept to the limits .*'memory': \[20.0, None\]"):
        s.optimize(measured, 3, progress=False)
    assert s.best is None
    assert s.pareto_set == []


@pytest.mark.parametrize("pair", [(8.0, 2.0), (None, None), 8.0, "ab", (1.0,), (1.0, "b")])
def test_what_is_no_pair_of_limits_is_refused(pair):
    with pytest.raises(SpecificationError, match="constraint on 'memory': expected a pair"):
        study(constraints={"memory": pair})


def test_what_is_no_direction_is_refused():
    with pytest.raises(SpecificationError, match="objective 'speed': expected direction"):
        study(objectives={"speed": "up"})


def test_limits_are_inclusive():
    np.testing.assert_array_equal(Limits(1.0, 2.0).allow(np.array([0.9, 1.0, 2.0, 2.1, np.nan])), [0, 1, 1, 0, 0])


ACQUISITIONS = [
    ("log_ei", {"objectives": {"speed": "maximize"}}, "'log_ei'.*speed.*'hypervolume' or 'parego'"),
    ("hypervolume", {}, "'hypervolume': expected a study of several objectives"),
    ("parego", {"constraints": {"memory": (None, 8.0)}}, "'parego': expected a study of several objectives"),
    ("ei", {"constraints": {"memory": (None, 8.0)}}, "'ei'.*limits to memory; use 'constrained_ei'"),
]


@pytest.mark.parametrize(("name", "arguments", "message"), ACQUISITIONS)
def test_an_acquisition_for_other_aims_is_refused_by_both_names(name, arguments, message):
    s = bayeshpo.Study(LINE, bayeshpo.BayesianSearcher(acquisition=name), **arguments)
    for propose in (lambda: s.optimize(measured, 3, progress=False), s.ask):
        with pytest.raises(SpecificationError, match=message):
            propose()


def test_gradient_searchers_refuse_further_aims():
    s = study(bayeshpo.FiniteDifferenceSearcher())
    with pytest.raises(SpecificationError, match=r"one objective and no constraints.*speed, memory"):
        s.optimize(measured, 3, progress=False)


def test_a_problem_s_aims_must_be_the_study_s():
    problem = create("problem", "gramacy", {})
    with pytest.raises(SpecificationError, match="'gramacy': expected a study with its objectives and constraints"):
        bayeshpo.Study(problem.space).optimize(problem, 3, progress=False)
    s = bayeshpo.Study(problem.space, bayeshpo.RandomSearcher(), constraints=problem.constraints)
    assert s.optimize(problem, 200, progress=False).value > problem.optimum


def test_known_optima_of_problems_with_aims():
    gramacy, rng = create("problem", "gramacy", {}), np.random.default_rng(0)
    grid = np.random.default_rng(0).random((20_000, 2))
    outcomes = [gramacy.evaluate({"x1": a, "x2": b}, rng=rng) for a, b in grid]
    within = [o.value for o in outcomes if max(o.metrics.values()) <= 0.0]
    assert gramacy.optimum < min(within) < gramacy.optimum + 0.03
    there = gramacy.evaluate(dict(zip(["x1", "x2"], gramacy.minimisers[0], strict=True)), rng=rng)
    assert there.value == pytest.approx(gramacy.optimum, abs=1e-6)
    assert max(there.metrics.values()) < 1e-6
    # Of a front that is an eighth of a sphere all points have the norm 1.
    dtlz2 = create("problem", "dtlz2", {})
    there = dtlz2.evaluate({"x1": 0.3, "x2": 0.8, "x3": 0.5, "x4": 0.5}, rng=rng)
    assert there.value**2 + sum(m**2 for m in there.metrics.values()) == pytest.approx(1.0)


def test_a_forest_is_an_error_and_a_size():
    outcome = create("problem", "forest_digits", {}).evaluate(
        {"trees": 4, "max_depth": 6, "min_samples_leaf": 2, "max_features": 0.2, "criterion": "gini"},
        rng=np.random.default_rng(0),
    )
    assert 0.05 < outcome.value < 0.5
    assert 2.0 < outcome.metrics["log10_nodes"] < 3.0
    assert outcome.work == 12.0


FILE = """
name = "aims"
budget = 4
problems = [{ name = "gramacy" }, { name = "branin_currin" }]
searchers = [{ name = "random" }]
"""


def test_runs_know_their_aims(tmp_path):
    (tmp_path / "aims.toml").write_text(FILE)
    plan = read(tmp_path / "aims.toml")
    records = {run.problem.name: run.to_record()["aims"] for run in plan.runs}
    assert records["gramacy"] == {"constraints": {"waves": [None, 0.0], "disc": [None, 0.0]}}
    assert records["branin_currin"] == {"objectives": {"currin": "minimize"}}
    (tmp_path / "aims.toml").write_text(FILE.replace('"random"', '"bayesian", acquisition = "log_ei"'))
    with pytest.raises(SpecificationError, match=r"searchers\[1\].*'log_ei'"):
        read(tmp_path / "aims.toml")


def test_problems_say_what_they_aim_at():
    several = ("gramacy", "branin_currin", "dtlz2", "forest_digits")
    assert all(aims(create("problem", name, {})).metrics for name in several)
    assert not aims(create("problem", "branin", {})).metrics


def test_histories_without_aims_are_as_they_were():
    history = History(study().history.space)
    assert history.aims.metrics == ()
    assert history.pareto_set == ()
