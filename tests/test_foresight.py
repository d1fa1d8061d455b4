"""What a fit says of the next trial, what it has learnt, and how far its prior matters: against closed forms."""

from __future__ import annotations

import json

import numpy as np
import pytest
from scipy import integrate, stats
from scipy.special import logsumexp, softmax
from surrogate_cases import PLANE, density_on, posterior_of, textbook_conditional, wavy

import bayeshpo
from bayeshpo.analysis.ahead import Ahead
from bayeshpo.diagnostics.decomposition import decompose
from bayeshpo.inference.foresight import foresee
from bayeshpo.inference.learned import information, quantiles
from bayeshpo.inference.map import MAP
from bayeshpo.inference.predictive import predictive
from bayeshpo.inference.report import InferenceReport, checked, described, numerics_row
from bayeshpo.inference.sensitivity import NEAR, sensitivity
from bayeshpo.inference.sequential import Sequential
from bayeshpo.inference.stacking import leave_one_out
from bayeshpo.surrogates.base import NUGGET, TrainingData


def test_a_loss_is_scored_by_the_mixture_of_the_draws_normals():
    density, data = density_on(PLANE), wavy(8)
    Q = density.prior_draws(5, np.random.default_rng(0))
    x, loss = np.array([0.3, 0.7]), 1.3
    data = TrainingData(data.X, data.y, 0.5, 2.0, data.failed)
    [found] = foresee(posterior_of(density, Q, data), x[None], np.array([loss])) or []
    p = density.constrain(Q)
    normals = []
    for s in range(5):
        mean, variance = textbook_conditional(
            data.X, data.y, x[None], p["mean"][s], p["amplitude"][s], p["lengthscale"][s], p["noise"][s]
        )
        normals.append(stats.norm(mean[0], np.sqrt(variance[0] + p["noise"][s] ** 2 + NUGGET)))
    y = (loss - 0.5) / 2.0
    assert found.pit == pytest.approx(np.mean([n.cdf(y) for n in normals]), rel=1e-6)
    assert found.log_score == pytest.approx(np.log(np.mean([n.pdf(y) for n in normals]) / 2.0), rel=1e-6)
    assert found.to_row()["ahead_in_90"] == (0.05 <= found.pit <= 0.95)
    assert found.to_row()["ahead_in_50"] == (0.25 <= found.pit <= 0.75)


def test_what_is_learnt_of_nothing_of_half_and_of_all():
    density, data = density_on(PLANE), wavy(2)
    Q = density.prior_draws(1200, np.random.default_rng(1))
    nothing = information(posterior_of(density, Q, data))
    assert list(nothing) == density.coordinates == ["mean", "amplitude", "lengthscale[x]", "lengthscale[z]", "noise"]
    # The estimate's spread is sqrt(31 / 2) (1 / 1200 + 1 / 1000), where its bias is known.
    assert max(nothing.values()) < 5.0 * np.sqrt(31.0 / 2.0) * (1.0 / 1200.0 + 1.0 / 1000.0)
    median = np.median(density.prior_sample, axis=0)
    upper = median + np.abs(Q - median)
    half = information(posterior_of(density, upper, data))
    # A symmetric prior folded at its median: log 2, within three binomial errors of the median's own share.
    assert half["mean"] == pytest.approx(np.log(2.0), abs=0.05)
    assert half["lengthscale[x]"] == pytest.approx(np.log(2.0), abs=0.05)
    known = information(posterior_of(density, np.repeat(Q[:1], 1200, axis=0), data))
    assert min(known.values()) == pytest.approx(np.log(32.0), abs=0.02)
    assert information(posterior_of(density, Q[:1], data)) == {}


def test_quantiles_are_those_of_the_hyperparameters_on_their_own_scale():
    density = density_on(PLANE)
    Q = density.prior_draws(400, np.random.default_rng(2))
    found = quantiles(posterior_of(density, Q, wavy(2)))
    np.testing.assert_allclose(found["noise"], np.quantile(density.constrain(Q)["noise"], (0.05, 0.5, 0.95)))
    np.testing.assert_allclose(
        found["lengthscale[z]"], np.quantile(density.constrain(Q)["lengthscale"][:, 1], (0.05, 0.5, 0.95))
    )


