"""R-hat and effective sample sizes of all hyperparameters at once, against ArviZ's one by one."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from arviz_stats.base.array import array_stats

from bayeshpo.inference.convergence import Convergence, bfmi

ARVIZ: Any = array_stats
KINDS = {
    "rhat": lambda Q: ARVIZ.rhat(Q, chain_axis=0, draw_axis=1),
    "rhat_nested": lambda Q: ARVIZ.rhat_nested(Q, np.arange(len(Q)), chain_axis=0, draw_axis=1),
    "ess_bulk": lambda Q: ARVIZ.ess(Q, chain_axis=0, draw_axis=1, method="bulk"),
    "ess_tail": lambda Q: ARVIZ.ess(Q, chain_axis=0, draw_axis=1, method="tail", prob=(0.05, 0.95)),
    "ess_mean": lambda Q: ARVIZ.ess(Q, chain_axis=0, draw_axis=1, method="mean"),
}


def chains(count, draws, memory, seed=0):
    """Stationary autoregressive chains (chain, draw, 3)."""
    Q = np.random.default_rng(seed).standard_normal((count, draws, 3))
    for i in range(1, draws):
        Q[:, i] = memory * Q[:, i - 1] + np.sqrt(1.0 - memory**2) * Q[:, i]
    return Q


def constant(Q):
    Q[:, :, 1] = 2.0


def constant_in_each_chain(Q):
    Q[:] = Q[:, :1]


def not_a_number(Q):
    Q[0, 0, 2] = np.nan


def infinite(Q):
    Q[0, len(Q[0]) // 2, 0] = np.inf


def apart(Q):
    Q[0] += 3.0


def heavy(Q):
    Q[:] = np.exp(4.0 * Q)


def tied(Q):
    Q[:] = np.round(Q)


def two_values(Q):
    Q[:] = np.sign(Q)


def resampled(Q):
    Q[:] = np.repeat(Q, 3, axis=1)[:, : Q.shape[1]]


SPOILT = [constant, constant_in_each_chain, not_a_number, infinite, apart, heavy, tied, two_values, resampled]


def agree(Q):
    found = Convergence(Q)
    for name, theirs in KINDS.items():
        with np.errstate(all="ignore"):
            expected = theirs(Q)
        np.testing.assert_allclose(getattr(found, name), expected, rtol=1e-10, err_msg=f"{name} of {Q.shape}")


@pytest.mark.parametrize("count", [1, 2, 4, 7])
@pytest.mark.parametrize("draws", [2, 3, 4, 5, 6, 7, 8, 9, 50, 101, 288])
def test_numbers_are_those_of_arviz(count, draws):
    for memory in (-0.9, 0.0, 0.5, 0.99):
        agree(chains(count, draws, memory))


@pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning")
@pytest.mark.parametrize("spoil", SPOILT, ids=lambda f: f.__name__)
@pytest.mark.parametrize(("count", "draws"), [(1, 40), (2, 7), (4, 101)])
def test_odd_draws_are_as_to_arviz(spoil, count, draws):
    Q = chains(count, draws, 0.5)
    spoil(Q)
    agree(Q)


def test_what_there_are_too_few_draws_for_is_not_known():
    assert np.isnan(Convergence(chains(1, 40, 0.0)).rhat).all()
    assert np.isnan(Convergence(chains(4, 3, 0.0)).ess_bulk).all()


def test_missing_information_of_energies_is_that_of_arviz():
    energy = chains(4, 101, 0.9)[:, :, 0]
    np.testing.assert_allclose(bfmi(energy), ARVIZ.bfmi(energy), rtol=1e-12)
