"""Mixtures of surrogates: draws, evidences, studies, records, and what is refused."""

from __future__ import annotations

import json
from dataclasses import replace

import arviz
import numpy as np
import pymc as pm
import pytest
import xarray as xr
from scipy.special import logsumexp, softmax
from surrogate_cases import PLANE, wavy
from toy_surrogates import LINE, Level, LevelAndSpread, Toy, outcomes
from typer.testing import CliRunner

import bayeshpo
from bayeshpo.acquisitions.compiled import CompiledAcquisition
from bayeshpo.acquisitions.log_ei import LogExpectedImprovement
from bayeshpo.acquisitions.outlook import Evidence
from bayeshpo.cli import app
from bayeshpo.errors import SpecificationError
from bayeshpo.inference.audit import audit
from bayeshpo.inference.density import log_density
from bayeshpo.inference.fitting import fit
from bayeshpo.inference.map import MAP
from bayeshpo.inference.nuts import NUTS
from bayeshpo.inference.predictive import predictive
from bayeshpo.inference.sequential import Sequential
from bayeshpo.inference.stacked import StackedSurrogate
from bayeshpo.inference.stacked_posterior import allotted, labels
from bayeshpo.searchers.bayesian import BayesianSearcher
from bayeshpo.surrogates.additive import AdditiveGaussianProcess
from bayeshpo.surrogates.base import Surrogate
from bayeshpo.surrogates.columns import Columns
from bayeshpo.surrogates.gp import GaussianProcess
from bayeshpo.testing import MIXTURE_PROMISES, SurrogateUnderTest
from bayeshpo.testing import surrogates as promises

RNG = np.random.default_rng
Y = RNG(7).normal(1.0, 0.8, 12)
TOYS = (Level(0.7), LevelAndSpread())


# Draws.


@pytest.fixture(scope="module")
def mixture():
    """Two processes fitted to a few trials, three quarters of the first."""
    members = (GaussianProcess(), AdditiveGaussianProcess())
    density = log_density(StackedSurrogate(members), Columns.of(PLANE))
    posterior = fit(Sequential(), density, wavy(12), rng=RNG(0))
    return replace(posterior, weights=np.array([0.75, 0.25]))


def members_at(posterior, Z, counts=(48, 16)):
    return [predictive(p.density).at(p, Z, n) for p, n in zip(posterior.parts, counts, strict=True)]


def test_moments_are_the_weighted_sums_of_the_members(mixture):
    Z = RNG(1).random((7, 2))
    mean, variance = predictive(mixture.density).at(mixture, Z, 64)
    assert mean.shape == variance.shape == (64, 7)
    (mean_0, variance_0), (mean_1, variance_1) = members_at(mixture, Z)
    np.testing.assert_allclose(mean.mean(axis=0), 0.75 * mean_0.mean(axis=0) + 0.25 * mean_1.mean(axis=0))
    second = [(m**2 + v).mean(axis=0) for m, v in ((mean_0, variance_0), (mean_1, variance_1))]
    np.testing.assert_allclose((mean**2 + variance).mean(axis=0), 0.75 * second[0] + 0.25 * second[1])


def test_acquisition_is_the_weighted_sum_of_the_members(mixture):
    Z, known = RNG(2).random((5, 2)), Evidence(mixture.data, np.array([[0.2, 0.9]]), np.array([-0.3]))
    compiled = CompiledAcquisition(LogExpectedImprovement(), predictive(mixture.density))
    state = compiled.state(mixture.thinned(64), known)
    values = []
    for part, n in zip(mixture.parts, (48, 16), strict=True):
        own = CompiledAcquisition(LogExpectedImprovement(), predictive(part.density))
        values.append(own.value(own.state(part.thinned(n), replace(known, data=part.data)), Z))
    expected = np.log(0.75 * np.exp(values[0]) + 0.25 * np.exp(values[1]))
    np.testing.assert_allclose(compiled.value(state, Z), expected)
    # Each fourth draw, counted through; and all of them, in chunks.
    fitted = compiled.every(state, 4).draws.fitted
    np.testing.assert_array_equal(fitted, state.draws.fitted[::4])
    everything, error, _ = compiled.over_all_draws(mixture.thinned(64), known, Z)
    np.testing.assert_allclose(everything, expected)
    assert (error > 0.0).all()


