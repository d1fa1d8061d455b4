"""Comparisons as PyMC models: they recover what was put into simulated results, and say what may be claimed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from foreign_traces import hpob
from scipy import integrate, stats
from synthetic_results import write_results
from typer.testing import CliRunner

from bayeshpo.analysis.comparison import bradley_terry, correlated_t, log_regret, time_to_target
from bayeshpo.analysis.comparison.fitting import fitted
from bayeshpo.analysis.comparison.result import Comparison
from bayeshpo.analysis.comparisons import read_comparisons
from bayeshpo.analysis.traces import Traces
from bayeshpo.cli import app
from bayeshpo.inference.report import InferenceReport

P, S, R, T = 10, 3, 6, 40
# What is put in: differences of searchers, and how much they vary over problems, as log10 of regret.
EFFECTS = np.array([-0.5, 0.1, 0.4])
LABELS = ("first", "second", "third")


def simulated(seed: int = 0) -> Traces:
    """Regrets that fall from 1 to a level of their own: log-normal over problems, searchers and seeds."""
    rng = np.random.default_rng(seed)
    mean = -1.5 + 0.5 * rng.normal(size=(P, 1, 1)) + EFFECTS[:, None] + 0.15 * rng.normal(size=(P, S, 1))
    level = mean + 0.2 * rng.standard_t(4, size=(P, S, R))
    regret = 10.0 ** (np.minimum(level, 0.0)[..., None] * np.minimum(np.arange(T) / 30.0, 1.0))
    # Tables have a best configuration: a regret of exactly 0.
    regret[regret < 1e-3] = 0.0
    shape = (P, S, R)
    return Traces(
        tuple(f"p{p}" for p in range(P)), LABELS, tuple(range(R)), regret, np.full(shape, T), np.full(P, T),
        np.full((P, S), R), np.zeros(P), np.ones(P, dtype=bool), np.zeros(shape, dtype=bool), np.full(shape, np.nan),
    )  # fmt: skip


def report(status: str = "ok") -> InferenceReport:
    known = {"rhat_max": 1.0, "ess_bulk_min": 900.0, "divergences": 0}
    return InferenceReport("nuts", "sampled", 10, status=status, reason="R-hat 1.3", **known)  # pyright: ignore


def found(effect: np.ndarray, status: str = "ok") -> Comparison:
    return Comparison.of(
        name="n", title="t", unit="u", traces=simulated(), effect=effect, report=report(status),
        leading="the lowest regret", margin="by far", note="all",
    )  # fmt: skip


class TestClaims:
    def test_a_searcher_that_is_best_in_nearly_all_draws_is_called_so(self):
        effect = np.tile([0.0, 1.0, 2.0], (100, 1))
        effect[0, 1] = -1.0
        result = found(effect)
        np.testing.assert_allclose(result.probabilities(), [0.99, 0.01, 0.0])
        assert result.claim == "first has the lowest regret (probability 0.99); by far."

    def test_otherwise_the_few_that_may_be_the_best_are_named(self):
        effect = np.tile([0.0, 1.0, 2.0], (100, 1))
        effect[:40, 1] = -1.0
        claim = found(effect).claim
        assert claim.startswith("No one searcher may be said to have the lowest regret")
        assert claim.endswith("one of first (0.60), second (0.40).")

    def test_nothing_is_claimed_without_convergence(self):
        claim = found(np.tile([0.0, 1.0, 2.0], (100, 1)), "not_converged").claim
        assert claim == "No claim: the posterior did not pass its checks, R-hat 1.3."


def test_command_prints_what_was_found_and_keeps_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    effect = np.tile([0.0, 1.0, 2.0], (100, 1))

    def compare(traces: Traces, **limits: float) -> Iterator[Comparison]:
        assert traces.searchers == ("random", "bayesian")
        assert limits == {"floor": 0.001, "rope": 0.02, "target": 0.01}
        yield found(effect)

    monkeypatch.setattr("bayeshpo.analysis.comparison.compare", compare)
    path = write_results(tmp_path / "demo", seeds=2, budget=6)
    result = CliRunner().invoke(app, ["compare", str(path), "--rope", "0.02"])
    assert result.exit_code == 0, result.output
    assert "first has the lowest regret (probability 1.00); by far." in result.output
    (record,) = read_comparisons(path)
    assert record["best"] == [1.0, 0.0, 0.0]
    refused = CliRunner().invoke(app, ["compare", str(path), "--rope", "2"])
    assert (refused.exit_code, refused.stderr) == (2, "bayeshpo: --rope: expected a number between 0 and 1, got 2\n")


class TestData:
    def test_regrets_of_zero_are_at_the_floor(self):
        data = log_regret.LogRegrets.of(hpob(), 1e-3)
        assert len(data.y) == 86 * 7 * 5
        assert (data.y == data.floor).mean() == pytest.approx((hpob().final() <= 1e-3).mean())

    def test_censored_student_t(self):
        z = np.array([-200.0, -30.0, -2.0, -0.1, 0.0, 0.5, 40.0])
        ours = log_regret.log_distribution_function(z).eval()
        np.testing.assert_allclose(ours, stats.t.logcdf(z, 4), rtol=1e-9)

    def test_pairs_are_counted_by_paired_seeds(self):
        traces = simulated()
        data = bradley_terry.PairedCounts.of(traces, 0.01)
        final = traces.final()
        one = (data.problem == 4) & (data.first == 0) & (data.second == 2)
        difference = final[4, 0] - final[4, 2]
        assert (data.wins[one], data.losses[one]) == ((difference < -0.01).sum(), (difference > 0.01).sum())
        assert (data.wins + data.ties + data.losses == R).all()

    def test_times_are_first_hits_or_infinite(self):
        data = time_to_target.TimesToTarget.of(simulated(), 0.05)
        reached = simulated().final()[data.problem, data.searcher, np.tile(np.arange(R), P * S)] <= 0.05
        np.testing.assert_array_equal(np.isfinite(data.hit), reached)

    def test_likelihood_of_times_is_that_of_the_logistic_distribution(self):
        hit = np.array([1.0, 2.0, 17.0, np.inf])
        data = time_to_target.TimesToTarget(np.zeros(4, int), np.zeros(4, int), hit, np.full(4, 40.0), (1, 1))
        value = time_to_target.log_likelihood(np.full(4, 2.5), 0.7, data).eval()
        law = stats.logistic(2.5, 0.7)
        expected = [
            law.logcdf(0.0), np.log(law.cdf(np.log(2)) - law.cdf(0.0)),
            np.log(law.cdf(np.log(17)) - law.cdf(np.log(16))), law.logsf(np.log(40)),
        ]  # fmt: skip
        np.testing.assert_allclose(value, expected, rtol=1e-9)

    def test_differences_are_summed_up_by_what_suffices(self):
        final = simulated().final()
        data = correlated_t.Differences.of(simulated(), 0)
        difference = final[3, 2] - final[3, 0]
        row = P + 3
        assert (data.pair[row], data.seeds[row]) == (1, R)
        np.testing.assert_allclose(data.mean[row], difference.mean())
        np.testing.assert_allclose(data.squares[row], difference.var() * R)

    @pytest.mark.parametrize(("nu", "spread"), [(1.2, 0.05), (4.0, 0.3), (40.0, 0.001)])
    def test_likelihood_of_differences_is_that_of_all_seeds(self, nu: float, spread: float):
        rope, rho = 0.02, 0.3
        seeds = [np.array([0.0, 0.0, 0.0]), np.array([0.4, 0.7, 0.5, 0.9]), np.array([-0.02, 0.05, 0.0])]
        means, sizes = np.array([s.mean() for s in seeds]), np.array([len(s) for s in seeds])
        squares = np.array([((s - s.mean()) ** 2).sum() for s in seeds])

        def ours(*parameters: float) -> np.ndarray:
            each = (np.full(3, value) for value in parameters)
            return correlated_t.log_likelihood(*each, means, squares, sizes, rope, rho).eval()

        def plain(mean: float, spread: float, nu: float) -> np.ndarray:
            """Every deviation summed over, and every problem's difference integrated out by quadrature."""

            def part(values: np.ndarray, sd: float) -> float:
                law = stats.multivariate_normal(cov=sd**2 * ((1 - rho) * np.eye(len(values)) + rho))
                # The integrand is large at these.
                places = [mean, float(values.mean())]
                return integrate.quad(
                    lambda d: law.pdf(values - d) * stats.t.pdf(d, nu, mean, spread),
                    -3.0, 3.0, points=places, limit=2000, epsabs=0.0, epsrel=1e-9,
                )[0]  # fmt: skip

            return np.log([sum(part(values, sd) for sd in correlated_t.deviations(rope)) for values in seeds])

        # Up to what does not depend on the parameters; the sum over precisions is off by 0.001 where nu is near 1.
        other = (0.0, 0.2, 3.0)
        found, expected = ours(0.1, spread, nu) - ours(*other), plain(0.1, spread, nu) - plain(*other)
        np.testing.assert_allclose(found, expected, atol=0.002 if nu < 2 else 1e-4)

    def test_regions_of_a_new_problem(self):
        mean, spread, nu = np.full((10, 3), [[-1.0, 0.0, 1.0]]), np.full((10, 3), 0.001), np.full((10, 3), 5.0)
        np.testing.assert_array_equal(correlated_t.region_probabilities(mean, spread, nu, rope=0.01), np.eye(3))