def test_condition_numbers_are_bounded_by_what_they_are():
    rng = np.random.default_rng(3)
    A = rng.standard_normal((6, 6))
    K = A @ A.T + 1e-3 * np.eye(6)
    M = np.linalg.inv(np.linalg.cholesky(K))[None]
    found = numerics_row([{"M": M}])["condition_max"]
    assert 1.0 < found <= np.linalg.cond(K)
    assert found > 0.01 * np.linalg.cond(K)
    diagonal = np.diag([4.0, 1.0, 0.25])
    other = np.linalg.inv(np.linalg.cholesky(diagonal))[None]
    assert numerics_row([{"M": other}])["condition_max"] == pytest.approx(16.0)
    # Of members or objectives the largest.
    assert numerics_row([{"M": other}, {"M": M}, {}])["condition_max"] == found


def test_two_modes_raise_nested_rhat_and_rhat_while_each_island_mixes():
    Q = np.random.default_rng(4).standard_normal((4, 300, 2))
    fine = described(InferenceReport("x", "sampled", 5), Q)
    assert fine.rhat_nested_max is not None
    assert fine.rhat_nested_max < 1.02
    Q[2:, :, 0] += 6.0
    split = described(InferenceReport("x", "sampled", 5), Q)
    assert split.rhat_nested_max is not None
    assert split.rhat_nested_max > 1.5
    assert checked(InferenceReport("x", "sampled", 5), Q, {}).status == "not_converged"


def distance(alpha, reach):
    """Cumulative Jensen-Shannon distance between N(0, 1) and N(0, 1 / alpha), by quadrature up to so far out."""
    x = np.linspace(-reach, reach, 100_001)

    def one_sided(P, Q):
        with np.errstate(divide="ignore", invalid="ignore"):
            terms = P * (np.log2(P) - np.log2((P + Q) / 2.0))
        return integrate.trapezoid(np.where(P > 0.0, terms, 0.0), x) + 0.5 / np.log(2.0) * integrate.trapezoid(Q - P, x)

    P, Q = stats.norm.cdf(x), stats.norm.cdf(x, scale=alpha**-0.5)
    total = integrate.trapezoid(P, x) + integrate.trapezoid(Q, x)
    return np.sqrt(max(one_sided(P, Q) + one_sided(Q, P), 0.0) / total)


class _One:
    coordinates = ("q",)


class _Posterior:
    density = _One()


def test_sensitivity_is_the_derivative_of_the_distance_by_the_power():
    # A population without chance: quantiles of N(0, 1), whose density is all of the component.
    Q = stats.norm.ppf((np.arange(4000) + 0.5) / 4000)[:, None]
    log_component = -0.5 * Q[:, 0] ** 2
    flat = np.zeros(len(Q))
    found = sensitivity(_Posterior(), Q, {"prior": log_component, "likelihood": flat})
    lower, upper = (distance(power, Q.max()) for power in NEAR)
    exact = (lower / -np.log2(NEAR[0]) + upper / np.log2(NEAR[1])) / 2.0
    assert found["prior_sensitivity"]["q"] == pytest.approx(exact, rel=0.1)
    assert found["likelihood_sensitivity"]["q"] < 0.01


def study(**arguments):
    searcher = bayeshpo.BayesianSearcher(n_initial=4, **arguments)
    found = bayeshpo.Study({"x": (0.0, 1.0), "z": (0.0, 1.0)}, searcher, seed=3)
    found.optimize(lambda c: np.sin(5.0 * c["x"]) + c["z"], budget=8, progress=False)
    return found


@pytest.fixture(scope="module")
def looked_at():
    return study(examine_every=6)


def test_each_trial_is_scored_once_by_the_fit_before(looked_at):
    rows = looked_at.inference.set_index("trial")
    assert np.isnan(rows.loc[4, "ahead_trial"])
    assert list(rows["ahead_trial"][1:]) == [4, 5, 6]
    assert ((rows["ahead_pit"][1:] >= 0.0) & (rows["ahead_pit"][1:] <= 1.0)).all()
    assert all(row["information"].keys() == row["quantiles"].keys() for row in looked_at.reports)
    assert (rows["condition_max"] > 1.0).all()
    assert (rows["seconds_diagnose"] > 0.0).all()
    json.dumps(looked_at.reports, allow_nan=False)