def test_every_counts_through_members_of_any_number_of_draws(mixture):
    p = predictive(mixture.density)
    for weights in ([0.5, 0.5], [0.97, 0.03], [0.31, 0.69]):
        draws = p.condition(replace(mixture, weights=np.array(weights)).thinned(31), mixture.data)
        for step in (2, 4, 30):
            np.testing.assert_array_equal(draws.every(step).fitted, draws.fitted[::step])


def test_shares_are_as_near_as_whole_numbers_can_be():
    np.testing.assert_array_equal(allotted(np.array([0.75, 0.25]), 64), [48, 16])
    np.testing.assert_array_equal(allotted(np.array([1.0, 0.0, 0.0]), 5), [5, 0, 0])
    for n in (1, 7, 1280):
        weights = RNG(n).dirichlet(np.ones(5))
        counts = allotted(weights, n)
        assert counts.sum() == n
        assert (np.abs(counts - n * weights) < 1.0).all()


def test_point_estimates_are_repeated_in_proportion():
    density = log_density(StackedSurrogate(TOYS), LINE)
    posterior = replace(fit(MAP(), density, outcomes(Y), rng=RNG(0)), weights=np.array([0.75, 0.25]))
    np.testing.assert_array_equal(posterior.thinned(64)[:, 0], np.repeat([0.0, 1.0], [48, 16]))
    alone = replace(posterior, weights=np.array([1.0, 0.0]))
    assert alone.thinned(64).shape == (1, 3)


def test_members_of_one_name_are_told_apart():
    kernels = [GaussianProcess(kernel=k) for k in ("rbf", "matern12", "matern32")]
    assert labels([kernels[0], AdditiveGaussianProcess(), *kernels[1:]]) == ["gp", "additive", "gp_2", "gp_3"]


# One-step-ahead weights.


def carried(members, stages, seed, engine=None):
    """Posteriors of a mixture with one-step-ahead weights, carried on through data."""
    density, posterior, found = log_density(StackedSurrogate(members, "one_step_ahead"), LINE), None, []
    for data in stages:
        posterior = fit(engine or Sequential(), density, data, rng=RNG(seed), previous=posterior)
        found.append(posterior)
    return found


def test_one_step_ahead_weights_are_posterior_probabilities():
    # Losses in another unit at every stage: a product of densities in units of the loss does not notice.
    stages = [replace(outcomes((Y[:n] - 0.1 * n) / n), location=0.1 * n, scale=float(n)) for n in (1, 4, 12)]
    final = stages[-1]
    exact = np.array([toy.exact(final.y)[2] for toy in TOYS])
    runs = [carried(TOYS, stages, seed) for seed in range(4)]
    found = np.array([run[-1].evidences for run in runs])
    error = found.std(axis=0, ddof=1) / 2.0
    assert (np.abs(found.mean(axis=0) - (exact - final.log_unit)) < 4.0 * error + 0.1).all()
    np.testing.assert_allclose(np.mean([run[-1].weights for run in runs], axis=0), softmax(exact), atol=0.06)
    increments = [posterior.report.evidence_increment for posterior in runs[0]]
    assert sum(increments) == pytest.approx(logsumexp(found[0]) - np.log(2.0), abs=1e-9)


def test_a_member_that_begins_anew_has_the_evidence_of_all_trials():
    first, second = carried(TOYS, [outcomes(Y[:4]), outcomes(Y[:5])], 0)
    broken = replace(first.parts[0], report=replace(first.parts[0].report, status="failed"))
    lost = replace(first, parts=(broken, first.parts[1]))
    again = fit(Sequential(), first.density, outcomes(Y[:5]), rng=RNG(1), previous=lost)
    exact = TOYS[0].exact(Y[:5])[2]
    assert abs(again.evidences[0] - exact) < 0.2
    assert abs(second.evidences[0] - exact) < 0.2


