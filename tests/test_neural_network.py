"""The infinitely wide network: finite ones of ever more units, and limits that are known in closed form."""

from __future__ import annotations

import numpy as np
import pymc as pm
import pytest
from family_oracles import CENTRES, COLUMNS, along
from scipy.special import erf
from surrogate_cases import PLANE, TREE, lognormal_law
from test_gp_family import NAMES, covariance, drawn, trials

from bayeshpo.errors import SpecificationError
from bayeshpo.inference.density import log_density
from bayeshpo.space import as_space
from bayeshpo.surrogates.columns import Columns
from bayeshpo.surrogates.neural_network import BayesianNeuralNetwork
from bayeshpo.surrogates.priors import lengthscale_prior

NETWORK, FLAT = BayesianNeuralNetwork(), Columns.of(PLANE)


CENTRE = np.array([0.3, 0.8])


def values(weight, bias):
    return {"mean": 0.0, "amplitude": 1.3, "weight": np.array(weight), "bias": bias, "noise": 0.1, "centre": CENTRE}


def correlation(X, p):
    return covariance(NETWORK, FLAT, p, X) / 1.3**2


def test_it_is_the_limit_of_wide_networks():
    units, X, rng = 200_000, trials(6).X, np.random.default_rng(0)
    for p in drawn("bayesian_neural_network", 3)[1]:
        # Weights and biases of so many units, as the model says; v has unit variance.
        enters = rng.standard_normal(units) * p["bias"] * np.sqrt(np.sum(p["weight"] ** 2) / 12.0)
        enters = np.tile(enters, (len(X), 1))
        for j, name in enumerate(NAMES):
            u = along(name, X[:, j]) - (p["centre"] if name == "x" else 0.0)
            enters += p["weight"][j] * u @ rng.standard_normal((u.shape[1], units))
        out = erf(enters)
        expected = out @ out.T / units
        products = np.einsum("ih,jh->ijh", out[:2], out)
        error = products.std(axis=2) / np.sqrt(units)
        found = covariance(NETWORK, COLUMNS, p, X) / p["amplitude"] ** 2
        assert (np.abs(found[:2] - expected[:2]) < 4.5 * error + 1e-12).all()


def test_small_weights_make_it_linear():
    X, weight = np.random.default_rng(1).random((7, 2)), np.array([1e-4, 3e-4])
    enters = 0.8**2 * np.sum(weight**2) / 12.0 + ((X - CENTRE) * weight) @ ((X - CENTRE) * weight).T
    # erf has the slope 2 / sqrt(pi) at 0; what is left out is of the order of the square.
    np.testing.assert_allclose(correlation(X, values(weight, 0.8)), 4.0 / np.pi * enters, rtol=1e-6)


def test_large_weights_make_steps_of_which_angles_alone_are_seen():
    X, p = np.random.default_rng(2).random((7, 2)), values([3e4, 1e4], 0.5)
    u = np.column_stack([(X - CENTRE) * p["weight"], np.full(7, 0.5 * np.sqrt(np.sum(p["weight"] ** 2) / 12.0))])
    u /= np.linalg.norm(u, axis=1, keepdims=True)
    # The chance that a step lies between two points: signs differ there (Grothendieck's identity).
    expected = 1.0 - 2.0 * np.arccos(np.clip(u @ u.T, -1.0, 1.0)) / np.pi
    np.testing.assert_allclose(correlation(X, p), expected, atol=1e-3)


def test_it_is_steep_at_the_centre_and_flat_far_from_it():
    p = values([6.0, 6.0], 0.1)
    pairs = [correlation(np.array([[x, 0.8], [x + 0.05, 0.8]]), p) for x in (0.275, 0.45, 0.95)]
    # Standard deviations of the change over a twentieth of the range.
    centre, between, far = (np.sqrt(K[0, 0] + K[1, 1] - 2.0 * K[0, 1]) for K in pairs)
    assert centre > 2.0 * between > 4.0 * far


def test_choices_alone_have_no_centre():
    columns = Columns.of(as_space({"kernel": ["rbf", "linear", "poly"]}))
    p = {name: value for name, value in values([2.0], 0.0).items() if name != "centre"}
    model = log_density(NETWORK, columns).pymc_model
    assert {rv.name for rv in model.free_RVs} == set(p)
    # Different choices share no weight; equal ones all of it.
    expected = 1.3**2 * 2.0 / np.pi * np.arcsin(8.0 / 9.0) * np.eye(3)
    np.testing.assert_allclose(covariance(NETWORK, columns, p, CENTRES[:, None]), expected, atol=1e-14)


def test_weights_are_one_over_the_lengthscales_of_gp():
    law, table = lognormal_law(lengthscale_prior(5)), NETWORK.describe(TREE)
    # The quantiles' errors are those of 4000 draws of five weights on the log scale: sqrt(q (1 - q) / n) / density.
    for q in (0.05, 0.5, 0.95):
        z = np.log(1.0 / law.ppf(1.0 - q)) / law.args[0]
        log_median = -np.log(law.median()) / law.args[0]
        density = np.exp(-0.5 * (z - log_median) ** 2) / np.sqrt(2.0 * np.pi) / law.args[0]
        error = np.sqrt(q * (1.0 - q) / 20_000) / density
        assert abs(np.log(table.loc["weight", f"{100 * q:.0f} %"] * law.ppf(1.0 - q))) < 4.5 * error


def test_priors_are_arguments():
    tight, names = pm.LogNormal.dist(1.0, 1e-9), ("amplitude", "weight", "bias", "noise")
    table = BayesianNeuralNetwork(**{f"{name}_prior": tight for name in ("mean", "centre", *names)}).describe(TREE)
    np.testing.assert_allclose(table.loc[["mean", "centre", *names], "mean"], np.e, rtol=1e-6)
    for name in names:
        with pytest.raises(SpecificationError, match=f"{name}_prior: expected a distribution of positive numbers"):
            BayesianNeuralNetwork(**{f"{name}_prior": pm.Normal.dist()})