def test_wins_recover_their_strengths():
    result = bradley_terry.compare_wins(simulated(), np.random.default_rng(1), 0.01)
    assert result.report.status == "ok"
    assert result.effect.mean(axis=0).argsort().tolist() == [0, 1, 2]
    assert result.probabilities()[0] > 0.95
    assert result.claim.startswith("first has the largest chance to win")


@pytest.mark.slow
class TestRecovery:
    def test_log_regret(self):
        result = log_regret.compare_log_regret(simulated(), np.random.default_rng(1), 1e-3)
        assert result.report.status == "ok"
        low, high = np.quantile(result.effect, (0.005, 0.995), axis=0)
        assert (low < EFFECTS).all()
        assert (high > EFFECTS).all()
        # The interval says something: a third of the largest difference.
        assert (high - low).max() < 0.3 * 3
        assert "first has the lowest regret" in result.claim

    def test_differences(self):
        traces = simulated()
        result = correlated_t.compare_differences(traces, np.random.default_rng(1), 0.01)
        assert result.report.status == "ok"
        assert "third is worse 1.00, equivalent 0.00, better 0.00" in result.note
        # The centre over problems, where problems far off count less than in the mean.
        truth = np.median((traces.final() - traces.final()[:, :1]).mean(axis=2), axis=0)
        low, high = np.quantile(result.effect, (0.005, 0.995), axis=0)
        assert (low <= truth).all()
        assert (high >= truth).all()

    def test_the_command_fits_all_models(self, tmp_path: Path):
        path = write_results(tmp_path / "demo", seeds=2, budget=6)
        result = CliRunner().invoke(app, ["compare", str(path)])
        assert result.exit_code == 0, result.output
        names = [record["name"] for record in read_comparisons(path)]
        assert names == ["log_regret", "bradley_terry", "time_to_target", "correlated_t"]

    def test_times(self):
        result = time_to_target.compare_times(simulated(), np.random.default_rng(1), 0.05)
        assert result.report.status == "ok"
        assert result.probabilities()[0] > 0.95


@pytest.mark.slow
@pytest.mark.parametrize(
    "build",
    [
        lambda: log_regret.build(log_regret.LogRegrets.of(hpob(), 1e-3)),
        lambda: correlated_t.build(correlated_t.Differences.of(hpob(), 3), 0.01),
        lambda: bradley_terry.build(bradley_terry.PairedCounts.of(hpob(), 0.01)),
        lambda: time_to_target.build(time_to_target.TimesToTarget.of(hpob(), 0.01)),
    ],
    ids=["log_regret", "correlated_t", "bradley_terry", "time_to_target"],
)
def test_published_traces_converge(build: Any):
    fit = fitted(build(), 1, np.random.default_rng(0))
    assert fit.report.rhat_max is not None
    assert fit.report.ess_bulk_min is not None
    assert fit.report.rhat_max <= 1.01
    assert fit.report.ess_bulk_min > 400
