"""Standard errors that trials bring: from outcome to model, against plain numpy; `gp` where there are none."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest
from family_oracles import gp
from scipy import stats
from surrogate_cases import OF_THE_TRIALS, TREE, left_out_by_hand, posterior_of

from bayeshpo.errors import SpecificationError
from bayeshpo.inference.density import log_density
from bayeshpo.inference.foresight import foresee
from bayeshpo.inference.predicted import predicted
from bayeshpo.inference.predictive import predictive
from bayeshpo.surrogates.base import NUGGET, TrainingData
from bayeshpo.surrogates.columns import Columns
from bayeshpo.surrogates.gp import GaussianProcess
from bayeshpo.surrogates.known_noise import KnownNoiseGaussianProcess
from bayeshpo.surrogates.sparse import SparseGaussianProcess
from bayeshpo.testing import SurrogateUnderTest
from bayeshpo.testing.trials import bowl, history_of
from bayeshpo.trial import Outcome, Suggestion, Trial

COLUMNS, SURROGATE = Columns.of(TREE), KnownNoiseGaussianProcess()
DENSITY = log_density(SURROGATE, COLUMNS)


@dataclass(frozen=True)
class WithErrors(SurrogateUnderTest):
    """The trials of `SurrogateUnderTest` with standard errors, in the unit of their losses."""

    def brought(self, X, unit):
        return {"errors": [unit * e for e in np.linspace(0.0, 0.3, len(X))]}


def trials(n, errors, seed=3):
    """Prepared data of n trials on the tree, with these standard errors in the loss' unit."""
    rng = np.random.default_rng(seed)
    X = TREE.sample(n, rng)
    history = history_of(TREE, TREE.decode(X), (10.0 * bowl(X, rng)).tolist(), errors=errors)
    return SURROGATE.prepared(COLUMNS, TrainingData.of(history))


def test_errors_are_in_the_unit_of_the_standardised_loss_and_0_where_unknown():
    data = trials(3, [0.5, None, 2.0])
    np.testing.assert_allclose(data.arrays["errors"], np.array([0.5, 0.0, 2.0]) / data.scale, rtol=1e-12)
    assert trials(3, [None] * 3).errors is None


def test_an_outcome_keeps_its_error_on_record_and_refuses_what_is_none():
    trial = Trial(Suggestion({"x": 0.5}, 0, "initial"), Outcome(1.0, standard_error=0.1))
    assert Trial.from_record(trial.to_record()) == trial
    for wrong in (-0.1, np.nan, np.inf):
        with pytest.raises(ValueError, match="expected a standard error of at least 0"):
            Outcome(1.0, standard_error=wrong)


def test_what_is_told_of_a_trial_is_in_its_prediction_and_in_replications():
    data, x = trials(9, np.linspace(0.0, 6.0, 9).tolist()), trials(1, [None], seed=4).X
    Q = DENSITY.prior_draws(2, np.random.default_rng(0))[:1]
    of = predictive(DENSITY)
    draws = of.condition(Q, data)
    (mean, variance), noise = of(draws, x), of.noise(draws, x)
    loss, error = data.location + 0.3 * data.scale, 0.8 * data.scale
    for told, more in ((np.array([error]), 0.64), (np.array([np.nan]), 0.0), (None, 0.0)):
        [found] = foresee(posterior_of(DENSITY, Q, data), x, np.array([loss]), told) or []
        law = stats.norm(mean[0, 0], np.sqrt(variance[0, 0] + noise[0, 0] + more))
        assert found.pit == pytest.approx(law.cdf(0.3), rel=1e-9)
        assert found.log_score == pytest.approx(law.logpdf(0.3) - np.log(data.scale), rel=1e-9)
    many = posterior_of(DENSITY, np.repeat(Q, 4000, axis=0), data)
    replicated = predicted(many, np.random.default_rng(1))["posterior_predictive"]["outcome"].to_numpy()[0]
    expected = of(draws, data.X)[1][0] + of.noise(draws, data.X)[0] + data.arrays["errors"] ** 2
    # Five errors of a variance of 4000 independent normals.
    np.testing.assert_allclose(replicated.var(axis=0), expected, rtol=5.0 * np.sqrt(2.0 / 4000.0))


def test_density_and_conditional_are_the_textbooks():
    data, Z = trials(9, np.linspace(0.0, 6.0, 9).tolist()), trials(4, [None] * 4, seed=4).X
    Q = DENSITY.prior_draws(5, np.random.default_rng(0))
    values = DENSITY.constrain(Q)
    draws = SurrogateUnderTest(SURROGATE, TREE).predictive
    mean, variance = draws(draws.condition(Q, data), Z)
    likelihood = DENSITY.batch(Q, data) - DENSITY.batch(Q, DENSITY.no_data)
    left_out = draws.left_out(Q, data)
    for s in range(len(Q)):
        p = {name: v[s] for name, v in values.items()}
        K = gp(data.X, data.X, p) + np.diag(p["noise"] ** 2 + NUGGET + data.arrays["errors"] ** 2)
        expected = stats.multivariate_normal(np.full(9, p["mean"]), K).logpdf(data.y)
        assert abs(likelihood[s] - expected) < 1e-8 * max(1.0, abs(expected))
        np.testing.assert_allclose(left_out[s], left_out_by_hand(data.y - p["mean"], K, 9), rtol=1e-5, atol=1e-6)
        k = gp(Z, data.X, p)
        np.testing.assert_allclose(
            mean[s], p["mean"] + k @ np.linalg.solve(K, data.y - p["mean"]), rtol=1e-6, atol=1e-8
        )
        left = p["amplitude"] ** 2 - np.einsum("ij,ji->i", k, np.linalg.solve(K, k.T))
        np.testing.assert_allclose(variance[s], left, rtol=1e-5, atol=1e-7 * p["amplitude"] ** 2)


def test_without_errors_it_is_gp():
    data, gp_density = trials(9, [None] * 9), log_density(GaussianProcess(), COLUMNS)
    Q = DENSITY.prior_draws(5, np.random.default_rng(1))
    np.testing.assert_allclose(DENSITY.batch(Q, data), gp_density.batch(Q, replace(data, arrays={})), rtol=1e-10)


@pytest.mark.parametrize("promise", OF_THE_TRIALS, ids=lambda promise: promise.__name__)
def test_promises_are_kept_with_errors_too(promise):
    promise(WithErrors(SURROGATE, TREE))


def test_it_is_no_model_for_inducing_points():
    with pytest.raises(SpecificationError, match=r"inherits its conditional .*, got 'known_noise'"):
        SparseGaussianProcess(exact=SURROGATE)
