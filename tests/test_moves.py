"""Moves against the targets that they must leave unchanged."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from scipy import stats
from surrogate_cases import central_differences

from bayeshpo.inference import differential_evolution, mixture
from bayeshpo.inference.hamiltonian import Trajectories
from bayeshpo.inference.moves import move
from bayeshpo.inference.refreshment import Marginals


class WithGradient:
    """A log density that trajectories can follow, from one function that gives its values and its slopes."""

    def __init__(self, gradient):
        self.gradient = gradient

    def __call__(self, Q):
        return self.gradient(Q)[0]


@WithGradient
def gaussian(Q):
    slope = -Q @ PRECISION
    return 0.5 * (slope * Q).sum(axis=1), slope


COVARIANCE = np.array([[1.0, 0.9, 0.0], [0.9, 1.0, 0.0], [0.0, 0.0, 25.0]])
PRECISION = np.linalg.inv(COVARIANCE)


@WithGradient
def two_modes(Q):
    low, high = (Q + 3.0) / 0.3, Q - 3.0
    # Normal densities of two coordinates, but for a factor common to both.
    logs = np.log(0.3 / 0.3**2) - 0.5 * (low**2).sum(axis=1), np.log(0.7) - 0.5 * (high**2).sum(axis=1)
    value = np.logaddexp(*logs)
    share = np.exp(logs[0] - value)[:, None]
    return value, -share * low / 0.3 - (1.0 - share) * high


def exact_gaussian(shape, rng):
    return rng.standard_normal((*shape, 3)) @ np.linalg.cholesky(COVARIANCE).T


def exact_two_modes(shape, rng):
    low = rng.random((*shape, 1)) < 0.3
    return np.where(low, -3.0 + 0.3 * rng.standard_normal((*shape, 2)), 3.0 + rng.standard_normal((*shape, 2)))


TARGETS = pytest.mark.parametrize(
    ("target", "exact"), [(gaussian, exact_gaussian), (two_modes, exact_two_modes)], ids=["gaussian", "two modes"]
)


WIDE = Marginals(np.full(3, 0.5), np.full(3, 2.5))


@dataclass(frozen=True)
class Mixtures:
    """Sweeps with so many proposals from each mixture."""

    often: int

    def sweep(self, Q, logp, target, rng):
        Q, logp, log_weights = mixture.sweep(Q, logp, target, rng, often=self.often)
        return Q, logp, mixture.reach(log_weights) / self.often


KERNELS = pytest.mark.parametrize(
    "make",
    [lambda: differential_evolution, lambda: Mixtures(1), lambda: Mixtures(3), lambda: WIDE, Trajectories],
    ids=["differences", "mixture", "mixture thrice", "marginals", "trajectories"],
)


def features(Q):
    """First and second moments, and the share below zero (..., F)."""
    return np.concatenate([Q, Q**2, Q[..., :1] * Q[..., 1:2], Q[..., :1] < 0.0], axis=-1)


@KERNELS
@TARGETS
def test_sweeps_leave_the_target_unchanged(target, exact, make):
    # Many small populations, because what one half learns from the other is what could bias it.
    rng = np.random.default_rng(3)
    populations, truth = [], features(exact((400_000,), np.random.default_rng(4)))
    rates = []
    for _ in range(60):
        Q, kernel = exact((4, 20), rng), make()
        logp = target(Q.reshape(-1, Q.shape[2])).reshape(4, 20)
        for _ in range(8):
            Q, logp, rate = kernel.sweep(Q, logp, target, rng)
            rates.append(rate)
        np.testing.assert_allclose(logp, target(Q.reshape(-1, Q.shape[2])).reshape(4, 20))
        populations.append(features(Q).mean(axis=(0, 1)))
    error = np.std(populations, axis=0, ddof=1) / np.sqrt(60)
    deviation = np.abs(np.mean(populations, axis=0) - truth.mean(axis=0))
    assert (deviation < 4.5 * np.hypot(error, truth.std(axis=0) / np.sqrt(len(truth)))).all()
    assert 0.1 < np.mean(rates) < 0.99


@KERNELS
@TARGETS
def test_a_sweep_is_reversible(target, exact, make):
    # In equilibrium a draw and what it becomes can change places: E[a(q) b(q')] = E[b(q) a(q')].
    rng = np.random.default_rng(5)
    flows = []
    for _ in range(150):
        before = exact((10, 20), rng)
        logp = target(before.reshape(-1, before.shape[2])).reshape(10, 20)
        a, b = features(before), features(make().sweep(before, logp, target, rng)[0])
        flows.append(np.einsum("idf,idg->fg", a, b) - np.einsum("idf,idg->gf", a, b))
    error = np.std(flows, axis=0, ddof=1) / np.sqrt(150)
    off = ~np.eye(len(error), dtype=bool)
    assert (np.abs(np.mean(flows, axis=0))[off] < 4.5 * error[off]).all()


@TARGETS
def test_slopes_of_the_targets_are_those_of_their_values(target, exact):
    Q = exact((5,), np.random.default_rng(14))
    for q, slope in zip(Q, target.gradient(Q)[1], strict=True):
        np.testing.assert_allclose(slope, central_differences(lambda x: target(x[None])[0], q), rtol=1e-5, atol=1e-6)


def test_moves_go_on_until_the_start_is_forgotten():
    rng = np.random.default_rng(6)
    Q = exact_gaussian((4, 100), rng)
    logp = gaussian(Q.reshape(-1, 3)).reshape(4, 100)
    moved = move(Q, logp, gaussian, WIDE, rng, least=5, most=200, memory=0.3, offers=0.0)
    assert moved.memory <= 0.3
    assert 5 <= moved.sweeps < 200
    ranks = [stats.spearmanr(Q[..., j].ravel(), moved.Q[..., j].ravel()).statistic for j in range(3)]
    np.testing.assert_allclose(moved.memory, np.abs(ranks).max(), atol=1e-10)
    assert move(Q, logp, gaussian, WIDE, rng, least=7, most=7, memory=0.0, offers=0.0).sweeps == 7


def test_trajectories_shorten_their_steps_where_they_diverge():
    # A neck that is much narrower than the rest: steps for the rest would never enter it.
    @WithGradient
    def funnel(Q):
        w, rest = np.clip(Q[:, :1], -30.0, 30.0), Q[:, 1:]
        square = (rest**2 * np.exp(-2.0 * w)).sum(axis=1)
        value = -0.5 * Q[:, 0] ** 2 - 0.5 * square - rest.shape[1] * w[:, 0]
        first = -Q[:, 0] + (square - rest.shape[1])
        return value, np.concatenate([first[:, None], -rest * np.exp(-2.0 * w)], axis=1)

    rng = np.random.default_rng(11)
    width = rng.standard_normal((4, 200, 1))
    Q = np.concatenate([width, np.exp(width) * rng.standard_normal((4, 200, 5))], axis=2)
    logp, trajectories, shares = funnel(Q.reshape(-1, 6)).reshape(4, 200), Trajectories(0.8), []
    for _ in range(30):
        Q, logp, _ = trajectories.sweep(Q, logp, funnel, rng)
        shares.append(trajectories.diverged)
    assert shares[0] > 0.02
    assert np.mean(shares[-10:]) < 0.01
    assert trajectories.step < 0.3


@pytest.mark.parametrize(
    ("target", "exact", "integral"),
    [(gaussian, exact_gaussian, 1.5 * np.log(2.0 * np.pi) + 0.5 * np.linalg.slogdet(COVARIANCE)[1]),
     (two_modes, exact_two_modes, np.log(2.0 * np.pi))],
    ids=["gaussian", "two modes"],
)  # fmt: skip
def test_integral_of_the_target(target, exact, integral):
    rng = np.random.default_rng(15)
    # From all over the place: the integral does not depend on where draws come from.
    Q = 1.5 * exact((4, 200), rng)
    logp, limits = target(Q.reshape(-1, Q.shape[2])).reshape(4, 200), {"most": 20, "memory": 0.2}
    moved = move(Q, logp, target, WIDE, rng, least=3, offers=2.0, **limits)
    # At least 400 effective proposals.
    assert abs(moved.log_integral - integral) < 4.5 / np.sqrt(400.0)
    few = move(Q[:, :20], logp[:, :20], target, WIDE, rng, least=1, offers=0.5, **limits)
    assert few.log_integral is None


def test_many_hyperparameters_are_forgotten_by_trajectories_and_not_by_differences_alone():
    rng, size = np.random.default_rng(12), 25
    scales, prior = np.linspace(0.2, 3.0, size), Marginals(np.zeros(size), np.full(size, 30.0))
    rotation = stats.ortho_group.rvs(size, random_state=rng)

    # Student with three degrees of freedom along each axis: independent proposals miss its corners.
    @WithGradient
    def heavy(Q):
        z = Q @ rotation / scales
        return -2.0 * np.log1p(z**2 / 3.0).sum(axis=1), (-4.0 * z / (3.0 + z**2) / scales) @ rotation.T

    Q = (scales * rng.standard_t(3.0, (4, 200, size))) @ rotation.T
    logp = heavy(Q.reshape(-1, size)).reshape(4, 200)
    arguments = {"least": 8, "most": 8, "memory": 0.0, "offers": 0.0}
    without = move(Q, logp, heavy, prior, np.random.default_rng(13), **arguments)
    along = move(Q, logp, heavy, prior, np.random.default_rng(13), **arguments, trajectories=Trajectories())
    assert without.memory > 0.4
    assert along.memory < 0.3
    assert along.offered > 2.0 > 1.5 > without.offered


def spike_and_shelf(Q):
    spike, shelf = stats.norm(-3.0, 0.3).logpdf(Q[:, 0]), stats.norm(3.0, 1.5).logpdf(Q[:, 0])
    return np.logaddexp(np.log(0.7) + spike, np.log(0.3) + shelf) + stats.norm.logpdf(Q[:, 1])


def test_a_shelf_that_was_lost_is_found_again():
    # All draws are on the spike: differences, and mixtures learned from them, would stay there.
    rng = np.random.default_rng(8)
    Q = rng.standard_normal((4, 250, 2)) * [0.3, 1.0] - [3.0, 0.0]
    logp, prior = spike_and_shelf(Q.reshape(-1, 2)).reshape(4, 250), Marginals(np.zeros(2), np.full(2, 4.0))
    moved = move(Q, logp, spike_and_shelf, prior, rng, least=60, most=60, memory=0.0, offers=0.0)
    # Of 1000 draws, at least half are effective.
    assert abs((moved.Q[..., 0] > 0.0).mean() - 0.3 * stats.norm(3.0, 1.5).sf(0.0)) < 4.5 * np.sqrt(0.21 / 500)


def two_places(Q):
    near, far = (stats.norm(m, 0.3).logpdf(Q).sum(axis=1) for m in (-3.0, 3.0))
    return np.logaddexp(np.log(0.6) + near, np.log(0.4) + far)


def test_a_mode_that_only_scouts_know_gets_its_share():
    # Far away in all three coordinates: no move of one of them, and no difference within the population, leads there.
    rng = np.random.default_rng(9)
    Q = 0.3 * rng.standard_normal((4, 250, 3)) - 3.0
    logp, scouts = two_places(Q.reshape(-1, 3)).reshape(4, 250), 3.0 + 0.3 * rng.standard_normal((80, 3))
    alone, with_scouts = (
        move(Q, logp, two_places, WIDE, np.random.default_rng(10), least=40, most=40, memory=0.0, offers=0.0, scouts=s)
        for s in (None, scouts)
    )
    assert (alone.Q[..., 0] > 0.0).mean() == 0.0
    # Of 1000 draws, at least half are effective.
    assert abs((with_scouts.Q[..., 0] > 0.0).mean() - 0.4) < 4.5 * np.sqrt(0.24 / 500)
