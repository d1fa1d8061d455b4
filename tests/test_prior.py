"""Functions from the prior: their law at a point and between points, along which lines, and the command's files."""

from __future__ import annotations

import json

import numpy as np
import pymc as pm
import pytest
from scipy import stats
from surrogate_cases import AMPLITUDE, LENGTHSCALE, PLANE, TREE, matern52
from typer.testing import CliRunner

from bayeshpo.cli import app
from bayeshpo.diagnostics.prior import DRAWS, MOST, prior_profiles
from bayeshpo.errors import SpecificationError
from bayeshpo.registry import create
from bayeshpo.space import as_space
from bayeshpo.surrogates.base import NUGGET, Surrogate
from bayeshpo.surrogates.gp import GaussianProcess


def profiles(name, space):
    return prior_profiles(create("surrogate", name, {}), space, np.random.default_rng(0))


def level_and_slope(X, y, columns):
    """f = level + slope x, and an effect of the second column that f leaves out."""
    with pm.Model() as model:
        X, y = pm.Data("X", X), pm.Data("y", y)
        f = pm.Deterministic("f", pm.Normal("level", 1.0, 0.5) + pm.Normal("slope", 0.0, 2.0) * X[:, 0])
        pm.Normal("outcome", f + pm.Normal("effect", 0.0, 9.0) * X[:, 1], pm.HalfNormal("noise", 9.0), observed=y)
    return model


@pytest.fixture(scope="module")
def of_gp():
    return profiles("gp", PLANE)


def test_intervals_of_a_gaussian_process_are_those_of_the_scale_mixture(of_gp):
    # f at a point is mean + amplitude z: a mixture of normals, here by plain numpy.
    rng, n = np.random.default_rng(1), 1_000_000
    mixture = np.sort(rng.standard_normal(n) + AMPLITUDE.rvs(n, random_state=rng) * rng.standard_normal(n))
    for profile in of_gp:
        assert profile.f.shape == (DRAWS, 61)
        for probability in (0.5, 0.9):
            tails = np.array([1.0 - probability, 1.0 + probability]) / 2.0
            for limit, level in zip(profile.interval(probability), tails, strict=True):
                below = np.searchsorted(mixture, limit) / n
                # The share of the mixture below a sample quantile is a beta variable of this spread.
                assert (np.abs(below - level) < 4.5 * np.sqrt(level * (1.0 - level) / DRAWS)).all()


@pytest.mark.parametrize("name", ["gp", "sparse"])
def test_draws_along_a_line_are_joint(name, of_gp):
    [profile, _] = of_gp if name == "gp" else profiles(name, PLANE)
    # Given the hyperparameters, f - f' is normal with the variance 2 amplitude^2 (1 - k), and the nugget's twice.
    rng, n = np.random.default_rng(2), 20_000
    amplitude, lengthscale = AMPLITUDE.rvs(n, random_state=rng), LENGTHSCALE.rvs(n, random_state=rng)
    for i in (3, 40):
        apart = (profile.values[i] - profile.values[0]) / lengthscale
        k = matern52(np.zeros((1, 1)), apart[:, None], 1.0, 1.0)[0]
        expected = np.sqrt(2.0 * amplitude**2 * (1.0 - k) + 2.0 * NUGGET) * rng.standard_normal(n)
        assert stats.ks_2samp(profile.f[:, i] - profile.f[:, 0], expected).pvalue > 1e-4


def test_the_same_functions_in_all_panels(of_gp):
    # Both lines go through the centre.
    x, z = of_gp
    np.testing.assert_allclose(x.f[:, 30], z.f[:, 30], atol=6.0 * np.sqrt(2.0 * NUGGET))


def test_a_model_of_ones_own_shows_f_without_what_it_leaves_out():
    [x, z] = prior_profiles(Surrogate.from_model(level_and_slope), PLANE, np.random.default_rng(0))
    assert np.ptp(z.f, axis=1).max() == 0.0
    assert stats.kstest(x.f[:, 0], stats.norm(1.0, 0.5).cdf).pvalue > 1e-4
    assert stats.kstest(x.f[:, -1] - x.f[:, 0], stats.norm(0.0, 2.0).cdf).pvalue > 1e-4


def test_values_are_in_their_own_unit_and_what_is_conditional_is_active():
    space = as_space({"rate": stats.loguniform(1e-4, 1.0), "layers": (1, 4), "kind": ["a", "b"]})
    found = {p.hyperparameter: p for p in profiles("gp", space)}
    assert {name: p.logarithmic for name, p in found.items()} == {"rate": True, "layers": False}
    np.testing.assert_allclose(found["rate"].values, np.geomspace(1e-4, 1.0, 61))
    np.testing.assert_array_equal(found["layers"].values, [1, 2, 3, 4])
    of_tree = profiles("gp", TREE)
    assert {p.hyperparameter for p in of_tree} == {"x", "depth", "shrink"}
    # Where it is inactive, a hyperparameter changes nothing but the nugget.
    assert all(np.ptp(p.f, axis=1).max() > 1.0 for p in of_tree)


def test_no_more_panels_than_can_be_read():
    space = as_space({f"x{j}": (0.0, 1.0) for j in range(MOST + 3)})
    assert [p.hyperparameter for p in profiles("gp", space)] == [f"x{j}" for j in range(MOST)]


def test_a_space_without_numbers_is_refused():
    with pytest.raises(SpecificationError, match="expected a space with a float or an integer, got kind"):
        prior_profiles(GaussianProcess(), as_space({"kind": ["a", "b", "c"]}), np.random.default_rng(0))


def test_command_prints_the_priors_and_writes_record_and_figure(tmp_path):
    result = CliRunner().invoke(app, ["prior", "gp", "--problem", "svc_digits", "--output", str(tmp_path)])
    assert result.exit_code == 0, result.output
    assert "Priors of gp on svc_digits" in result.output
    assert "LogNormal(-3.5, 1)" in result.output
    assert [line for line in result.output.splitlines() if line.startswith(str(tmp_path))] == [
        str(tmp_path / f"prior.{suffix}") for suffix in ("json", "pdf", "png")
    ]
    record = json.loads((tmp_path / "prior.json").read_text())
    assert [p["hyperparameter"] for p in record["profiles"]] == ["C", "gamma"]
    assert np.shape(record["profiles"][0]["draws"]) == (8, 61)
    assert "its 2 numbers" in record["caption"]
    assert "50 % and 90 % intervals of 1000 draws" in record["caption"]
    assert (tmp_path / "prior.pdf").read_bytes().startswith(b"%PDF")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["gpp", "--problem", "branin"], "unknown surrogate 'gpp'; did you mean 'gp'?"),
        (["gp", "--problem", "branim"], "unknown problem 'branim'; did you mean 'branin'?"),
        (["hsgp", "--problem", "hartmann6"], "expected at most 3 hyperparameters, got 6; use 'sparse'"),
    ],
)
def test_command_refuses_in_words(arguments, message):
    result = CliRunner().invoke(app, ["prior", *arguments])
    assert result.exit_code == 2
    assert message in result.output