def test_the_score_is_that_of_a_fit_from_the_records(looked_at):
    trials = looked_at.history.trials
    again = bayeshpo.Study(looked_at.history.space, bayeshpo.BayesianSearcher(n_initial=4), seed=3, trials=trials[:7])
    again.ask()
    [row] = again.reports
    assert row["ahead_trial"] == 6
    assert row["ahead_log_score"] == looked_at.reports[-1]["ahead_log_score"]


def test_a_batch_is_scored_by_the_chain_rule_of_densities():
    # Of weighed draws, each with f conditioned on the trials before: together the density of all of them.
    density, data = density_on(PLANE), wavy(12, noise=0.3)
    Q = density.prior_draws(40, np.random.default_rng(6))
    p, seen = density.constrain(Q), 8
    known = TrainingData(data.X[:seen], data.y[:seen], 0.0, 1.0, data.failed)
    said = foresee(posterior_of(density, Q, known), data.X[seen:], data.y[seen:]) or []
    joint, places = [], []
    for s in range(40):
        hyper = [p[name][s] for name in ("mean", "amplitude", "lengthscale", "noise")]
        steps = []
        for n in range(seen, 12):
            mean, variance = textbook_conditional(data.X[:n], data.y[:n], data.X[n : n + 1], *hyper)
            steps.append(stats.norm(mean[0], np.sqrt(variance[0] + hyper[3] ** 2 + NUGGET)))
        joint.append([law.logpdf(y) for law, y in zip(steps, data.y[seen:], strict=True)])
        places.append([law.cdf(y) for law, y in zip(steps, data.y[seen:], strict=True)])
    before = np.exp(np.cumsum(joint, axis=1) - joint)
    weights = before / before.sum(axis=0)
    np.testing.assert_allclose([f.pit for f in said], (weights * places).sum(axis=0), rtol=1e-5)
    assert sum(f.log_score for f in said) == pytest.approx(np.log(np.exp(np.sum(joint, axis=1)).mean()), rel=1e-6)


def test_every_trial_of_a_batch_is_scored_once():
    s = bayeshpo.Study({"x": (0.0, 1.0), "z": (0.0, 1.0)}, bayeshpo.BayesianSearcher(n_initial=4), seed=0)
    for batch in range(3):
        for suggestion in s.ask(4):
            if batch == 1 and suggestion.index == 5:
                s.tell(suggestion, bayeshpo.Outcome.raised(ValueError("by chance")))
            else:
                s.tell(suggestion, suggestion.configuration["x"])
    assert [row.get("ahead_trial") for row in s.reports] == [None] * 4 + [7] + [None] * 3
    row = s.reports[4]
    assert [one["ahead_trial"] for one in row["ahead_earlier"]] == [4, 6]
    ahead = Ahead.of([(None, s.reports)])
    assert list(ahead.pit) == [one["ahead_pit"] for one in (*row["ahead_earlier"], row)]
    assert len(ahead.log_score) == 3
    json.dumps(s.reports, allow_nan=False)


def test_examinations_change_no_suggestion_and_are_rows_of_inference(looked_at):
    np.testing.assert_array_equal(study().history.X, looked_at.history.X)
    rows = looked_at.inference.set_index("trial")
    assert list(rows.index[rows["seconds_examine"].notna()]) == [6]
    row = rows.loc[6]
    assert 0.0 <= row["optimum_entropy"] <= 1.0
    assert row["regret_quantiles"][0] <= row["regret_quantiles"][1] <= row["regret_quantiles"][2]
    assert row["regret_expected"] > 0.0
    assert row["point_distance"] >= 0.0
    assert row["halves_distance"] >= 0.0
    assert row["halves_loss"] >= 0.0
    assert row["decision_halves_shift"] >= 0.0
    assert list(row["optimum_place"]) == list(looked_at.history.space.names)
    for low, middle, high in row["optimum_place"].values():
        assert 0.0 <= low <= middle <= high <= 1.0
    before = bayeshpo.Study(looked_at.history.space, looked_at.searcher, seed=3, trials=looked_at.history.trials[:6])
    [said] = decompose(before, [looked_at.history.trials[6].configuration]).to_dict("records")
    assert row["hyperparameter_share"] == pytest.approx(said["share"], rel=1e-9)
    assert row["argmax_spread"] >= 0.0
    assert row["prior_sensitivity"].keys() == row["information"].keys()
    assert row["loo_khat_max"] > -1.0
    # Eight trials of a smooth function on the scale of 1.
    assert -30.0 < row["loo_elpd"] < 30.0


