"""Acquisitions against what they are about, of functions drawn on a grid in numpy, and by quadrature."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest
from functions_on_a_line import COPIES, GRID, KNOWN, conditional, evidence
from scipy import integrate, stats

from bayeshpo.acquisitions.compiled import compiled_acquisition
from bayeshpo.acquisitions.outlook import Evidence, Outlook
from bayeshpo.acquisitions.remaining import remaining
from bayeshpo.inference.joint import JointPredictive
from bayeshpo.inference.objectives import ObjectivesDensity
from bayeshpo.inference.predictive import predictive
from bayeshpo.inference.stacked_predictive import StackedData
from bayeshpo.pareto import boxes, reference_point
from bayeshpo.registry import create
from bayeshpo.surrogates.gp import GaussianProcess

# Where trials were, and are pending, on the grid.
TRIED, PENDING = [1, 5, 8, 14, 17, 23], [3, 20]


def averaged(compiled, state_of):
    """Values on the grid over eight sets of drawn functions, and their standard errors."""
    found = [compiled.value(state_of(seed), GRID) for seed in range(8)]
    return np.mean(found, axis=0), np.std(found, axis=0, ddof=1) / np.sqrt(8)


def on_grid(line, name, **arguments):
    """An acquisition on the grid (25,), averaged over eight sets of drawn functions, and its standard error."""
    compiled = compiled_acquisition(create("acquisition", name, arguments), line.predictive)
    return averaged(compiled, lambda seed: compiled.state(line.Q, evidence(line, seed)))


def information(a, b):
    """Mutual information (nats) of two columns of labels, less its bias to first order (Miller 1955)."""
    table = np.zeros((a.max() + 1, b.max() + 1))
    np.add.at(table, (a, b), 1.0)
    filled, n = [np.count_nonzero(x) for x in (table, table.sum(axis=0), table.sum(axis=1))], len(a)
    p = table / n
    independent = p.sum(axis=1, keepdims=True) * p.sum(axis=0, keepdims=True)
    plain = (p[p > 0] * np.log(p[p > 0] / independent[p > 0])).sum()
    return plain - (filled[0] - filled[1] - filled[2] + 1) / (2.0 * n)


def binned(values, bins):
    """Which of so many equally frequent bins."""
    return np.searchsorted(np.quantile(values, np.linspace(0.0, 1.0, bins + 1)[1:-1]), values)


def test_the_remaining_regret_is_that_of_many_functions(line, functions):
    draws = line.predictive.condition(line.Q, line.data)
    joint = JointPredictive(line.predictive, noise=False)
    outlook = Outlook(joint, draws, evidence(line), np.random.default_rng(1))
    found = remaining(line.predictive, outlook, GRID[5], 64)
    regret = functions[:, 5] - functions.min(axis=1)
    n = len(found.regret)
    assert n == COPIES * 64
    assert found.regret.mean() == pytest.approx(regret.mean(), abs=5.0 * regret.std() / np.sqrt(n))
    place = GRID[functions.argmin(axis=1)]
    assert found.place.mean(axis=0) == pytest.approx(place.mean(axis=0), abs=5.0 * place.std() / np.sqrt(n))
    assert found.place.std(axis=0) == pytest.approx(place.std(axis=0), abs=5.0 * place.std() / np.sqrt(n))


def test_noisy_expected_improvement_by_brute_force(line, functions):
    tried = functions[:, TRIED].min(axis=1)
    gain = np.maximum(tried[:, None] - functions, 0.0)
    found, error = on_grid(line, "noisy_ei")
    exact, own = gain.mean(axis=0), gain.std(axis=0) / np.sqrt(len(gain))
    # At a trial itself nothing can be gained: what jitter leaves there is small beside what counts.
    allowed = 5.0 * (np.exp(found) * error + own) + 0.002 * exact.max()
    np.testing.assert_array_less(np.abs(np.exp(found) - exact), allowed)


def test_knowledge_gradient_by_quadrature(line, truth):
    mean, K = truth
    step = K / np.sqrt(np.diag(K) + KNOWN["noise"] ** 2)
    t, w = np.polynomial.hermite_e.hermegauss(120)
    after = (mean[:, None, None] + step[:, :, None] * t).min(axis=0) @ (w / w.sum())
    exact = mean.min() - after
    found, error = on_grid(line, "knowledge_gradient", places=64)
    # Lowest among few places it is a little higher than among all.
    np.testing.assert_array_less(np.abs(np.exp(found) - exact), 5.0 * error * exact + 0.03 * exact.max())
    assert np.argmax(found) == np.argmax(exact)


def test_entropy_searches_by_brute_force(line, functions):
    rng = np.random.default_rng(2)
    lowest, where = functions.min(axis=1), functions.argmin(axis=1)
    y = functions + KNOWN["noise"] * rng.standard_normal(functions.shape)
    of_value = np.array([information(binned(functions[:, i], 60), binned(lowest, 60)) for i in range(25)])
    of_place = np.array([information(binned(y[:, i], 40), where) for i in range(25)])
    of_both = np.array([information(binned(y[:, i], 40), 25 * binned(lowest, 8) + where) for i in range(25)])
    found, error = on_grid(line, "optimum_entropy", cells=25)
    np.testing.assert_array_less(np.abs(found - of_place), 5.0 * error + 0.005)
    # A normal distribution's entropy stands for that of a cut-off one with noise: the two differ where one is cut off.
    found, error = on_grid(line, "joint_entropy")
    np.testing.assert_array_less(np.abs(found - of_both), 5.0 * error + 0.05)
    assert np.corrcoef(found, of_both)[0, 1] > 0.99
    # Here f(x) given f* is cut off below it but keeps its mean, whatever x has to do with x*: no more than alike.
    found, error = on_grid(line, "max_value_entropy")
    assert np.argmax(found) == np.argmax(of_value)
    assert np.corrcoef(found, of_value)[0, 1] > 0.95


def test_disagreement_is_at_least_the_information_about_the_hyperparameters(line):
    two = {**KNOWN, "mean": 2.5, "amplitude": 3.0, "noise": 0.6}
    density = line.predictive.density
    apart = density.unconstrain({b.name: np.full((1, *b.shape), two[b.name]) for b in density.blocks})
    compiled = compiled_acquisition(create("acquisition", "bald", {}), line.predictive)
    same = compiled.value(compiled.state(line.Q[:2], evidence(line)), GRID)
    np.testing.assert_allclose(same, 0.0, atol=1e-12)
    state = compiled.state(np.concatenate([line.Q[:1], apart]), evidence(line))
    mean, variance, _, noise = JointPredictive(line.predictive, noise=True)(state.known.anchored, GRID)
    found = compiled.value(state, GRID)
    for i, j in ((m, s) for m in range(25) for s in [np.sqrt((variance + noise)[:, m])]):
        y = np.linspace(-12.0, 12.0, 20_001)
        p = stats.norm.pdf(y[:, None], mean[:, i], j)
        with np.errstate(divide="ignore", invalid="ignore"):
            terms = np.where(p > 0.0, p * np.log(p / p.mean(axis=1, keepdims=True)), 0.0)
        exact = integrate.simpson(terms.mean(axis=1), x=y)
        assert exact - 1e-9 <= found[i] <= exact + 0.3
    assert found.max() > 0.1


def test_disagreement_about_the_minimum_by_brute_force(line):
    other = {**KNOWN, "mean": 0.8, "lengthscale": 0.1, "noise": 0.4}
    density, rng = line.predictive.density, np.random.default_rng(0)
    Q = np.concatenate(
        [
            density.unconstrain({b.name: np.full((COPIES // 2, *b.shape), p[b.name]) for b in density.blocks})
            for p in (KNOWN, other)
        ]
    )
    compiled = compiled_acquisition(create("acquisition", "scorebo", {}), line.predictive)
    found, error = averaged(compiled, lambda seed: compiled.state(Q, evidence(line, seed)))
    drawn = [rng.multivariate_normal(*conditional(p), size=20_000, check_valid="ignore") for p in (KNOWN, other)]
    exact = np.array([hellinger(drawn, (KNOWN["noise"], other["noise"]), i) for i in range(0, 25, 2)])
    # Normal distributions of the right moments stand for a mixture, and for one that is cut off.
    np.testing.assert_array_less(np.abs(found[::2] - exact), 5.0 * error[::2] + 0.03)
    assert np.corrcoef(found[::2], exact)[0, 1] > 0.99


def hellinger(drawn, noises, i):
    """Mean distance of a trial's distribution at a point of the grid over all functions, and over those of one minimum.

    By histograms of the functions (N, 25) of each draw, that are smeared by its noise.
    """
    edges, steps = np.linspace(-6.0, 6.0, 601), 0.02 * np.arange(-150, 151)

    def smeared(f, noise):
        return np.convolve(np.histogram(f, edges)[0] / len(f), 0.02 * stats.norm.pdf(steps, 0.0, noise), "same")

    overall = np.mean([smeared(f[:, i], noise) for f, noise in zip(drawn, noises, strict=True)], axis=0)
    total = 0.0
    for f, noise in zip(drawn, noises, strict=True):
        minimum = 8 * f.argmin(axis=1) + binned(f.min(axis=1), 8)
        for alike in (minimum == m for m in np.unique(minimum)):
            affinity = np.sqrt(overall * smeared(f[alike, i], noise)).sum()
            total += alike.mean() / len(drawn) * np.sqrt(max(1.0 - affinity, 0.0))
    return total


@dataclass(frozen=True)
class MayFail:
    """Pending trials finish so often, and everything else does."""

    chance: float

    def log_probability(self, Z):
        pending = np.isclose(Z, GRID[PENDING].T).any(axis=1)
        return np.where(pending, np.log(self.chance), 0.0)


def moved(functions, truth):
    """Means (N, 6) of f at the trials given each function's values (N, 2) at the pending points."""
    mean, covariance = truth
    weights = np.linalg.solve(covariance[np.ix_(PENDING, PENDING)], covariance[np.ix_(PENDING, TRIED)])
    return mean[TRIED] + (functions[:, PENDING] - mean[PENDING]) @ weights


