"""A surrogate's density: exact draws of the prior, transformations and their inverses, threads."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats
from surrogate_cases import AMPLITUDE, LENGTHSCALE, MIXED, NOISE, PLANE, density_on, wavy

from bayeshpo.inference.density import log_density
from bayeshpo.surrogates.columns import Columns
from bayeshpo.surrogates.gp import GaussianProcess


def test_prior_draws_are_exact_and_independent():
    density, n = density_on(PLANE), 4000
    Q = density.prior_draws(n, np.random.default_rng(0))
    values = density.constrain(Q)
    laws = {"mean": stats.norm(), "amplitude": AMPLITUDE, "noise": NOISE, "lengthscale": LENGTHSCALE}
    for name, law in laws.items():
        for column in values[name].reshape(n, -1).T:
            assert stats.kstest(column, law.cdf).pvalue > 1e-4
    # Neither coordinates nor successive draws are correlated: 5 / sqrt(n).
    correlation = np.corrcoef(np.column_stack([Q[:-1], Q[1:]]).T)
    assert np.abs(correlation - np.eye(10)).max() < 5.0 / math.sqrt(n)


def test_log_priors_are_those_of_the_laws_on_the_unconstrained_scale():
    density = density_on(PLANE)
    Q = density.prior_draws(30, np.random.default_rng(2))
    values, found = density.constrain(Q), density.log_prior(Q)
    np.testing.assert_allclose(found["mean"], stats.norm().logpdf(values["mean"]), rtol=1e-12)
    for name, law in {"amplitude": AMPLITUDE, "noise": NOISE, "lengthscale": LENGTHSCALE}.items():
        # Of the logarithm: the density of x times x.
        np.testing.assert_allclose(found[name], law.logpdf(values[name]) + np.log(values[name]), rtol=1e-7)
    together = sum(v.reshape(30, -1).sum(axis=1) for v in found.values())
    np.testing.assert_allclose(together, density.batch(Q, density.no_data), rtol=1e-9)


@pytest.mark.parametrize("space", [PLANE, MIXED], ids=["plane", "mixed"])
def test_unconstrain_is_the_inverse_of_constrain(space):
    density = log_density(GaussianProcess(), Columns.of(space))
    Q = density.prior_draws(50, np.random.default_rng(1))
    values = density.constrain(Q)
    assert {k: v.shape for k, v in values.items()} == {
        "mean": (50,), "amplitude": (50,), "lengthscale": (50, space.dimension), "noise": (50,)
    }  # fmt: skip
    np.testing.assert_allclose(density.unconstrain(values), Q, rtol=1e-12, atol=1e-12)
    assert (values["noise"] > 0.0).all()


def test_threads_do_not_change_a_digit(monkeypatch):
    density, data = density_on(PLANE), wavy(20)
    Q = density.prior_draws(1001, np.random.default_rng(0))
    values = []
    for cores in ("1", "2"):
        monkeypatch.setenv("BAYESHPO_CORES", cores)
        values.append(density.batch(Q, data))
    np.testing.assert_array_equal(*values)
