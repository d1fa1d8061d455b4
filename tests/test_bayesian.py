"""The Bayesian searcher: what it proposes, exact repetition, failures, finite spaces."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading

import arviz
import numpy as np
import pytest

import bayeshpo
from bayeshpo.errors import SpaceExhausted, SpecificationError
from bayeshpo.inference.compilation import COMPILATIONS
from bayeshpo.inference.nuts import NUTS
from bayeshpo.inference.predictive import predictive
from bayeshpo.inference.sequential import Sequential
from bayeshpo.inference.stacked import left_out
from bayeshpo.registry import create
from bayeshpo.searchers.bayesian import BayesianSearcher
from bayeshpo.searchers.beliefs import Beliefs
from bayeshpo.study import Study
from bayeshpo.surrogates.gp import GaussianProcess
from bayeshpo.trial import Outcome, Suggestion, Trial

PLANE = {"x": (0.0, 1.0), "z": (0.0, 1.0)}
# The same for all tests, so that they share what is compiled.
FINITE = {"n": (1, 4), "kernel": ["rbf", "linear", "poly"]}
REPORT = {
    "trial", "n", "action", "status", "reason", "chains", "draws", "rhat_max", "ess_bulk_min", "ess_tail_min",
    "ess_per_second", "divergences", "bfmi_min", "tree_depth_hits", "khat", "evidence_increment", "seconds_compile",
    "seconds_sample", "seconds_maximise", "acquisition", "acquisition_mcse",
}  # fmt: skip


def bowl(c):
    return (c["x"] - 0.3) ** 2 + 0.5 * (c["z"] - 0.6) ** 2


def mixed(c):
    return (c["n"] - 3) ** 2 + {"rbf": 0.0, "linear": 1.0, "poly": 3.0}[c["kernel"]]


def study(space=PLANE, seed=0, trials=(), **arguments):
    return bayeshpo.Study(space, BayesianSearcher(**arguments), seed=seed, trials=trials)


def spend(s, objective, budget):
    s.optimize(objective, budget, progress=False)
    return [t.configuration for t in s.history.trials]


@pytest.fixture(scope="module")
def finished():
    """A study of the bowl with fourteen trials, and how many compilations each trial needed."""
    s, compiled = study(), []
    # What an earlier study still compiles in the background is no part of this one.
    here = threading.get_ident()
    problem_trials = s.history.trials
    for budget in range(1, 15):
        before = len(COMPILATIONS.entries)
        s.optimize(bowl, budget, progress=False)
        compiled.append(sum(thread == here for _, _, thread in COMPILATIONS.entries[before:]))
    assert problem_trials == ()
    return s, compiled


def test_it_finds_the_bottom_of_a_bowl(finished):
    s, _ = finished
    origins = [t.suggestion.origin for t in s.history.trials]
    assert origins == ["initial"] * 4 + ["acquisition"] * 10
    # 0.5 % of the bowl's range; chance gives that in one study of ten with fourteen points.
    assert s.best.value < 0.005
    assert s.recommendation in s.history.trials
    assert bowl(s.recommendation.configuration) < 0.01


def test_nothing_is_compiled_after_the_first_fit(finished):
    _, compiled = finished
    assert sum(compiled[:4]) == 0
    assert sum(compiled[5:]) == 0


def test_a_row_for_each_fit(finished):
    s, _ = finished
    assert all(set(row) >= REPORT for row in s.reports)
    frame = s.inference
    assert list(frame["trial"]) == list(frame["n"]) == list(range(4, 14))
    assert set(frame["status"]) <= {"ok", "not_converged"}
    assert (frame["status"] == "ok").mean() >= 0.8
    ok = frame[frame["status"] == "ok"]
    assert (ok["rhat_max"] < 1.01).all()
    assert (ok["ess_bulk_min"] > 400).all()
    assert (frame["acquisition_mcse"] > 0).all()
    json.dumps(s.reports, allow_nan=False)


def test_posterior_is_a_tree_that_arviz_reads(finished):
    s, _ = finished
    tree = s.posterior
    assert set(tree.children) == {
        "posterior", "sample_stats", "prior", "observed_data", "constant_data", "slice", "optimum",
        "log_likelihood", "posterior_predictive", "prior_predictive", "power_scaling",
    }  # fmt: skip
    table = arviz.summary(tree)
    assert {"mean", "amplitude", "lengthscale[x]", "lengthscale[z]", "noise"} == set(table.index)
    assert (table["r_hat"].astype(float) < 1.02).all()
    np.testing.assert_allclose(tree["observed_data"]["outcome"].mean(), 0.0, atol=1e-12)
    assert tree["prior"].sizes["chain"] == 1
    slices = tree["slice"]
    assert slices["mean"].dims == ("hyperparameter", "position")
    assert slices["f"].dims == ("slice_draw", "hyperparameter", "position")
    recommended = s.history.space.encode([s.recommendation.configuration])[0]
    np.testing.assert_array_equal(slices["at"], recommended)
    # The slice through x is the bowl, within its own standard deviations.
    position = slices["position"].to_numpy()
    for name, at in (("x", 0), ("z", 1)):
        points = np.tile(recommended, (len(position), 1))
        points[:, at] = position
        truth = np.array([bowl({"x": p[0], "z": p[1]}) for p in points])
        mean, sd = (slices[k].sel(hyperparameter=name).to_numpy() for k in ("mean", "sd"))
        assert (np.abs(mean - truth) < 4.5 * sd + 1e-3).all()


def test_predictive_groups_are_those_of_the_posterior(finished):
    s, _ = finished
    tree, posterior = s.posterior, s.searcher._known.posterior(s.history, s.streams)
    exact = left_out(posterior)
    # In single precision, and with an effective number of draws that ArviZ asks the chains for.
    loo = arviz.loo(tree, pointwise=True)
    np.testing.assert_allclose(loo.elpd_i, exact.log_density, atol=0.05)
    assert float(loo.elpd) == pytest.approx(exact.log_density.sum(), abs=0.2)
    y = tree["observed_data"]["outcome"].to_numpy()
    of = predictive(posterior.density)
    replicated = tree["posterior_predictive"]["outcome"].stack(sample=("chain", "draw")).to_numpy()
    mean, variance = of.at(posterior, posterior.data.X, posterior.size)
    noise = posterior.density.constrain(posterior.draws)["noise"] ** 2
    sd = np.sqrt(variance.mean(axis=0) + mean.var(axis=0) + noise.mean())
    # A standard error of each mean, of at least 400 independent draws; five of them for fourteen trials.
    assert (np.abs(replicated.mean(axis=1) - mean.mean(axis=0)) < 5.0 * sd / np.sqrt(400)).all()
    np.testing.assert_allclose(replicated.std(axis=1), sd, rtol=0.25)
    before = tree["prior_predictive"]["outcome"]
    assert before.shape == (1, 500, len(y))
    # Far from what was observed: nothing has been seen.
    assert float(before.std()) > 2.0 * float(np.std(replicated - y[:, None]))


@pytest.mark.parametrize("direction", ["minimize", "maximize"])
def test_without_noise_the_best_observed_trial_is_recommended(direction, monkeypatch):
    sign = 1.0 if direction == "minimize" else -1.0
    # At 0.2 the best value of all, and others that say that it was luck.
    told = [(0.2, v) for v in (-0.5, 1.0, 1.1, 0.9, 1.0)] + [(0.8, v) for v in (0.0, 0.1, -0.1, 0.05, -0.05)]
    trials = [Trial(Suggestion({"x": x}, i, "initial"), Outcome(sign * v)) for i, (x, v) in enumerate(told)]
    noisy = Study({"x": (0.0, 1.0)}, direction=direction, trials=trials)
    assert noisy.recommendation.configuration == {"x": 0.8}
    exact = Study({"x": (0.0, 1.0)}, direction=direction, trials=trials, noisy=False)
    # Nothing has to be fitted for it.
    monkeypatch.delattr(Beliefs, "posterior")
    assert exact.recommendation is exact.best is trials[0]
    assert exact.pareto_set == [trials[0]]


def test_a_problem_without_noise_says_so_itself():
    study = Study({"x": (0.0, 1.0)}, bayeshpo.RandomSearcher())
    study.optimize(lambda c: c["x"], budget=1, progress=False)
    assert study.history.noisy
    problem = create("problem", "branin", {})
    study = Study(problem.space, bayeshpo.RandomSearcher())
    study.optimize(problem, budget=1, progress=False)
    assert not study.history.noisy


def test_slices_and_recommendation_of_a_maximum():
    s = bayeshpo.Study(PLANE, BayesianSearcher(n_initial=8), direction="maximize")
    s.optimize(lambda c: 5.0 - bowl(c), 8, progress=False)
    tree = s.posterior
    centre = float(tree["slice"]["mean"].max())
    assert 4.5 < centre < 5.5
    assert s.recommendation.value > np.median([t.value for t in s.history.trials])


def test_equal_seeds_give_equal_trials_in_another_process(finished):
    s, _ = finished
    code = (
        "import json, bayeshpo\n"
        "s = bayeshpo.Study({'x': (0.0, 1.0), 'z': (0.0, 1.0)}, bayeshpo.BayesianSearcher())\n"
        "s.optimize(lambda c: (c['x'] - 0.3) ** 2 + 0.5 * (c['z'] - 0.6) ** 2, 7, progress=False)\n"
        "print(json.dumps([t.configuration for t in s.history.trials]))"
    )
    out = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env=dict(os.environ, BAYESHPO_CORES="1"),
    )
    assert json.loads(out.stdout.splitlines()[-1]) == [t.configuration for t in s.history.trials[:7]]


@pytest.mark.parametrize("engine", ["sequential", "nuts"])
def test_a_study_goes_on_from_its_records_as_if_undisturbed(engine, finished):
    arguments = {"inference": NUTS(draws=100, rounds=1) if engine == "nuts" else engine}
    if engine == "sequential":
        whole, n = finished[0], 9
    else:
        whole, n = study(**arguments), 6
        whole.optimize(bowl, 7, progress=False)
    records = json.loads(json.dumps([t.to_record() for t in whole.history.trials[:n]]))
    again = study(trials=[Trial.from_record(r) for r in records], **arguments)
    assert again.ask().configuration == whole.history.trials[n].configuration


def test_looking_does_not_change_what_comes_next(finished):
    # Recommendations and posteriors need fits of their own: at odd numbers of trials, during the initial design.
    watched = study()
    for budget in (2, 3, 5, 8):
        watched.optimize(bowl, budget, progress=False)
        assert watched.recommendation is not None
        assert watched.posterior is not None
    assert [t.configuration for t in watched.history.trials] == [
        t.configuration for t in finished[0].history.trials[:8]
    ]


def test_looking_between_batches_does_not_change_what_comes_next():
    def batches(look):
        s = study()
        for _ in range(4):
            for suggestion in s.ask(3):
                s.tell(suggestion, bowl(suggestion.configuration))
                if look and len(s.history) > 4:
                    assert s.recommendation is not None
        return [t.configuration for t in s.history.trials]

    assert batches(look=True) == batches(look=False)


def test_three_suggestions_at_once_are_three_places(finished):
    s = study(trials=finished[0].history.trials[:8])
    X = s.history.space.encode(suggestion.configuration for suggestion in s.ask(3))
    apart = np.abs(X[:, None] - X[None]).max(axis=2)[~np.eye(3, dtype=bool)]
    # Not just different digits: what is pending counts as known, so the next one goes elsewhere.
    assert apart.min() > 0.01
    assert [p.index for p in s.history.pending] == [8, 9, 10]
    # Told in another order, the study goes on.
    for suggestion in reversed(s.history.pending):
        s.tell(suggestion, bowl(suggestion.configuration))
    assert s.ask().index == 11


@pytest.mark.parametrize("n_initial", [1, 2])
def test_few_initial_trials(n_initial):
    s = study(n_initial=n_initial)
    spend(s, bowl, 6)
    assert [t.suggestion.origin for t in s.history.trials[:n_initial]] == ["initial"] * n_initial
    assert list(s.inference["n"]) == list(range(n_initial, 6))
    assert "failed" not in set(s.inference["status"])
    assert len(np.unique(s.history.X.round(6), axis=0)) == 6


@pytest.mark.parametrize("value", [0.0, 7.0, 1e200])
def test_an_objective_that_is_constant_is_explored(value):
    s = study()
    spend(s, lambda c: value, 8)
    assert "failed" not in set(s.inference["status"])
    assert len(np.unique(s.history.X.round(6), axis=0)) == 8


def test_initial_trials_are_those_of_the_other_searchers():
    ours, theirs = study(seed=3), bayeshpo.Study(PLANE, bayeshpo.SobolSearcher(), seed=3)
    ours.optimize(bowl, 4, progress=False)
    theirs.optimize(bowl, 4, progress=False)
    assert [t.configuration for t in ours.history.trials] == [t.configuration for t in theirs.history.trials]


@pytest.fixture(scope="module")
def exhausted():
    """A study with a budget above the number of configurations, twelve."""
    s = study(FINITE)
    spend(s, mixed, 50)
    return s


def test_a_finite_mixed_space_is_searched_without_repetition_until_it_is_exhausted(exhausted):
    tried = [t.configuration for t in exhausted.history.trials]
    assert len(tried) == len({tuple(sorted(c.items())) for c in tried}) == 12
    with pytest.raises(SpaceExhausted):
        exhausted.ask()
    # Five initial points, then better than going on at random: the best would be the ninth of twelve on average.
    assert next(i for i, c in enumerate(tried) if mixed(c) == 0) < 8


def test_a_batch_larger_than_what_is_left(exhausted):
    s = study(FINITE, trials=exhausted.history.trials[:10])
    left = [suggestion.configuration for suggestion in s.ask(3)]
    assert len(left) == 2
    assert all(c not in [t.configuration for t in s.history.trials] for c in left)
    assert left[0] != left[1]
    with pytest.raises(SpaceExhausted, match="all 12 configurations of the space have been tried, or are pending"):
        s.ask()


def test_an_initial_design_larger_than_the_space():
    s = study({"n": [1, 2, 3]})
    assert len(s.ask(5)) == 3
    with pytest.raises(SpaceExhausted, match="all 3 configurations"):
        s.ask()


def test_conditional_spaces():
    from ConfigSpace import Categorical, ConfigurationSpace, EqualsCondition, Float

    # x is a scale that only the second kernel z has; named so that the plane's compiled code serves here too.
    space = ConfigurationSpace()
    kernel, scale = Categorical("z", ["linear", "rbf"]), Float("x", (1e-3, 1e3), log=True)
    space.add(kernel, scale, EqualsCondition(scale, kernel, "rbf"))

    def objective(c):
        return 1.0 if c["z"] == "linear" else np.log10(c["x"] / 10.0) ** 2

    s = study(space)
    tried = spend(s, objective, 14)
    assert all(("x" in c) == (c["z"] == "rbf") for c in tried)
    # There is one linear configuration only, and it is tried once after the initial design at most.
    assert sum(c["z"] == "linear" for c in tried[4:]) <= 1
    assert s.best.value < 0.05


def test_a_study_whose_trials_all_fail_goes_on():
    s = study()
    with pytest.raises(SpecificationError, match="no trial finished"):
        s.optimize(lambda c: 1 / 0, 9, progress=False)
    assert len(np.unique(s.history.X.round(6), axis=0)) == 9
    assert [t.suggestion.origin for t in s.history.trials[4:]] == ["exploration"] * 5
    assert s.recommendation is None
    assert s.inference.empty
    with pytest.raises(SpecificationError, match="no posterior yet"):
        _ = s.posterior


def test_one_finished_trial_among_failures_is_enough():
    s = study()
    calls = iter(range(20))
    s.optimize(lambda c: 1.0 if next(calls) == 2 else None, 7, progress=False)
    assert list(s.inference["n"]) == [1, 1, 1]
    assert s.recommendation.suggestion.index == 2


def test_proposals_avoid_the_half_that_fails():
    # Two equal valleys, one of which always fails: a searcher that hears nothing of failures looks for the unknown
    # there for ever (97 % of its proposals did).
    def objective(c):
        if c["x"] < 0.5:
            raise MemoryError("too large")
        return (c["x"] - 0.75) ** 2 + 0.2 * (c["z"] - 0.4) ** 2

    failing, best = [], []
    for seed in range(4):
        s = study(seed=seed)
        spend(s, objective, 16)
        failing += [t.configuration["x"] < 0.5 for t in s.history.trials[6:]]
        best.append(s.best.value)
    # Half of them at random; of forty, fourteen or fewer at the 4 % level.
    assert np.sum(failing) <= 14
    assert max(best) < 0.01


def test_a_table_of_a_name_and_arguments_is_the_part_that_they_make():
    # How experiment files give arguments to parts.
    engine, surrogate = {"name": "sequential", "draws": 100}, {"name": "gp", "kernel": "rbf"}
    proposals = [
        spend(study(surrogate=s, inference=e, n_initial=3), bowl, 4)
        for s, e in ((surrogate, engine), (GaussianProcess(kernel="rbf"), Sequential(draws=100)), ("gp", "sequential"))
    ]
    assert proposals[0] == proposals[1] != proposals[2]


def test_bad_arguments():
    with pytest.raises(SpecificationError, match="n_initial >= 1"):
        BayesianSearcher(n_initial=0)
    with pytest.raises(SpecificationError, match="did you mean 'sequential'"):
        BayesianSearcher(inference="sequentail")