@pytest.mark.parametrize("chance", [1.0, 0.25])
@pytest.mark.parametrize("name", ["log_ei", "ei"])
def test_an_improvement_while_trials_are_pending_is_over_what_they_may_bring(name, chance, line, truth, functions):
    # What x adds to the joint improvement of what is pending: greedy batches.
    told = replace(evidence(line), pending=GRID[PENDING], feasibility=MayFail(chance))
    compiled = compiled_acquisition(create("acquisition", name, {}).when_pending(GaussianProcess()), line.predictive)
    value, error = averaged(compiled, lambda seed: compiled.state(line.Q, replace(told, seed=seed)))
    if compiled.acquisition.logarithmic:
        value, error = np.exp(value), np.exp(value) * error
    # Which trial is the best is drawn, or left to the means.
    tried = functions[:, TRIED] if name == "log_ei" else moved(functions, truth)
    finishing = np.random.default_rng(1).random((len(functions), 2)) < chance
    best = np.minimum(tried.min(axis=1), np.where(finishing, functions[:, PENDING], np.inf).min(axis=1))
    gain = np.maximum(best[:, None] - functions, 0.0) * np.exp(MayFail(chance).log_probability(GRID))
    exact, own = gain.mean(axis=0), gain.std(axis=0) / np.sqrt(len(gain))
    np.testing.assert_array_less(np.abs(value - exact), 5.0 * (error + own) + 0.002 * exact.max())


