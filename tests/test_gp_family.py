"""The stationary family: models against plain numpy, gradients against differences, and each reduced to `gp`."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import pymc as pm
import pytest
from family_oracles import CASES, COLUMNS, NAMES
from scipy import stats
from surrogate_cases import AMPLITUDE, PLANE, TREE, central_differences, training_data

from bayeshpo.diagnostics.calibration import simulated
from bayeshpo.errors import SpecificationError
from bayeshpo.inference.density import log_density
from bayeshpo.registry import create
from bayeshpo.searchers.bayesian import BayesianSearcher
from bayeshpo.space import as_space
from bayeshpo.study import Study
from bayeshpo.surrogates.additive import AdditiveGaussianProcess
from bayeshpo.surrogates.base import NUGGET, TrainingData
from bayeshpo.surrogates.columns import Columns
from bayeshpo.surrogates.features import feature_names
from bayeshpo.surrogates.gp import GaussianProcess
from bayeshpo.surrogates.heteroscedastic import HeteroscedasticGaussianProcess
from bayeshpo.surrogates.horseshoe import HorseshoeRegression
from bayeshpo.surrogates.saas import SHORTEST, SAASGaussianProcess, scale_of_tau
from bayeshpo.surrogates.sparse import SparseGaussianProcess
from bayeshpo.surrogates.symbolic import UNCOMPILED, function, pt
from bayeshpo.surrogates.warped import WarpedGaussianProcess

LINE = Columns.of(as_space({"x": (0.0, 1.0)}))
FAMILY = pytest.mark.parametrize("name", CASES)
NEW = pytest.mark.parametrize("name", [name for name in CASES if name != "gp"])


def trials(n, seed=0):
    """n configurations of the tree with noisy losses."""
    rng = np.random.default_rng(seed)
    X = TREE.sample(n, rng)
    return training_data(X, np.sin(5.0 * X[:, NAMES.index("x")]) + X.sum(axis=1) + 0.2 * rng.standard_normal(n))


def drawn(name, n, seed=0):
    """n unconstrained draws from the prior, and the same as dicts of hyperparameters."""
    density = log_density(CASES[name].surrogate, COLUMNS)
    Q = density.prior_draws(n, np.random.default_rng(seed))
    values = density.constrain(Q)
    return Q, [{k: v[s] for k, v in values.items()} for s in range(n)]


@lru_cache
def density_and_slope(name, n):
    """Compiled log density and gradient given so many trials."""
    return log_density(CASES[name].surrogate, COLUMNS).value_and_gradient(trials(n))


def evaluated(build, p, *arrays):
    """What build(p, *arrays) makes of symbolic hyperparameters and arrays, at these values."""
    names = {k: pt.tensor(k, dtype="float64", shape=np.shape(v)) for k, v in p.items()}
    symbols = [pt.tensor(dtype="float64", shape=(None,) * np.ndim(a)) for a in arrays]
    outputs = function([*names.values(), *symbols], build(names, *symbols), mode=UNCOMPILED, on_unused_input="ignore")
    return outputs(*p.values(), *arrays)


def covariance(surrogate, columns, p, X, X2=None):
    if X2 is None:
        return evaluated(lambda p, X: surrogate.covariance(columns, p, X), p, X)
    return evaluated(lambda p, X, X2: surrogate.covariance(columns, p, X, X2), p, X, X2)


@FAMILY
def test_covariance_is_the_oracles(name):
    case, X, X2 = CASES[name], trials(14).X, trials(5, seed=1).X
    assert (X < 0.0).any()
    for p in drawn(name, 5)[1]:
        expected, scale = case.covariance(X, X, p), case.covariance(X, X, p).max()
        np.testing.assert_allclose(covariance(case.surrogate, COLUMNS, p, X), expected, atol=1e-11 * scale)
        between = covariance(case.surrogate, COLUMNS, p, X, X2)
        np.testing.assert_allclose(between, case.covariance(X, X2, p), atol=1e-11 * scale)
        variance = evaluated(lambda p, X: case.surrogate.variance(COLUMNS, p, X), p, X)
        np.testing.assert_allclose(variance, np.diag(expected), rtol=1e-12)


@NEW
def test_density_is_prior_times_the_textbooks_likelihood(name):
    case, data = CASES[name], trials(12)
    for q, p in zip(*drawn(name, 6), strict=True):
        K = case.covariance(data.X, data.X, p) + np.diag(case.noise(data.X, p))
        expected = stats.multivariate_normal(np.full(12, p["mean"]), K).logpdf(data.y)
        found = density_and_slope(name, 12)(q)[0] - density_and_slope(name, 0)(q)[0]
        np.testing.assert_allclose(found, expected, rtol=1e-7)


@NEW
def test_density_gradient(name):
    f = density_and_slope(name, 12)
    for q in drawn(name, 4, seed=1)[0]:
        slope = f(q)[1]
        differences = central_differences(lambda q: f(q)[0], q, 1e-5)
        np.testing.assert_allclose(slope, differences, rtol=1e-4, atol=1e-4 * max(1.0, np.abs(slope).max()))


@FAMILY
def test_predictive_is_the_textbooks(name):
    case, data, Z = CASES[name], trials(12), trials(5, seed=1).X

    def moments(p, X, y, Z):
        named = {"X": X, "y": y}
        state = case.surrogate.condition(COLUMNS, p, named)
        mean, variance = case.surrogate.predict(COLUMNS, p, state, named, Z)
        return [mean, variance, case.surrogate.fitted(COLUMNS, p, state, named)]

    for p in drawn(name, 3)[1]:
        mean, variance, fitted = evaluated(moments, p, data.X, data.y, Z)
        expected = case.conditional(data.X, data.y, Z, p)
        # Variances are differences of the prior's, through a matrix of condition number up to n scale / NUGGET.
        scale = case.covariance(Z, Z, p).max()
        np.testing.assert_allclose(mean, expected[0], rtol=1e-6, atol=1e-7)
        np.testing.assert_allclose(variance, expected[1], rtol=1e-6, atol=1e-8 * scale)
        np.testing.assert_allclose(fitted, expected[2], rtol=1e-6, atol=1e-7)


@FAMILY
def test_an_inactive_value_is_never_compared(name):
    # A linear booster has no depth, shrink and rule: it is as far from every tree that has them.
    rng, surrogate = np.random.default_rng(0), CASES[name].surrogate
    linear = TREE.encode([{"x": 0.3, "booster": "linear"}])
    trees = TREE.encode(
        {"x": 0.3, "booster": "tree", "depth": int(rng.integers(1, 10)), "shrink": rng.random(), "rule": rule}
        for rule in ("a", "b", "c", "a")
    )
    for p in drawn(name, 3)[1]:
        between = covariance(surrogate, COLUMNS, p, linear, trees)
        np.testing.assert_allclose(between, between[0, 0], rtol=1e-12)


def gp_values(columns, rng):
    """Hyperparameters of `gp` on these columns."""
    lengthscale = np.exp(rng.normal(0.0, 0.5, columns.dimension))
    return {"mean": 0.3, "amplitude": 1.4, "lengthscale": lengthscale, "noise": 0.2}


def test_saas_with_these_lengthscales_is_gp():
    p, X = gp_values(COLUMNS, np.random.default_rng(0)), trials(9).X
    own = p | {"tau": 0.2, "lambda": 1.0 / np.sqrt(p["lengthscale"] ** 2 - SHORTEST**2) / 0.2}
    del own["lengthscale"]
    expected = covariance(GaussianProcess(), COLUMNS, p, X)
    np.testing.assert_allclose(covariance(SAASGaussianProcess(), COLUMNS, own, X), expected, rtol=1e-10)


def test_lengthscales_of_saas_stay_above_the_shortest():
    p = {"mean": 0.0, "amplitude": 1.0, "tau": 1e150, "lambda": np.full(1, 1e150), "noise": 0.1}
    expected = covariance(GaussianProcess(), LINE, p | {"lengthscale": np.full(1, SHORTEST)}, np.array([[0.4], [0.45]]))
    found = covariance(SAASGaussianProcess(), LINE, p, np.array([[0.4], [0.45]]))
    np.testing.assert_allclose(found, expected, rtol=1e-12)


@pytest.mark.parametrize("dimension", [2, 25])
def test_tau_of_saas_expects_one_effective_hyperparameter(dimension):
    rng = np.random.default_rng(0)
    p = {"mean": 0.0, "amplitude": 1.0, "lengthscale": np.full(1, 30.0), "noise": 0.1}
    K = covariance(GaussianProcess(), LINE, p, np.linspace(0.0, 1.0, 200)[:, None])
    lost = 30.0**2 * (1.0 - K.mean())
    assert lost == pytest.approx(5.0 / 36.0, rel=0.02)
    v = lost * (scale_of_tau(dimension) * np.abs(rng.standard_cauchy((20_000, dimension)))) ** 2
    effective = (v / (v + 0.03**2)).sum(axis=1)
    # Within the Monte Carlo error, and that of what is lost.
    assert effective.mean() == pytest.approx(1.0, abs=0.02 + 4.0 * effective.std() / np.sqrt(20_000))


def test_scales_of_the_horseshoe_stay_below_the_slab():
    p = {"mean": 0.0, "tau": 1e150, "lambda": np.full(1, 1e150), "slab": 2.0, "noise": 0.1}
    p |= {"curvature": 0.0, "interaction": 0.0}
    X = np.array([[0.4], [0.9]])
    found = covariance(HorseshoeRegression(), LINE, p, X)
    np.testing.assert_allclose(found, 4.0 * (X - 0.5) @ (X - 0.5).T, rtol=1e-12)


def test_warped_with_straight_warps_is_gp():
    p, X = gp_values(COLUMNS, np.random.default_rng(1)), trials(9).X
    own = p | {"a": np.ones(3), "b": np.ones(3)}
    # But for the millionth by which numbers are kept from the edges.
    expected = covariance(GaussianProcess(), COLUMNS, p, X)
    np.testing.assert_allclose(covariance(WarpedGaussianProcess(), COLUMNS, own, X), expected, atol=1e-5)


def test_warped_has_slopes_at_the_edges_of_the_cube():
    def slope(p, X, Z):
        return pt.grad(WarpedGaussianProcess().covariance(LINE, p, Z, X).sum(), Z)

    p = gp_values(LINE, np.random.default_rng(2)) | {"a": np.full(1, 0.7), "b": np.full(1, 0.6)}
    found = evaluated(slope, p, np.array([[0.5]]), np.array([[0.0], [1.0]]))
    assert np.isfinite(found).all()
    assert found[0, 0] > 0.0 > found[1, 0]


def test_additive_in_one_dimension_is_gp():
    values, X = gp_values(LINE, np.random.default_rng(3)), np.random.default_rng(4).random((9, 1))
    own = values | {"amplitude": np.full(1, 1.4)}
    expected = covariance(GaussianProcess(), LINE, values, X)
    np.testing.assert_allclose(covariance(AdditiveGaussianProcess(), LINE, own, X), expected, rtol=1e-14)
    # So are the priors.
    table, single = (s.describe(as_space({"x": (0.0, 1.0)})) for s in (AdditiveGaussianProcess(), GaussianProcess()))
    assert list(table["prior"]) == list(single["prior"])


def test_additive_has_no_interactions():
    # f(0, 0) - f(0, 1) - f(1, 0) + f(1, 1) is constant in every draw of the process: its variance is 0.
    columns = Columns.of(PLANE)
    p = {"mean": 0.0, "amplitude": np.array([0.7, 1.3]), "lengthscale": np.array([0.4, 0.8]), "noise": 0.1}
    K = covariance(AdditiveGaussianProcess(), columns, p, np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]]))
    contrast = np.array([1.0, -1.0, -1.0, 1.0])
    assert abs(contrast @ K @ contrast) < 1e-14


def test_additive_varies_as_much_as_gp_in_any_dimension():
    density = log_density(AdditiveGaussianProcess(), COLUMNS)
    draws = density.constrain(density.prior_draws(4000, np.random.default_rng(5)))
    total = (draws["amplitude"] ** 2).sum(axis=1)
    assert abs(total.mean() - AMPLITUDE.moment(2)) < 4.5 * total.std() / np.sqrt(4000)


def test_heteroscedastic_without_slopes_is_gp():
    p, X = gp_values(COLUMNS, np.random.default_rng(6)), trials(9).X
    own, surrogate = p | {"slope": np.zeros(9)}, HeteroscedasticGaussianProcess()
    noise = evaluated(lambda p, X: surrogate.noise_variance(COLUMNS, p, {"X": X}), own, X)
    np.testing.assert_allclose(noise, np.full(9, 0.2**2 + NUGGET), rtol=1e-14)
    expected = covariance(GaussianProcess(), COLUMNS, p, X)
    np.testing.assert_allclose(covariance(surrogate, COLUMNS, own, X), expected, rtol=1e-14)


def test_the_noise_of_a_trial_does_not_know_what_is_inactive_there():
    surrogate, linear = HeteroscedasticGaussianProcess(), TREE.encode([{"x": 0.3, "booster": "linear"}])
    used = np.isin(feature_names(COLUMNS), ["x", *(f"booster[{k}]" for k in range(3))])
    p = {"noise": 0.2, "slope": np.where(used, 0.7, 0.0)}
    noise = [
        evaluated(lambda p, X: surrogate.noise_variance(COLUMNS, p, {"X": X}), p | {"slope": slope}, linear)
        for slope in (p["slope"], np.where(used, 0.7, 9.0))
    ]
    np.testing.assert_array_equal(*noise)
    np.testing.assert_allclose(noise[0], (0.2 * np.exp(0.7 * (0.3 - 0.5) + 0.7)) ** 2 + NUGGET, rtol=1e-12)


def test_heteroscedastic_outcomes_vary_as_they_should():
    surrogate, n, draws = HeteroscedasticGaussianProcess(), 4, 2000
    X = trials(n).X
    with surrogate.model(COLUMNS, X, np.zeros(n)) as model:
        p = {"mean": 0.5, "amplitude": 0.1, "lengthscale": np.ones(5), "noise": 0.8, "slope": np.linspace(-1.0, 1.0, 9)}
        fixed = pm.do(model, p)
        y = pm.draw(fixed["outcome"], draws=draws, random_seed=0, mode=UNCOMPILED)
    expected = 0.1**2 + CASES["heteroscedastic"].noise(X, p)
    assert (np.abs(y.var(axis=0) / expected - 1.0) < 4.5 * np.sqrt(2.0 / draws)).all()
    assert expected.max() > 2.0 * expected.min()


def test_names_of_what_is_registered():
    model = log_density(HeteroscedasticGaussianProcess(), COLUMNS).pymc_model
    assert [rv.name for rv in model.free_RVs] == ["mean", "amplitude", "lengthscale", "noise", "slope"]
    assert set(model.coords["feature"]) == {
        "x", "depth", "shrink", *(f"{choice}[{k}]" for choice in ("booster", "rule") for k in range(3))
    }  # fmt: skip
    model = log_density(WarpedGaussianProcess(), COLUMNS).pymc_model
    assert [rv.name for rv in model.free_RVs] == ["mean", "amplitude", "lengthscale", "a", "b", "noise"]
    assert set(model.coords["number"]) == {"x", "depth", "shrink"}


def test_priors_are_arguments():
    tight = pm.LogNormal.dist(1.0, 1e-9)
    for surrogate, names in (
        (SAASGaussianProcess(tau_prior=tight, lambda_prior=tight), ("tau", "lambda")),
        (WarpedGaussianProcess(a_prior=tight, b_prior=tight), ("a", "b")),
        (AdditiveGaussianProcess(amplitude_prior=tight, lengthscale_prior=tight), ("amplitude", "lengthscale")),
        (HeteroscedasticGaussianProcess(slope_prior=tight, noise_prior=tight), ("slope", "noise")),
    ):
        table = surrogate.describe(TREE)
        np.testing.assert_allclose(table.loc[list(names), "mean"], np.e, rtol=1e-6)


@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        ("saas", {"tau_prior": 0.1}, "tau_prior: expected a PyMC distribution, .* got 0.1"),
        ("saas", {"lambda_prior": pm.Normal.dist()}, "lambda_prior: expected a distribution of positive numbers"),
        ("saas", {"kernel": "matern53"}, "unknown kernel 'matern53'; did you mean 'matern52'?"),
        ("warped", {"a_prior": pm.Normal.dist()}, "a_prior: expected a distribution of positive numbers"),
        ("warped", {"b_prior": 1.0}, "b_prior: expected a PyMC distribution, .* got 1.0"),
        ("additive", {"kernel": "cubic"}, "unknown kernel 'cubic'"),
        ("additive", {"amplitude_prior": pm.Normal.dist()}, "amplitude_prior: expected a distribution of positive"),
        ("heteroscedastic", {"slope_prior": pm.Poisson.dist(3.0)}, "slope_prior: expected a .* of one real number"),
    ],
)
def test_what_is_no_prior_is_refused(name, arguments, message):
    with pytest.raises(SpecificationError, match=message):
        create("surrogate", name, arguments)


def test_warping_needs_a_number():
    columns = Columns.of(as_space({"kernel": ["rbf", "linear", "poly"], "flag": [True, False]}))
    with pytest.raises(SpecificationError, match="'warped': expected a number to warp, got choices alone; use 'gp'"):
        WarpedGaussianProcess().check(columns)
    with pytest.raises(SpecificationError, match="expected a number to warp"):
        SparseGaussianProcess(exact=WarpedGaussianProcess()).check(columns)


def test_inducing_points_need_noise_that_is_the_same_everywhere():
    surrogate = SparseGaussianProcess(exact=HeteroscedasticGaussianProcess())
    with pytest.raises(SpecificationError, match="got 'heteroscedastic', whose noise varies; use it without 'sparse'"):
        surrogate.model(LINE, np.array([[0.1], [0.7]]), np.zeros(2))


@pytest.mark.parametrize("name", ["bayesian_neural_network", "bart"])
def test_inducing_points_stand_for_it(name):
    # With all trials for inducing points the bound's conditional is the exact one.
    case, data, Z = CASES[name], trials(9), trials(4, seed=1).X
    sparse = SparseGaussianProcess(exact=case.surrogate)

    def moments(p, X, y, Z):
        named = {"X": X, "y": y, "inducing": X}
        return list(sparse.predict(COLUMNS, p, sparse.condition(COLUMNS, p, named), named, Z))

    for p in drawn(name, 2, seed=3)[1]:
        mean, variance = evaluated(moments, p, data.X, data.y, Z)
        expected = case.conditional(data.X, data.y, Z, p)
        np.testing.assert_allclose(mean, expected[0], rtol=1e-3, atol=1e-3)
        np.testing.assert_allclose(variance, expected[1], rtol=1e-3, atol=1e-4 * p["amplitude"] ** 2)


@pytest.mark.slow
@NEW
def test_nuts_follows_every_model(name):
    space = as_space({f"x{j}": (0.0, 1.0) for j in range(4)})
    density, rng = log_density(CASES[name].surrogate, Columns.of(space)), np.random.default_rng(0)
    X = space.sample(25, rng)
    blank = TrainingData(X, np.zeros(25), 0.0, 1.0, X[:0])
    for data in simulated(density, blank, 4, rng)[1]:
        # With R-hat < 1.01, and at most one divergence in a thousand draws, as for `gp`.
        report = CASES[name].nuts.fit(density, data, rng=rng).report
        assert report.status == "ok", report.reason


@pytest.mark.slow
@NEW
def test_a_study_on_a_conditional_space(name):
    study = Study(TREE, BayesianSearcher(surrogate=name, n_initial=4), seed=0)
    study.optimize(lambda c: (c["x"] - 0.3) ** 2 + (c["booster"] != "dart"), budget=8, progress=False)
    assert list(study.inference["status"]) == ["ok"] * 4
    assert [t.suggestion.origin for t in study.history.trials[4:]] == ["acquisition"] * 4
