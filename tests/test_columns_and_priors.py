"""Distances on conditional spaces, and priors as arguments."""

from __future__ import annotations

import numpy as np
import pymc as pm
import pytest
from scipy import stats
from surrogate_cases import AMPLITUDE, PLANE, TREE, matern52, wavy

from bayeshpo.errors import SpecificationError
from bayeshpo.inference.density import log_density
from bayeshpo.surrogates.base import NUGGET
from bayeshpo.surrogates.columns import Columns
from bayeshpo.surrogates.gp import GaussianProcess
from bayeshpo.surrogates.symbolic import UNCOMPILED, function, pt


def test_an_inactive_value_is_never_compared():
    columns, rng = Columns.of(TREE), np.random.default_rng(0)
    assert {columns.names[j] for j in columns.conditional} == {"depth", "shrink", "rule"}
    X, lengthscale = pt.dmatrix("X"), np.array([0.7, 1.1, 0.9, 1.3, 0.6])
    scaled = function([X], columns.scaled(X, lengthscale), mode=UNCOMPILED)
    # Distances with one hyperparameter's active values drawn anew on one side.
    linear = TREE.encode([{"x": 0.3, "booster": "linear"}])
    trees = TREE.encode(
        {"x": 0.3, "booster": "tree", "depth": int(rng.integers(1, 10)), "shrink": rng.random(), "rule": rule}
        for rule in ("a", "b", "c", "a")
    )
    squared = ((scaled(linear) - scaled(trees)) ** 2).sum(axis=1)
    ell = dict(zip(columns.names, lengthscale, strict=True))
    expected = 2.0 / ell["booster"] ** 2 + sum(ell[n] ** -2.0 for n in ("depth", "shrink", "rule"))
    np.testing.assert_allclose(squared, expected, rtol=1e-12)
    # Two inactive ones are not apart; two active ones by the chord of their arc.
    np.testing.assert_array_equal(scaled(linear), scaled(TREE.encode([{"x": 0.3, "booster": "linear"}])))
    pair = TREE.encode({"x": 0.3, "booster": "dart", "depth": 4, "shrink": s, "rule": "b"} for s in (0.2, 0.9))
    np.testing.assert_allclose(
        np.linalg.norm(np.diff(scaled(pair), axis=0)), 2.0 * np.sin(0.35) / ell["shrink"], rtol=1e-12
    )


def test_priors_are_arguments():
    surrogate = GaussianProcess(noise_prior=pm.HalfNormal.dist(0.3), lengthscale_prior=pm.Gamma.dist(2.0, 4.0))
    density = log_density(surrogate, Columns.of(PLANE))
    drawn = density.constrain(density.prior_draws(4000, np.random.default_rng(0)))
    # Standard errors of the means: 0.3 sqrt(1 - 2 / pi) / sqrt(4000) and 0.354 / sqrt(8000).
    assert abs(drawn["noise"].mean() - 0.3 * np.sqrt(2.0 / np.pi)) < 4.5 * 0.0029
    assert abs(drawn["lengthscale"].mean() - 0.5) < 4.5 * 0.004
    data, q = wavy(5), np.array([0.1, -0.2, 0.3, -0.4, -1.5])
    ell, noise = np.exp(q[2:4]), np.exp(q[4])
    K = matern52(data.X, data.X, ell, np.exp(q[1])) + (noise**2 + NUGGET) * np.eye(5)
    expected = stats.norm.logpdf(q[0]) + AMPLITUDE.logpdf(np.exp(q[1])) + q[1:].sum()
    expected += stats.gamma(2.0, scale=0.25).logpdf(ell).sum() + stats.halfnorm(scale=0.3).logpdf(noise)
    expected += stats.multivariate_normal(np.full(5, q[0]), K).logpdf(data.y)
    np.testing.assert_allclose(density.batch(q[None], data)[0], expected, rtol=1e-8)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"kernel": "matern53"}, "unknown kernel 'matern53'; did you mean 'matern52'?"),
        ({"noise_prior": 0.1}, "noise_prior: expected a PyMC distribution, for example .*, got 0.1"),
        ({"noise_prior": pm.Normal.dist(0.0, 1.0)}, "noise_prior: expected a distribution of positive numbers"),
        ({"lengthscale_prior": pm.LogNormal.dist(0.0, 1.0, shape=3)}, "expected a distribution of one real number"),
        ({"mean_prior": pm.Poisson.dist(3.0)}, "mean_prior: expected a distribution of one real number, .* of int64"),
    ],
)
def test_what_is_no_prior_is_refused(arguments, message):
    with pytest.raises(SpecificationError, match=message):
        GaussianProcess(**arguments)
