"""Each diagnostic on a case that is made to trigger it, beside one that is not."""

from __future__ import annotations

import numpy as np
import pymc as pm
import pytest
from scipy import stats
from surrogate_cases import PLANE, wavy

from bayeshpo.inference.density import log_density
from bayeshpo.inference.foresight import foresee
from bayeshpo.inference.limits import KHAT_LIMIT
from bayeshpo.inference.sensitivity import log_components, sensitivity
from bayeshpo.inference.sequential import Sequential
from bayeshpo.inference.stacked import left_out
from bayeshpo.surrogates.base import TrainingData
from bayeshpo.surrogates.columns import Columns
from bayeshpo.surrogates.gp import GaussianProcess

RIGHT = log_density(GaussianProcess(), Columns.of(PLANE))
# Sure of less noise than there is, so that the data cannot say otherwise; and in conflict with them.
SURE, AGAINST = (
    log_density(GaussianProcess(noise_prior=pm.LogNormal.dist(*prior)), Columns.of(PLANE))
    for prior in ((-4.5, 0.1), (-2.5, 0.4))
)


def repeated(times, seed):
    """Noisy losses of ten points, each as often: no function of the points explains how they differ."""
    X = np.tile(np.random.default_rng(0).random((10, 2)), (times, 1))
    y = np.sin(5.0 * X[:, 0]) + 0.4 * np.random.default_rng(seed).standard_normal(len(X))
    return TrainingData(X, y, 0.0, 1.0, X[:0])


def fitted(density, data):
    found = Sequential().fit(density, data, rng=np.random.default_rng(0))
    assert found.report.status != "failed"
    return found


@pytest.fixture(scope="module")
def right():
    return fitted(RIGHT, repeated(3, 1))


def positions(posterior):
    """PIT of 60 further trials at the same points."""
    further = repeated(6, 2)
    said = (foresee(posterior, further.X[[i]], further.y[[i]]) for i in range(60))
    return np.array([one.pit for s in said for one in s or ()])


def test_a_wrong_noise_model_shows_in_pit_and_coverage(right):
    good, bad = positions(right), positions(fitted(SURE, repeated(3, 1)))
    within = [np.mean(np.abs(pit - 0.5) <= 0.45) for pit in (good, bad)]
    # Four binomial errors; the posterior's own error is common to all trials.
    assert abs(within[0] - 0.9) < 4.0 * np.sqrt(0.09 / 60.0)
    assert within[1] < 0.6
    assert stats.kstest(good, "uniform").pvalue > 0.001
    assert stats.kstest(bad, "uniform").pvalue < 1e-4


def test_a_prior_against_the_data_shows_in_sensitivity(right):
    def of_noise(posterior):
        Q = posterior.thinned(1200)
        found = sensitivity(posterior, Q, log_components(posterior, Q))
        return found["prior_sensitivity"]["noise"], found["likelihood_sensitivity"]["noise"]

    (weak, _), (prior, likelihood) = of_noise(right), of_noise(fitted(AGAINST, repeated(3, 1)))
    # Kallioinen et al. (2024): both above 0.05 are a conflict.
    assert min(prior, likelihood) > 0.05
    assert prior > 2.0 * weak


def test_an_outlier_shows_in_its_own_khat():
    data = wavy(20, noise=0.05)
    y = data.y.copy()
    y[7] += 6.0
    plain, spoiled = (
        left_out(fitted(RIGHT, TrainingData(data.X, values, 0.0, 1.0, data.failed))) for values in (data.y, y)
    )
    assert spoiled.khat.argmax() == 7
    assert spoiled.khat[7] > KHAT_LIMIT
    assert plain.khat[7] < KHAT_LIMIT
    assert spoiled.log_density.argmin() == 7
