"""A close look at mixtures and at several objectives: leave-one-out, powers of prior and likelihood, decisions."""

from __future__ import annotations

import json
from dataclasses import replace

import arviz
import numpy as np
import pytest
from scipy.special import softmax
from surrogate_cases import PLANE
from toy_surrogates import LINE, Level, outcomes

import bayeshpo
from bayeshpo.inference.density import log_density
from bayeshpo.inference.fitting import fit
from bayeshpo.inference.objectives import ObjectivesPosterior
from bayeshpo.inference.sensitivity import log_components, of_members, sensitivity, under_powers
from bayeshpo.inference.sequential import Sequential
from bayeshpo.inference.stacked import StackedSurrogate, left_out
from bayeshpo.inference.stacking import LeaveOneOut, mixed
from bayeshpo.searchers.bayesian import BayesianSearcher
from bayeshpo.searchers.datatree import _predict
from bayeshpo.searchers.examination import _by_halves, _decision, _entropy, _place
from bayeshpo.searchers.objectives import AcquisitionOverDraws
from bayeshpo.space import as_space

Y = np.random.default_rng(7).normal(1.0, 0.8, 12)
MEMBERS = (Level(0.5), Level(1.5))


def fitted(surrogate):
    return fit(Sequential(), log_density(surrogate, LINE), outcomes(Y), rng=np.random.default_rng(0))


@pytest.fixture(scope="module")
def mixture():
    return fitted(StackedSurrogate(MEMBERS, weights="one_step_ahead"))


def evidences(y):
    return np.array([member.exact(y)[2] for member in MEMBERS])


def test_leaving_one_out_of_probable_members_is_the_ratio_of_the_mixtures_evidences(mixture):
    # Members with equal prior probabilities: p(y) / p(y without one) of the mixture, in closed form.
    each = np.array([evidences(Y) - evidences(np.delete(Y, i)) for i in range(len(Y))])
    weights = softmax(evidences(Y))
    exact = [np.logaddexp(*evidences(Y)) - np.logaddexp(*evidences(np.delete(Y, i))) for i in range(len(Y))]
    members = [LeaveOneOut(column, np.full(len(Y), k)) for k, column in enumerate(each.T)]
    found = mixed(members, weights, probable=True)
    np.testing.assert_allclose(found.log_density, exact, rtol=1e-9)
    np.testing.assert_array_equal(found.khat, 1.0)
    # By the draws: each density is an average of 400 independent draws or more.
    np.testing.assert_allclose(left_out(mixture).log_density, exact, atol=0.1)


@pytest.mark.filterwarnings("ignore:Estimated shape parameter of Pareto")
def test_leaving_one_out_by_arviz_of_the_root_of_probable_members_is_the_mixtures(mixture):
    tree = mixture.to_datatree()
    _predict(tree, mixture, np.random.default_rng(0))
    each = np.array([evidences(Y) - evidences(np.delete(Y, i)) for i in range(len(Y))])
    exact = -np.logaddexp.reduce(np.log(mixture.weights) - each, axis=1)
    # As above, with fewer draws of either member.
    np.testing.assert_allclose(arviz.loo(tree, pointwise=True).elpd_i, exact, atol=0.15)


def test_leaving_one_out_of_stacked_members_adds_up_their_densities():
    members = [LeaveOneOut(np.log([0.2, 0.5]), np.array([0.1, 0.9])), LeaveOneOut(np.log([0.6, 0.1]), np.full(2, 0.3))]
    found = mixed(members, np.array([0.75, 0.25]), probable=False)
    np.testing.assert_allclose(np.exp(found.log_density), [0.75 * 0.2 + 0.25 * 0.6, 0.75 * 0.5 + 0.25 * 0.1])
    np.testing.assert_array_equal(found.khat, [0.3, 0.9])


def exact_mean(sd, prior=1.0, likelihood=1.0):
    """Mean and standard deviation of the posterior of `Level` with its prior and likelihood raised to powers."""
    precision = prior / 4.0 + likelihood * len(Y) / sd**2
    return likelihood * Y.sum() / sd**2 / precision, precision**-0.5


def agrees(q, weights, sd, **powers):
    mean, spread = exact_mean(sd, **powers)
    # Five errors of a weighted mean, of which at least a third of the draws are independent.
    assert abs(weights @ q / weights.sum() - mean) < 5.0 * spread * np.sqrt(3.0 / len(q))


