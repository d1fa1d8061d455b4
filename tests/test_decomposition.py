"""What is the hyperparameters' and what the function's: against quadrature, replicates, and where one is nothing."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import integrate, stats
from surrogate_cases import PLANE, density_on, wavy

import bayeshpo
from bayeshpo.acquisitions.compiled import compiled_acquisition
from bayeshpo.acquisitions.decomposition import Moments, moments, worth
from bayeshpo.acquisitions.outlook import Evidence
from bayeshpo.diagnostics.decomposition import decompose
from bayeshpo.errors import SpecificationError
from bayeshpo.inference.predictive import predictive
from bayeshpo.registry import create
from bayeshpo.surrogates.base import NUGGET

# Some where means of draws are below those of all trials, and some where none is.
Z = np.random.default_rng(5).random((40, 2))
NONE = np.empty((0, 2)), np.empty(0)


def some(S=5, m=3, seed=0):
    """Means, variances and noise of a few draws at a few candidates."""
    rng = np.random.default_rng(seed)
    return Moments(rng.standard_normal((S, m)), rng.uniform(0.1, 2.0, (S, m)), rng.uniform(0.05, 0.5, (S, m)))


def over_mixture(g, mean, variance):
    """Integral of g(y, density) over an equal mixture of normals with these moments (S,)."""

    def density(y):
        return stats.norm.pdf(y, mean, np.sqrt(variance)).mean()

    ends = (mean - 12.0 * np.sqrt(variance)).min(), (mean + 12.0 * np.sqrt(variance)).max()
    return integrate.quad(lambda y: g(y, density(y)), *ends, limit=400)[0]


def test_both_parts_of_the_variance_are_the_mixtures():
    said = some()
    for j in range(3):
        at = said.mean[:, j], said.variance[:, j]
        centre = over_mixture(lambda y, p: y * p, *at)
        total = over_mixture(lambda y, p, c=centre: (y - c) ** 2 * p, *at)
        assert said.of_function[j] + said.of_hyperparameters[j] == pytest.approx(total, rel=1e-7)
        # f is known given the hyperparameters: all that is left are the means.
        assert said.of_hyperparameters[j] == pytest.approx(np.mean((said.mean[:, j] - centre) ** 2), rel=1e-7)


def test_information_adds_up_to_that_of_a_normal_trial_and_bounds_that_of_the_mixture():
    said = some()
    of_hyperparameters, of_function = said.information
    for j in range(3):
        variance, noise = said.variance[:, j] + said.noise[:, j], said.noise[:, j]
        entropy = over_mixture(lambda y, p: -p * np.log(max(p, 1e-300)), said.mean[:, j], variance)
        given = np.mean([stats.norm(0.0, np.sqrt(v)).entropy() for v in variance])
        assert of_hyperparameters[j] >= entropy - given - 1e-7
        assert of_hyperparameters[j] < entropy - given + 0.2
        assert of_function[j] == pytest.approx(given - np.mean([stats.norm(0.0, np.sqrt(v)).entropy() for v in noise]))
    # With equal moments a mixture is a normal distribution, and says nothing of which draw it is.
    alike = Moments(*(np.tile(a[:1], (4, 1)) for a in (said.mean, said.variance, said.noise)))
    np.testing.assert_allclose(alike.information[0], 0.0, atol=1e-12)
    assert np.isnan(Moments(said.mean, said.variance).information).all()


def test_error_of_the_share_is_that_of_replicates():
    rng, population = np.random.default_rng(1), some(S=2000, m=4, seed=2)
    found = []
    for _ in range(400):
        chosen = rng.integers(2000, size=200)
        replicate = Moments(population.mean[chosen], population.variance[chosen])
        found.append((replicate.share, replicate.share_error))
    shares, errors = (np.array(a) for a in zip(*found, strict=True))
    # A standard deviation of 400 replicates is known to 3.5 %; five of these, and the delta method's own error.
    np.testing.assert_allclose(errors.mean(axis=0), shares.std(axis=0, ddof=1), rtol=0.2)


@pytest.fixture(scope="module")
def draws():
    """Draws of the hyperparameters without noise, so that trials are interpolated."""
    density, rng = density_on(PLANE), np.random.default_rng(3)
    values = density.constrain(density.prior_draws(40, rng))
    # Functions rough enough to go through the trials.
    values |= {"lengthscale": rng.uniform(0.1, 0.3, (40, 2)), "amplitude": rng.uniform(1.0, 2.0, 40)}
    return density.unconstrain(values | {"noise": np.full(40, 1e-5)})


def test_one_draw_leaves_nothing_to_the_hyperparameters(draws):
    said = moments(predictive(density_on(PLANE)), draws[:1], wavy(8), Z)
    np.testing.assert_array_equal(said.of_hyperparameters, 0.0)
    np.testing.assert_array_equal(said.share, 0.0)
    np.testing.assert_array_equal(said.share_error, 0.0)
    np.testing.assert_allclose(said.information[0], 0.0, atol=1e-12)
    assert (said.information[1] > 0.0).all()


def test_where_a_trial_is_interpolated_nothing_is_left_to_either(draws):
    data = wavy(8)
    at_trials, elsewhere = (moments(predictive(density_on(PLANE)), draws, data, X) for X in (data.X, Z))
    # No more than the nugget; by how much of it the means differ is for the covariance's inverse to say.
    assert (at_trials.of_function <= 1.01 * NUGGET).all()
    assert (at_trials.of_hyperparameters < 1e-6).all()
    assert (elsewhere.of_function > 1e-4).all()


def test_bald_is_the_information_about_the_hyperparameters(draws):
    density, data = density_on(PLANE), wavy(8)
    compiled = compiled_acquisition(create("acquisition", "bald", {}), predictive(density))
    value = compiled.value(compiled.state(draws, Evidence(data, *NONE)), Z)
    np.testing.assert_allclose(moments(predictive(density), draws, data, Z).information[0], value, rtol=1e-7)


def worth_of(name, Q, **arguments):
    """An acquisition's worth, the means and variances of the draws, and their means at the trials."""
    data, of = wavy(8), predictive(density_on(PLANE))
    compiled = compiled_acquisition(create("acquisition", name, arguments), of)
    conditioned = of.condition(Q, data)
    return worth(compiled, Q, Evidence(data, *NONE), Z), *of(conditioned, Z), conditioned.fitted


