"""The gate before gradients: open where they are the losses' own, shut where they contradict them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from surrogate_cases import PLANE

from bayeshpo.diagnostics.calibration import simulated
from bayeshpo.inference.density import log_density
from bayeshpo.surrogates.base import TrainingData
from bayeshpo.surrogates.columns import Columns
from bayeshpo.surrogates.derivative import DerivativeGaussianProcess
from bayeshpo.surrogates.gradient_gate import log_ratio

SURROGATE = DerivativeGaussianProcess()


def wave(X):
    return np.sin(5.0 * X[:, 0]) + X[:, 1] ** 2


def slopes_of_wave(X):
    return np.column_stack([5.0 * np.cos(5.0 * X[:, 0]), 2.0 * X[:, 1]])


def other_slopes(X):
    """Of a function that has nothing to do with the wave."""
    return np.column_stack([-3.0 * np.sin(4.0 * X[:, 0] + 1.0), 4.0 * np.cos(5.0 * X[:, 1])])


def of_wave(n, slopes: Callable, noise=0.02, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.random((n, 2))
    y = wave(X) + noise * rng.standard_normal(n)
    scale = y.std()
    return TrainingData(X, (y - y.mean()) / scale, y.mean(), scale, X[:0], slopes=slopes(X) / scale)


GATED = {
    "own": (slopes_of_wave, False),
    "own with noise": (lambda X: slopes_of_wave(X) + np.random.default_rng(1).normal(0.0, 0.5, X.shape), False),
    "of the other sign": (lambda X: -slopes_of_wave(X), True),
    "ten times too large": (lambda X: 10.0 * slopes_of_wave(X), True),
    "ten times too small": (lambda X: slopes_of_wave(X) / 10.0, True),
    "of another function": (other_slopes, True),
}


@pytest.mark.parametrize(("slopes", "shut"), GATED.values(), ids=list(GATED))
@pytest.mark.parametrize("seed", [0, 1])
def test_slopes_that_contradict_the_losses_are_left_out(slopes, shut, seed):
    columns, data = Columns.of(PLANE), of_wave(20, slopes, seed=seed)
    prepared = SURROGATE.prepared(columns, data)
    assert SURROGATE.remarks(prepared) == {"slopes": 0 if shut else 40, "gate_shut": shut}
    assert {name: a.shape[1:] for name, a in prepared.arrays.items()} == {
        "slopes": (), "slope_X": (2,), "slope_along": (2,)
    }  # fmt: skip


def test_the_gate_does_not_care_for_order_or_unit():
    columns, data = Columns.of(PLANE), of_wave(9, slopes_of_wave)
    order = np.random.default_rng(0).permutation(9)
    shuffled = replace(data, X=data.X[order], y=data.y[order], slopes=data.slopes[order])
    larger = replace(data, y=7.0 * data.y, slopes=7.0 * data.slopes)
    found = [log_ratio(SURROGATE, columns, SURROGATE.prepared(columns, d)) for d in (data, shuffled, larger)]
    np.testing.assert_allclose(found, found[0], atol=1e-4)


@pytest.mark.slow
def test_the_gate_stays_open_where_the_model_holds():
    density, rng = log_density(SURROGATE, Columns.of(PLANE)), np.random.default_rng(1)
    shut = []
    for n in (4, 20):
        X = rng.random((n, 2))
        blank = TrainingData(X, np.zeros(n), 0.0, 1.0, X[:0], slopes=np.zeros((n, 2)))
        for data in simulated(density, blank, 100, rng)[1]:
            shut.append(SURROGATE.remarks(SURROGATE.prepared(density.columns, data))["gate_shut"])
    assert np.mean(shut) <= 0.02