def test_powers_of_a_mixture_are_of_each_member_in_its_share(mixture):
    Q = mixture.thinned(1000)
    found = under_powers(mixture, Q, (0.5, 3.0))
    for name, weights in found.items():
        for power, weight in zip((0.5, 3.0), weights, strict=True):
            for k, member in enumerate(MEMBERS):
                own = Q[:, 0] == k
                assert weight[own].sum() == pytest.approx(own.mean(), rel=1e-9)
                if own.sum() > 100:
                    agrees(Q[own, 1], weight[own], member.sd, **{name: power})


def test_powers_of_several_objectives_are_of_all_of_them():
    posterior = ObjectivesPosterior(tuple(fitted(member) for member in MEMBERS))
    Q = posterior.thinned(1152)
    for name, weights in under_powers(posterior, Q, (0.8, 1.25)).items():
        for power, weight in zip((0.8, 1.25), weights, strict=True):
            assert weight.sum() == pytest.approx(1.0)
            for k, member in enumerate(MEMBERS):
                agrees(Q[:, k], weight, member.sd, **{name: power})


def test_sensitivity_of_a_mixture_is_that_of_its_members_by_their_weights(mixture):
    found = of_members(mixture, 1280)
    for part, weight, member in zip(mixture.parts, mixture.weights, mixture.report.members, strict=True):
        Q = part.thinned(1280)
        alone = sensitivity(part, Q, log_components(part, Q))
        for name, values in alone.items():
            assert found[name][f"{member}.mean"] == pytest.approx(weight * values["mean"], rel=1e-9)
    assert found["likelihood_sensitivity"].keys() == {"level.mean", "level_2.mean"}