@pytest.mark.parametrize("engine", [MAP, Sequential])
def test_what_is_looked_at_between_trials_is_fitted_once(engine, monkeypatch):
    fitted, fit = [], engine.fit

    def counted(self, density, data, **arguments):
        fitted.append(len(data.y))
        return fit(self, density, data, **arguments)

    monkeypatch.setattr(engine, "fit", counted)
    searcher = bayeshpo.BayesianSearcher(n_initial=4, inference=engine())
    s = bayeshpo.Study({"x": (0.0, 1.0), "z": (0.0, 1.0)}, searcher, seed=3)
    for budget in range(4, 8):
        s.optimize(lambda c: c["x"] + c["z"], budget, progress=False)
        assert s.posterior is not None
    # The newest trial is foretold by the fit before, which is still there.
    assert [row.get("ahead_trial") for row in s.reports] == [None, 4, 5]
    assert fitted == [4, 5, 6, 7]


def test_a_surrogate_that_knows_no_noise_is_not_scored(monkeypatch):
    density, data = density_on(PLANE), wavy(4)
    monkeypatch.setattr(type(predictive(density)), "says_noise", False)
    posterior = posterior_of(density, density.prior_draws(3, np.random.default_rng(0)), data)
    assert foresee(posterior, data.X[:1], np.zeros(1)) is None


def left_out_error(p, independent):
    """Monte Carlo error (n,) of weighted means of p (S, n) over its mean, with weights 1 / p, of so many draws."""
    weights = 1.0 / p / (1.0 / p).sum(axis=0)
    return np.sqrt((weights**2 * (p - 1.0) ** 2).sum(axis=0) * len(p) / independent)


def test_leaving_one_out_is_as_weighing_draws_without_it():
    # A refit on the same draws: weighed by the density of the other trials, each predicts by its own conditional.
    density, data = density_on(PLANE), wavy(30, noise=0.2)
    Q = Sequential().fit(density, data, rng=np.random.default_rng(5)).draws[::8]
    p, whole = density.constrain(Q), density.batch(Q, data)
    refit = np.empty(30)
    for i in range(30):
        kept = np.arange(30) != i
        X, y = data.X[kept], data.y[kept]
        weights = softmax(density.batch(Q, TrainingData(X, y, 0.0, 1.0, data.failed)) - whole)
        hyper = zip(p["mean"], p["amplitude"], p["lengthscale"], p["noise"], strict=True)
        mean, variance = np.array([textbook_conditional(X, y, data.X[[i]], *h) for h in hyper])[:, :, 0].T
        refit[i] = np.log(weights @ stats.norm(mean, np.sqrt(variance + p["noise"] ** 2 + NUGGET)).pdf(data.y[i]))
    left_out = predictive(density).left_out(Q, data)
    np.testing.assert_allclose(np.log(len(Q)) - logsumexp(-left_out, axis=0), refit, rtol=1e-6, atol=1e-6)
    # Smoothing the largest weights moves it by less than its error, where it can be smoothed.
    found = leave_one_out(left_out)
    error = left_out_error(np.exp(left_out - found.log_density), len(Q))
    good = found.khat < 0.5
    assert good.mean() > 0.8
    assert (np.abs(found.log_density - refit)[good] < error[good]).all()


@pytest.mark.slow
def test_leaving_one_out_is_as_fitting_without_it():
    density, data = density_on(PLANE), wavy(30, noise=0.2)
    rng = np.random.default_rng(5)

    def fitted(kept):
        return Sequential().fit(density, TrainingData(data.X[kept], data.y[kept], 0.0, 1.0, data.X[:0]), rng=rng)

    whole = fitted(np.arange(30))
    left_out = predictive(density).left_out(whole.draws, data)
    found = leave_one_out(left_out)
    one = np.arange(30)[:, None]
    others = (foresee(fitted(np.arange(30) != i), data.X[i], data.y[i]) for i in one)
    brute = np.array([said.log_score for said_of in others for said in said_of or ()])
    # The error of a weighted mean of p, with weights 1 / p, of which some 300 draws are independent; that of the fits
    # is at most as large.
    error = left_out_error(np.exp(left_out - found.log_density), 300.0)
    good = found.khat < 0.5
    assert good.mean() > 0.8
    assert (np.abs(found.log_density - brute)[good] < 5.0 * np.sqrt(2.0) * error[good]).all()