def improvement(best, mean, variance):
    """E[max(best - f, 0)] for normal f, by quadrature of the probability of being below."""
    reach = 40.0 * np.sqrt(variance) + abs(best - mean)
    return integrate.quad(
        lambda t: stats.norm.cdf(t, mean, np.sqrt(variance)), best - reach, best, points=[min(mean, best)], limit=400
    )[0]


def test_improvement_by_either_part_alone_by_quadrature(draws):
    found, mean, variance, fitted = worth_of("ei", draws)
    best = fitted.mean(axis=0).min()
    exact = [improvement(best, mean[:, j].mean(), variance[:, j].mean()) for j in range(len(Z))]
    np.testing.assert_allclose(found.of_function, exact, rtol=1e-5, atol=1e-9)
    gaps = np.maximum(fitted.min(axis=1)[:, None] - mean, 0.0).mean(axis=0)
    np.testing.assert_allclose(found.of_hyperparameters, gaps, rtol=1e-6, atol=1e-9)
    assert (gaps > 0.0).any()
    assert (gaps == 0.0).any()
    # Jensen: max(b - f, 0) is convex in f, so that knowing f at its mean can only take away.
    assert (found.of_hyperparameters <= found.value + 1e-9).all()
    logs, *_ = worth_of("log_ei", draws)
    np.testing.assert_allclose(np.exp(logs.of_hyperparameters), gaps, rtol=1e-6, atol=1e-9)
    np.testing.assert_array_equal(logs.of_hyperparameters == -np.inf, gaps == 0.0)
    for of_log, plain in ((logs.value, found.value), (logs.of_function, found.of_function)):
        np.testing.assert_allclose(np.exp(of_log), plain, rtol=1e-6, atol=1e-12)