def test_smc_has_the_evidence_of_all_trials_every_time():
    engine = bayeshpo.registry.create("engine", "smc", {})
    _, second = carried(TOYS, [outcomes(Y[:4]), outcomes(Y)], 0, engine)
    np.testing.assert_allclose(second.evidences, [toy.exact(Y)[2] for toy in TOYS], atol=0.2)


@pytest.mark.slow
def test_probabilities_of_the_true_member_are_frequencies():
    # A member drawn at random, outcomes simulated from its prior, and how likely the second is called.
    rng, called, truth = RNG(0), [], RNG(1).integers(2, size=60)
    for k in truth:
        sd = rng.lognormal(0.0, 1.0) if k else 0.7
        y = rng.normal(rng.normal(0.0, 2.0), sd, 5)
        called.append(carried(TOYS, [outcomes(y)], rng.integers(2**32))[-1].weights[1])
    called = np.array(called)
    variance = called * (1.0 - called)
    # What is called differs from the truth by chance, wherever it is and whatever it is weighed by.
    for low, high in ((0.0, 0.4), (0.4, 0.7), (0.7, 1.0)):
        inside = (called >= low) & (called <= high)
        excess = truth[inside].sum() - called[inside].sum()
        assert abs(excess) < 3.0 * np.sqrt(variance[inside].sum()) + 0.5
    by = called - 0.5
    assert abs(np.sum((truth - called) * by)) < 3.0 * np.sqrt(np.sum(variance * by**2))
    # They are news: without any, all are called one half.
    assert variance.mean() < 0.2


# Fits, reports and audits.


class NoDensity(Toy):
    """A member that cannot be fitted once there are data."""

    name = "no_density"

    def model(self, columns, X, y):
        with pm.Model() as model:
            pm.Data("X", X)
            y = pm.Data("y", y)
            pm.Normal("outcome", pm.Normal("mean"), 1.0, observed=y)
            pm.Potential("never", pm.math.switch(y.shape[0] > 0, -np.inf, 0.0))
        return model

    def leave_one_out(self, columns, p, state, data):
        return -(data["y"] ** 2)


def test_a_failed_member_has_no_weight_and_the_others_go_on():
    members = (Level(0.7), NoDensity())
    posterior = fit(Sequential(), log_density(StackedSurrogate(members), LINE), outcomes(Y), rng=RNG(0))
    np.testing.assert_array_equal(posterior.weights, [1.0, 0.0])
    assert posterior.report.status == "not_converged"
    assert posterior.report.reason == "no_density: no draw has a finite log density"
    row = posterior.report.to_row()
    assert (row["status_level"], row["status_no_density"], row["weight_no_density"]) == ("ok", "failed", 0.0)
    assert np.isfinite(posterior.thinned(64)).all()
    json.dumps(row, allow_nan=False)
    alone = fit(Sequential(), log_density(StackedSurrogate(members[1:]), LINE), outcomes(Y), rng=RNG(0))
    assert alone.report.status == "failed"
    assert alone.to_datatree()["stacking"]["weight"].item() == 0.0


def test_report_is_the_worst_of_the_members(mixture):
    row, parts = mixture.report.to_row(), [p.report for p in mixture.parts]
    assert row["members"] == "gp, additive"
    assert row["rhat_max"] == max(r.rhat_max for r in parts)
    assert row["ess_bulk_min"] == min(r.ess_bulk_min for r in parts)
    assert row["seconds_sample"] >= sum(r.seconds_sample for r in parts)
    assert 0.0 <= row["loo_bad_gp"] <= 1.0
    assert row["evidence_increment"] == pytest.approx(logsumexp([r.evidence_increment for r in parts]) - np.log(2.0))
    json.dumps(row, allow_nan=False)


