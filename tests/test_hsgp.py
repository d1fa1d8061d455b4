"""The Hilbert-space Gaussian process: its covariance against Matern-5/2, its density and predictive by plain numpy."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from surrogate_cases import (
    MIXED,
    PLANE,
    density_on,
    first,
    left_out_by_hand,
    matern52,
    training_data,
    wavy,
)

from bayeshpo.errors import SpecificationError
from bayeshpo.inference.density import log_density
from bayeshpo.inference.predictive import predictive
from bayeshpo.surrogates.base import NUGGET
from bayeshpo.surrogates.columns import Columns
from bayeshpo.surrogates.hsgp import HALF_WIDTHS, HilbertSpaceGaussianProcess, basis_frequencies, spectral_density
from bayeshpo.surrogates.symbolic import UNCOMPILED, function, pt

COLUMNS = Columns.of(PLANE)
HSGP = HilbertSpaceGaussianProcess(functions=40)


@pytest.fixture(scope="module")
def density():
    return log_density(HSGP, COLUMNS)


def basis(X, functions):
    """Eigenfunctions of the Laplacian on the box, one by one (Riutort-Mayol et al. 2023, eq. 9)."""
    D = X.shape[1]
    L, columns = HALF_WIDTHS[D], []
    for w in basis_frequencies(D, functions):
        columns.append(np.prod(np.sin(w * (X - 0.5 + L)) / np.sqrt(L), axis=1))
    return np.column_stack(columns)


def covariance(X, functions, amplitude, lengthscale):
    p = {"amplitude": pt.as_tensor(amplitude), "lengthscale": pt.as_tensor(np.asarray(lengthscale, dtype=float))}
    S = function([], spectral_density(p, X.shape[1], functions), mode=UNCOMPILED)()
    Phi = basis(X, functions)
    return (Phi * S) @ Phi.T, S


@pytest.mark.parametrize(
    ("lengthscale", "functions", "error"),
    [([0.3], 256, 0.001), ([2.0], 256, 0.01), ([0.5, 0.7], 256, 0.02), ([0.7, 0.7, 0.6], 1000, 0.03)],
)
def test_covariance_is_nearly_matern(lengthscale, functions, error):
    X = np.random.default_rng(0).random((60, len(lengthscale)))
    found, _ = covariance(X, functions, 1.3, lengthscale)
    assert np.abs(found - matern52(X, X, np.array(lengthscale), 1.3)).max() < error * 1.3**2


def test_covariance_converges_as_functions_are_added():
    X, lengthscale = np.random.default_rng(1).random((40, 2)), np.array([0.3, 0.4])
    exact = matern52(X, X, lengthscale, 1.0)
    errors = [np.abs(covariance(X, m, 1.0, lengthscale)[0] - exact).max() for m in (30, 100, 300, 1000)]
    assert (np.diff(errors) < 0.0).all()
    assert errors[-1] < 0.01 < errors[0]


def test_longer_lengthscales_than_the_box_can_hold_look_alike():
    X = np.random.default_rng(1).random((40, 2))
    held, far = (covariance(X, 256, 1.0, [0.5, ell])[0] for ell in (4.0, 400.0))
    np.testing.assert_allclose(held, far, atol=0.01)
    # The variance is not lost.
    assert np.diag(far).min() > 0.9


def test_frequencies_are_the_lowest():
    w = basis_frequencies(2, 40)
    assert len(np.unique(w, axis=0)) == 40
    steps = np.arange(1, 60) * np.pi / (2.0 * HALF_WIDTHS[2])
    radii = np.sort([np.hypot(a, b) for a in steps for b in steps])
    np.testing.assert_allclose(np.sort(np.hypot(*w.T)), radii[:40])


def written_out(density, Q, data, s):
    """Log density of the outcomes and the parts of the model, by plain matrices."""
    p = {k: v[s] for k, v in density.constrain(Q).items()}
    K, S = covariance(data.X, HSGP.functions, p["amplitude"], p["lengthscale"])
    C = K + (p["noise"] ** 2 + NUGGET) * np.eye(len(data.X))
    law = stats.multivariate_normal(np.full(len(data.X), p["mean"]), C, allow_singular=True)
    return law.logpdf(data.y), p, S, C


@pytest.mark.parametrize("n", [1, 7, 60])
def test_density_is_the_model_written_out(density, n):
    data = HSGP.prepared(COLUMNS, wavy(n) if n > 1 else first(wavy(5), 1))
    Q = density.prior_draws(20, np.random.default_rng(n))
    Q[:, -1] = np.maximum(Q[:, -1], np.log(0.05))
    found = density.batch(Q, data) - density.batch(Q, density.no_data)
    np.testing.assert_allclose(found, [written_out(density, Q, data, s)[0] for s in range(20)], rtol=1e-7, atol=1e-6)


def test_left_out_densities_are_those_of_the_other_trials(density):
    data, Q = HSGP.prepared(COLUMNS, wavy(30)), density.prior_draws(8, np.random.default_rng(1))
    Q[:, -1] = np.maximum(Q[:, -1], np.log(0.05))
    found = predictive(density).left_out(Q, data)
    for s in range(8):
        _, values, _, C = written_out(density, Q, data, s)
        np.testing.assert_allclose(found[s], left_out_by_hand(data.y - values["mean"], C, 30), rtol=1e-5, atol=1e-5)


def test_predictive_is_the_textbooks_and_knows_believed_points(density):
    prepared = HSGP.prepared(COLUMNS, wavy(30))
    more = HSGP.believing(COLUMNS, prepared, np.array([[0.1, 0.2], [0.7, 0.7]]), np.array([1.5, -2.0]))
    Q, Z = density.prior_draws(8, np.random.default_rng(1)), np.random.default_rng(3).random((9, 2))
    Q[:, -1] = np.maximum(Q[:, -1], np.log(0.05))
    p = predictive(density)
    for data in (prepared, more):
        mean, variance = p(p.condition(Q, data), Z)
        for s in range(8):
            _, values, S, C = written_out(density, Q, data, s)
            Phi, phi = basis(data.X, HSGP.functions), basis(Z, HSGP.functions)
            k = (phi * S) @ Phi.T
            expected = values["mean"] + k @ np.linalg.solve(C, data.y - values["mean"])
            left = ((phi**2) * S).sum(axis=1) - (k * np.linalg.solve(C, k.T).T).sum(axis=1)
            np.testing.assert_allclose(mean[s], expected, rtol=1e-6, atol=1e-6)
            np.testing.assert_allclose(variance[s], left, rtol=1e-5, atol=1e-8)


def test_predictions_are_those_of_the_exact_model_where_it_can_hold_the_lengthscales():
    full = HilbertSpaceGaussianProcess()
    density, exact, data = log_density(full, COLUMNS), density_on(PLANE), wavy(40)
    values = {
        "mean": [0.1, -0.2],
        "amplitude": [1.0, 1.4],
        "lengthscale": [[0.9, 1.1], [0.8, 1.0]],
        "noise": [0.1, 0.2],
    }
    Q, Z = exact.unconstrain({k: np.array(v) for k, v in values.items()}), np.random.default_rng(0).random((30, 2))
    sparse, plain = predictive(density), predictive(exact)
    mean, variance = sparse(sparse.condition(Q, full.prepared(COLUMNS, data)), Z)
    expected = plain(plain.condition(Q, data), Z)
    np.testing.assert_allclose(mean, expected[0], atol=0.02)
    np.testing.assert_allclose(np.sqrt(variance), np.sqrt(expected[1]), atol=0.02)


def test_hyperparameters_are_those_of_the_exact_model(density):
    assert density.blocks == density_on(PLANE).blocks


def test_more_than_three_dimensions_are_refused():
    columns = Columns(("a", "b", "c", "d"), ())
    for refuse in (HSGP.check, lambda c: log_density(HSGP, c)):
        with pytest.raises(SpecificationError, match="at most 3 hyperparameters, got 4; use 'sparse'"):
            refuse(columns)


def test_unordered_choices_are_refused_by_name():
    with pytest.raises(SpecificationError, match="three or more unordered choices in 'kernel'; use 'sparse'"):
        HSGP.check(Columns.of(MIXED))


def test_two_choices_are_a_number():
    data = training_data(np.array([[0.0, 0.25], [0.5, 0.75]]), np.array([0.0, 1.0]))
    HSGP.check(Columns(("x", "flag"), ()))
    assert HSGP.prepared(COLUMNS, data).arrays["products"].shape == (40, 40)


def test_at_least_one_function():
    with pytest.raises(ValueError, match="expected functions >= 1, got 0"):
        HilbertSpaceGaussianProcess(functions=0)