def test_volume_that_is_gained_while_trials_are_pending_is_over_what_they_may_bring(line, truth, functions):
    # The second objective has the first one's trials and losses, and functions of its own.
    both = StackedData.joined([line.data, line.data])
    compiled = compiled_acquisition(
        create("acquisition", "hypervolume", {}).when_pending(GaussianProcess()),
        predictive(ObjectivesDensity((line.predictive.density,) * 2)),
    )
    told, Q = Evidence(both, np.empty((0, 1)), np.empty((0, 2)), pending=GRID[PENDING]), np.tile(line.Q, 2)
    log_value, error = averaged(compiled, lambda seed: compiled.state(Q, replace(told, seed=seed)))
    pairs = np.stack(np.split(functions[:8000], 2), axis=2)
    front = np.concatenate([np.stack([moved(pairs[..., k], truth) for k in (0, 1)], axis=2), pairs[:, PENDING]], axis=1)
    reference = reference_point(np.column_stack([line.data.y, line.data.y]))
    gain = np.zeros(pairs.shape[:2])
    for i, (incumbents, f) in enumerate(zip(front, pairs, strict=True)):
        lower, upper = boxes(incumbents, reference)
        gain[i] = np.maximum(upper[:, None] - np.maximum(lower[:, None], f), 0.0).prod(axis=2).sum(axis=0)
    exact, own = gain.mean(axis=0), gain.std(axis=0) / np.sqrt(len(gain))
    value = np.exp(log_value)
    np.testing.assert_array_less(np.abs(value - exact), 5.0 * (value * error + own) + 0.002 * exact.max())
    assert (value[PENDING] < 0.01 * value.max()).all()
