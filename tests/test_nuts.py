"""NUTS by each library: posteriors, warm starts, rounds, repetition, and densities that it cannot follow."""

from __future__ import annotations

import importlib.util
import subprocess
import sys

import numpy as np
import pytest
from posterior_checks import Y, weighted_moments
from surrogate_cases import PLANE, density_on, wavy
from toy_surrogates import Broken, Funnel, LevelAndSpread, NoGradient, outcomes, toy_density

from bayeshpo.errors import SpecificationError
from bayeshpo.inference.nuts import NUTS
from bayeshpo.inference.report import InferenceReport, checked

SAMPLERS = pytest.mark.parametrize("sampler", ["nutpie", "pymc", "numpyro"])


def fit(density, data, seed=0, previous=None, **arguments):
    return NUTS(**arguments).fit(density, data, rng=np.random.default_rng(seed), previous=previous)


def assert_right(posterior, means, sds):
    """Moments within 4.5 of the Monte Carlo errors that the reported ESS implies; normal enough for the sd's."""
    ess = posterior.report.ess_bulk_min
    mean, sd = weighted_moments(posterior)
    assert (np.abs(mean - means) < 4.5 * sds / np.sqrt(ess)).all()
    assert (np.abs(sd - sds) < 4.5 * sds / np.sqrt(2.0 * ess)).all()


@SAMPLERS
def test_posterior_by_quadrature_twice(sampler):
    surrogate = LevelAndSpread()
    means, sds, _ = surrogate.exact(Y)
    posterior, again = (fit(toy_density(surrogate), outcomes(Y), sampler=sampler, draws=500) for _ in range(2))
    report = posterior.report
    assert (report.status, report.action) == ("ok", "sampled")
    assert_right(posterior, means, sds)
    assert set(posterior.sample_stats) == {
        "diverging", "energy", "n_steps", "tree_depth", "reached_max_treedepth", "step_size", "acceptance_rate", "lp"
    }  # fmt: skip
    assert all(v.shape == (4, report.draws) for v in posterior.sample_stats.values())
    density = posterior.density.batch(posterior.draws, posterior.data)
    np.testing.assert_allclose(posterior.sample_stats["lp"].ravel(), density, rtol=1e-9, atol=1e-9)
    np.testing.assert_array_equal(posterior.unconstrained, again.unconstrained)


@SAMPLERS
@pytest.mark.parametrize("surrogate", [Broken(np.nan), Broken(-np.inf), NoGradient()], ids=["nan", "inf", "gradient"])
def test_where_nothing_is_finite_it_fails_without_raising(sampler, surrogate):
    posterior = fit(toy_density(surrogate), outcomes(Y[:4]), sampler=sampler, draws=100, tune=50, rounds=1)
    assert posterior.report.status == "failed"
    assert "finite" in (posterior.report.reason or "")


@SAMPLERS
def test_half_a_density_is_retried_and_flagged(sampler):
    surrogate = Broken(np.nan, 0.0)
    posterior = fit(toy_density(surrogate), outcomes(Y[:4]), sampler=sampler, draws=100, tune=50, rounds=1)
    report = posterior.report
    assert (report.status, report.action) == ("not_converged", "retried")
    assert "divergences in 400 draws" in (report.reason or "")
    assert (posterior.draws >= surrogate.limit).all()


def test_a_funnel_is_retried_and_flagged():
    report = fit(toy_density(Funnel()), outcomes(Y[:3]), draws=200, rounds=1).report
    assert (report.status, report.action) == ("not_converged", "retried")
    assert report.reason


def test_a_start_from_the_posterior_before_gives_the_same_posterior():
    surrogate = LevelAndSpread()
    means, sds, _ = surrogate.exact(Y)
    density = toy_density(surrogate)
    before = fit(density, outcomes(Y[:20]))
    warm = fit(density, outcomes(Y), previous=before)
    assert warm.report.status == "ok"
    assert_right(warm, means, sds)
    assert not np.array_equal(warm.unconstrained, fit(density, outcomes(Y)).unconstrained)


def test_a_failed_or_foreign_posterior_before_is_not_started_from():
    density = toy_density(LevelAndSpread())
    broken = fit(toy_density(Broken(np.nan)), outcomes(Y[:4]), draws=100, rounds=1)
    alone = fit(density, outcomes(Y), draws=100, rounds=1)
    beside = fit(density, outcomes(Y), draws=100, rounds=1, previous=broken)
    np.testing.assert_array_equal(alone.unconstrained, beside.unconstrained)


def test_further_rounds_go_on_with_the_same_chains():
    density, data = toy_density(LevelAndSpread()), outcomes(Y)
    one, more = (fit(density, data, draws=100, rounds=r) for r in (1, 5))
    assert one.report.status == "not_converged"
    assert more.report.status == "ok"
    assert more.report.draws in (150, 225, 337, 505)
    np.testing.assert_array_equal(more.unconstrained[:, :100], one.unconstrained)
    assert more.sample_stats["lp"].shape == (4, more.report.draws)


def test_threads_do_not_change_a_digit(monkeypatch):
    draws = []
    for cores in ("1", "2"):
        monkeypatch.setenv("BAYESHPO_CORES", cores)
        draws.append(fit(density_on(PLANE), wavy(12), draws=100, rounds=1).unconstrained)
    np.testing.assert_array_equal(*draws)


@pytest.mark.parametrize(
    ("statistics", "words"),
    [
        ({"diverging": np.arange(2000).reshape(4, 500) < 3}, "3 divergences in 2000 draws"),
        ({"energy": np.cumsum(np.random.default_rng(0).standard_normal((4, 500)), axis=1)}, "E-BFMI 0.0"),
    ],
    ids=["divergences", "energies"],
)
def test_signs_of_a_sampler_in_trouble_are_no_ok(statistics, words):
    Q = np.random.default_rng(1).standard_normal((4, 500, 3))
    report = checked(InferenceReport("nuts", "sampled", 5), Q, statistics)
    assert report.status == "not_converged"
    assert words in (report.reason or "")
    few = {"diverging": np.arange(2000).reshape(4, 500) < 2}
    assert checked(InferenceReport("nuts", "sampled", 5), Q, few).status == "ok"


def test_a_sampler_that_is_unknown_or_not_installed_is_refused(monkeypatch):
    with pytest.raises(SpecificationError, match="unknown sampler 'nutpi'; did you mean 'nutpie'"):
        NUTS(sampler="nutpi")
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(SpecificationError, match=r"pip install 'bayeshpo\[numpyro\]'"):
        NUTS(sampler="numpyro")


@pytest.mark.parametrize("arguments", [{"chains": 3}, {"tune": 10}, {"draws": 50}, {"rounds": 0}, {"target_accept": 1}])
def test_arguments_out_of_range_are_refused(arguments):
    with pytest.raises(ValueError, match="expected"):
        NUTS(**arguments)


def test_jax_is_not_imported_for_other_samplers():
    # ArviZ puts a placeholder for jax among the modules; jaxlib comes with jax itself.
    code = (
        "import sys; from bayeshpo.inference.nuts import NUTS; NUTS(); "
        "import bayeshpo.inference.nuts_nutpie, bayeshpo.inference.nuts_pymc; print('jaxlib' in sys.modules); "
        "import bayeshpo.inference.nuts_numpyro; print('jaxlib' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "True"]