def test_halves_are_of_other_chains_and_a_single_chain_is_cut(mixture):
    part = mixture.parts[0]
    chains = len(part.unconstrained)
    weights = np.log(np.random.default_rng(0).dirichlet(np.ones(part.size)).reshape(part.unconstrained.shape[:2]))
    one, other = replace(part, log_weights=weights).halves
    np.testing.assert_array_equal(one.unconstrained, part.unconstrained[: chains // 2])
    np.testing.assert_array_equal(other.unconstrained, part.unconstrained[chains // 2 :])
    np.testing.assert_array_equal(np.concatenate([one.log_weights, other.log_weights]), weights)
    assert set(one.sample_stats) == set(part.sample_stats)
    assert all(values.shape == one.unconstrained.shape[:2] for values in one.sample_stats.values())
    single = replace(part, unconstrained=part.draws[None], sample_stats={})
    np.testing.assert_array_equal([half.size for half in single.halves], part.size / 2)
    for half in mixture.halves:
        np.testing.assert_array_equal(half.weights, mixture.weights)
        assert half.size == mixture.size / 2
    several = ObjectivesPosterior(mixture.parts).halves[1]
    np.testing.assert_array_equal(several.parts[1].draws, mixture.parts[1].halves[1].draws)


def test_halves_of_the_same_draws_decide_alike_and_of_others_not():
    s = bayeshpo.Study(PLANE, BayesianSearcher(n_initial=6), seed=2)
    s.optimize(lambda c: (c["x"] - 0.3) ** 2 + c["z"], 6, progress=False)
    known, taken = s.searcher.beliefs, s.history.X
    objective = known.objective(s.history, s.streams)
    Q = objective.posterior.unconstrained[:2]
    prior = objective.posterior.density.prior_draws(Q[..., 0].size, np.random.default_rng(0)).reshape(Q.shape)

    def told(second):
        posterior = replace(objective.posterior, unconstrained=np.concatenate([Q, second]), log_weights=None)
        alike = AcquisitionOverDraws(objective.compiled, replace(posterior, sample_stats={}), objective.evidence)
        row = _decision(alike, taken, taken[0])
        return row | _by_halves(alike, s.searcher.maximizer, s.history, taken, s.streams)

    same, other = told(Q), told(prior)
    assert same["halves_distance"] == same["halves_loss"] == same["decision_halves_shift"] == 0.0
    assert other["halves_distance"] > 0.0
    assert other["halves_loss"] > 0.0


def test_places_are_quantiles_where_a_hyperparameter_is_active():
    space = as_space({"x": (0.0, 1.0), "kind": ["a", "b"], "n": (1, 9)})
    rng = np.random.default_rng(0)
    x, n = (space.names.index(name) for name in ("x", "n"))
    points = np.full((999, 3), 0.25)
    points[:, x], points[:, n] = rng.random(999), np.where(rng.random(999) < 0.5, -1.0, 0.7)
    found = _place(points, space)
    assert set(found) == {"x", "n"}
    np.testing.assert_allclose(found["x"], np.quantile(points[:, x], (0.05, 0.5, 0.95)))
    np.testing.assert_allclose(found["n"], 0.7)
    points[:, n] = -1.0
    assert set(_place(points, space)) == {"x"}


def test_entropy_is_of_the_space_and_not_of_the_candidates():
    space, rng = as_space({"x": (0.0, 1.0), "kind": ["a", "b"]}), np.random.default_rng(0)
    x, kind = (space.names.index(name) for name in ("x", "kind"))
    # Anywhere; in the lower half of x; at one kind; within a twentieth, each at a place of its own.
    anywhere = space.sample(4000, rng)
    halved, one, near = anywhere.copy(), anywhere.copy(), anywhere.copy()
    halved[:, x] /= 2.0
    one[:, kind] = anywhere[0, kind]
    near[:, x], near[:, kind] = 0.41 + 0.03 * rng.random(4000), anywhere[0, kind]
    whole = np.log(20.0) + np.log(2.0)
    exact = (1.0, (np.log(10.0) + np.log(2.0)) / whole, np.log(20.0) / whole, 0.0)
    # Plugged-in entropies are off by (cells - 1) / 2n (Miller 1955), and the kinds' shares by 1 / sqrt(n) or so.
    for points, entropy in zip((anywhere, halved, one, near), exact, strict=True):
        assert _entropy(points, space, rng) == pytest.approx(entropy, abs=0.01)


def examined(searcher, **arguments):
    s = bayeshpo.Study(PLANE, searcher, seed=2, **arguments)
    for _ in range(7):
        suggestion = s.ask()
        x, z = (suggestion.configuration[name] for name in ("x", "z"))
        metrics = {"size": x + 0.1 * z} if "objectives" in arguments else {}
        s.tell(suggestion, bayeshpo.Outcome((x - 0.3) ** 2 + z, metrics=metrics))
    [row] = [row for row in s.reports if "seconds_examine" in row]
    json.dumps(row, allow_nan=False)
    assert 0.0 <= row["argmax_spread"] <= 1.0
    assert row["decision_prior_shift"] >= 0.0
    assert row["decision_likelihood_shift"] >= 0.0
    assert row["decision_halves_shift"] >= 0.0
    assert row["halves_distance"] >= 0.0
    assert row["acquisition_mcse"] > 0.0
    assert row["loo_bad_share"] <= 1.0
    return row


def test_mixtures_are_looked_at_closely():
    searcher = BayesianSearcher(surrogate=StackedSurrogate(["gp", "horseshoe"]), n_initial=5, examine_every=6)
    row = examined(searcher)
    assert {name.split(".")[0] for name in row["prior_sensitivity"]} == {"gp", "horseshoe"}
    assert row["condition_max"] > 1.0
    # No mixture predicts better than each member of it, nor all trials worse than its worse one.
    assert row["loo_elpd"] >= min(row["score_gp"], row["score_horseshoe"])
    assert "point_distance" not in row


def test_several_objectives_are_looked_at_closely():
    row = examined(BayesianSearcher(n_initial=5, examine_every=6), objectives={"size": "maximize"})
    assert row["prior_sensitivity"].keys() == row["information"].keys()
    assert "point_distance" not in row
    assert "optimum_entropy" not in row


def test_a_point_estimate_has_no_weights_that_could_be_off():
    s = bayeshpo.Study(PLANE, BayesianSearcher(inference="map", n_initial=5, examine_every=6), seed=2)
    s.optimize(lambda c: (c["x"] - 0.3) ** 2 + c["z"], 7, progress=False)
    [found] = [row for row in s.reports if "seconds_examine" in row]
    assert np.isfinite(found["loo_elpd"])
    assert "loo_bad_share" not in found
    assert "loo_khat_max" not in found