def test_audit_is_of_the_member_that_comes_off_worst():
    posterior = fit(Sequential(), log_density(StackedSurrogate(TOYS), LINE), outcomes(Y), rng=RNG(0))
    wrong = replace(posterior.parts[0], unconstrained=posterior.parts[0].unconstrained + 1.0)
    found = audit(replace(posterior, parts=(wrong, posterior.parts[1])), RNG(1))
    assert found.audit_status == "differs"
    assert found.audit_z_of.startswith("level: mean")


# Promises.


@pytest.mark.parametrize("promise", [p for p in MIXTURE_PROMISES if p is not promises.fits], ids=lambda p: p.__name__)
def test_promises_are_kept_on_a_plane(promise):
    promise(SurrogateUnderTest(StackedSurrogate(["gp", "additive"]), PLANE))


# Studies.


# One of the initial points.
FAILS_BELOW = 0.1


def bowl(c):
    if c["x"] < FAILS_BELOW:
        raise ValueError("too small")
    return (c["x"] - 0.3) ** 2 + 0.5 * (c["z"] - 0.6) ** 2


def study(surrogate, **arguments):
    searcher = BayesianSearcher(surrogate=surrogate, n_initial=5, **arguments)
    study = bayeshpo.Study({"x": (0.0, 1.0), "z": (0.0, 1.0)}, searcher, seed=4)
    study.optimize(bowl, budget=7, progress=False)
    return study


@pytest.fixture(scope="module")
def told_study():
    return study(StackedSurrogate(["gp", "additive"]))


def test_a_study_with_failures_pending_trials_and_records(told_study):
    rows = told_study.inference
    assert list(rows["surrogate"]) == ["stacked"] * 2
    assert list(rows["n"]) == [int(told_study.history.finished[:i].sum()) for i in (5, 6)]
    np.testing.assert_allclose(rows["weight_gp"] + rows["weight_additive"], 1.0)
    assert "feasibility_status" in rows
    first, second = told_study.ask(2)
    assert first.configuration != second.configuration
    assert told_study.recommendation in told_study.history.trials
    json.dumps(told_study.reports, allow_nan=False)


@pytest.mark.filterwarnings("ignore:Estimated shape parameter of Pareto")
def test_posterior_of_a_study_has_members_weights_and_slices(told_study, tmp_path):
    tree = told_study.posterior
    assert set(tree.children) == {
        "members", "stacking", "observed_data", "constant_data", "slice", "optimum", "posterior", "prior",
        "sample_stats", "posterior_predictive",
    }  # fmt: skip
    assert set(tree["members"].children) == {"gp", "additive"}
    assert tree["stacking"]["weight"].sum() == pytest.approx(1.0)
    assert tree["members/additive/posterior"]["amplitude"].dims == ("chain", "draw", "hyperparameter")
    assert np.isfinite(tree["slice"]["acquisition"]).all()
    # ArviZ's functions on the root: of all members' hyperparameters; and on a member by itself.
    table = arviz.summary(tree)
    assert {"gp.noise", "gp.lengthscale[x]", "additive.amplitude[z]"} <= set(table.index)
    alone = arviz.summary(tree["members/additive"])
    assert table.loc["additive.noise", "mean"] == alone.loc["noise", "mean"]
    assert arviz.loo(tree["members/gp"]).elpd < 0.0
    assert {"noise"} <= set(arviz.psense_summary(tree["members/gp/power_scaling"]).index)
    with pytest.raises(TypeError, match="log likelihood not found"):
        arviz.loo(tree)
    tree.to_zarr(tmp_path / "posterior.zarr", mode="w", zarr_format=2)
    again = xr.open_datatree(tmp_path / "posterior.zarr", engine="zarr", consolidated=False)
    assert again["posterior"].to_dataset().equals(tree["posterior"].to_dataset())