def test_what_is_a_variance_falls_into_its_parts(draws):
    found, mean, variance, _ = worth_of("variance", draws)
    np.testing.assert_allclose(np.exp(found.of_function), variance.mean(axis=0), rtol=1e-9)
    np.testing.assert_allclose(np.exp(found.of_hyperparameters), mean.var(axis=0), rtol=1e-9)
    np.testing.assert_allclose(np.exp(found.value), variance.mean(axis=0) + mean.var(axis=0), rtol=1e-9)


def test_with_one_draw_the_function_is_all_there_is(draws):
    found, *_ = worth_of("log_ei", draws[:1])
    np.testing.assert_allclose(found.of_function, found.value, rtol=1e-9)


def test_what_draws_functions_has_no_parts(draws):
    found, *_ = worth_of("noisy_ei", draws)
    assert np.isfinite(found.value).all()
    assert np.isnan([found.of_function, found.of_hyperparameters]).all()


SPACE = {"x": (0.0, 1.0), "z": (0.0, 1.0)}


def test_a_study_is_decomposed_in_its_own_units_and_direction():
    study = bayeshpo.Study(SPACE, bayeshpo.BayesianSearcher(n_initial=8), "maximize", seed=1)
    study.optimize(lambda c: 50.0 - 100.0 * ((c["x"] - 0.3) ** 2 + 0.5 * (c["z"] - 0.6) ** 2), 8, progress=False)
    best = study.optimum
    places = [best.configuration, *(t.configuration for t in study.history.trials[:2])]
    table = decompose(study, places)
    assert len(table) == 3
    np.testing.assert_array_equal(table[["x", "z"]], [[c["x"], c["z"]] for c in places])
    np.testing.assert_allclose(table.loc[0, ["mean", "sd"]].astype(float), [best.value, best.sd], rtol=1e-9)
    parts = table["sd_function"] ** 2 + table["sd_hyperparameters"] ** 2
    np.testing.assert_allclose(table["sd"] ** 2, parts, rtol=1e-9)
    np.testing.assert_allclose(table["share"], table["sd_hyperparameters"] ** 2 / parts, rtol=1e-9)
    assert table.drop(columns=["x", "z"]).notna().all(axis=None)
    # A pending trial is drawn, not believed, so that the acquisition has no parts; what is known of f is as before.
    study.ask()
    again = decompose(study, places)
    np.testing.assert_array_equal(again["sd_function"], table["sd_function"])
    assert again["acquisition_function"].isna().all()


@pytest.mark.parametrize(("searcher", "message"), [
    (bayeshpo.RandomSearcher(), "expected a study with a Bayesian searcher, got 'random'"),
    (bayeshpo.BayesianSearcher(), "no decomposition yet: expected at least one finished trial"),
])  # fmt: skip
def test_what_has_no_posterior_is_refused(searcher, message):
    with pytest.raises(SpecificationError, match=message):
        decompose(bayeshpo.Study(SPACE, searcher), [{"x": 0.1, "z": 0.2}])


def test_several_objectives_are_refused():
    study = bayeshpo.Study(SPACE, bayeshpo.BayesianSearcher(), objectives={"size": "minimize"})
    study.tell(study.ask(), bayeshpo.Outcome(1.0, metrics={"size": 2.0}))
    with pytest.raises(SpecificationError, match="several objectives have no one decomposition"):
        decompose(study, [{"x": 0.1, "z": 0.2}])


def test_what_looks_for_minima_of_functions_has_no_parts():
    study = bayeshpo.Study(SPACE, bayeshpo.BayesianSearcher(acquisition="max_value_entropy"))
    study.optimize(lambda c: c["x"] ** 2, 6, progress=False)
    found = decompose(study, [{"x": 0.1, "z": 0.2}])
    assert np.isfinite(found["acquisition"]).all()
    assert found[["acquisition_function", "acquisition_hyperparameters"]].isna().all(axis=None)