def test_a_mixture_of_one_is_its_member():
    alone = study("gp")
    for weights in ("loo", "one_step_ahead"):
        mixed = study(StackedSurrogate(["gp"], weights))
        np.testing.assert_array_equal(mixed.history.X, alone.history.X)
        assert list(mixed.inference["weight_gp"]) == [1.0] * 2
        assert list(mixed.inference["acquisition"]) == list(alone.inference["acquisition"])
        assert mixed.recommendation.suggestion.index == alone.recommendation.suggestion.index


# What is refused, and what is said.


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"members": []}, r"expected a list of surrogates, got \[\]"),
        ({"members": "gp"}, "expected a list of surrogates, got 'gp'"),
        ({"members": ["gp", "gpp"]}, "unknown surrogate 'gpp'; did you mean 'gp'?"),
        ({"members": ["gp", "gp"]}, "expected each member once, got 'gp' twice"),
        ({"members": ["stacked"]}, "expected members that are PyMC models, got 'stacked'"),
        ({"weights": "bma"}, "expected weights of 'loo' or 'one_step_ahead', got 'bma'"),
        ({"members": ["gp", "derivative"], "weights": "one_step_ahead"}, "losses alone, .* got 'derivative'"),
        ({"members": ["gp", "learning_curve"], "weights": "one_step_ahead"}, "losses alone, .* got 'learning_curve'"),
    ],
)
def test_impossible_mixtures_are_refused(arguments, message):
    with pytest.raises(SpecificationError, match=message):
        StackedSurrogate(**arguments)


def test_a_member_without_leave_one_out_is_refused_before_anything_runs():
    with pytest.raises(SpecificationError, match=r"'sparse': expected one observed variable .* leave it out"):
        StackedSurrogate(["gp", "sparse"]).check(Columns.of(PLANE))
    StackedSurrogate(["gp", "sparse"], "one_step_ahead").check(Columns.of(PLANE))

    def with_potential(X, y, columns):
        with pm.Model() as model:
            X, y = pm.Data("X", X), pm.Data("y", y)
            f = pm.Deterministic("f", pm.Normal("slope") * X[:, 0])
            pm.Normal("outcome", f, 1.0, observed=y)
            pm.Potential("ridge", -(f**2).sum())
        return model

    member = Surrogate.from_model(with_potential)
    with pytest.raises(SpecificationError, match=r"and no potentials, .* 1 potentials; override leave_one_out"):
        StackedSurrogate([member]).check(Columns.of(PLANE))


def test_an_engine_without_evidences_is_refused_before_anything_runs():
    mixture = StackedSurrogate(["gp"], "one_step_ahead")
    s = bayeshpo.Study(PLANE, BayesianSearcher(surrogate=mixture, inference=NUTS()))
    with pytest.raises(SpecificationError, match=r"reports evidences \(sequential, smc\) .* got 'nuts'; use weights"):
        s.check()
    with pytest.raises(SpecificationError, match=r"expected an engine that reports evidences .* got 'map'"):
        carried(TOYS, [outcomes(Y)], 0, MAP())


def test_there_is_no_one_model():
    with pytest.raises(SpecificationError, match="a mixture, not one PyMC model; ask its members, gp, additive,"):
        StackedSurrogate().model(Columns.of(PLANE), np.zeros((2, 2)), np.zeros(2))
    result = CliRunner().invoke(app, ["sbc", "stacked"])
    assert result.exit_code == 2
    assert "a mixture, not one PyMC model" in result.output


def test_priors_are_the_members():
    mixture = StackedSurrogate(["gp", "additive"])
    table = mixture.describe(PLANE)
    names = ["mean", "amplitude", "lengthscale", "noise"]
    assert list(table.index) == [f"{member}: {name}" for member in ("gp", "additive") for name in names]
    assert table.loc["additive: amplitude", "size"] == 2
    values, f = mixture.prior_functions(Columns.of(PLANE), RNG(0).random((3, 2)), 401, RNG(1))
    assert f.shape == (401, 3)
    np.testing.assert_array_equal(np.bincount(values["member"]), [201, 200])
    # Figures show the first eight: one in 128 times all of one member, but not with this seed.
    assert set(values["member"][:8]) == {0, 1}
