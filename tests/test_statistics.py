"""Statistics of searchers over problems: by hand, by brute force, and against published implementations."""

from __future__ import annotations

import math
from pathlib import Path

import autorank
import baycomp
import numpy as np
import pandas as pd
import pytest
import scikit_posthocs
from foreign_traces import hpob
from scipy import stats
from synthetic_results import trial, write_experiment, write_run

from bayeshpo.analysis.costs import against_cost, costs_of
from bayeshpo.analysis.scores import median_scores
from bayeshpo.analysis.statistics.bootstrap import problem_weights, resampled_seeds, taken
from bayeshpo.analysis.statistics.budget import places
from bayeshpo.analysis.statistics.critical import RankTests, rank_tests
from bayeshpo.analysis.statistics.equivalence import equivalent_to_best, region_probabilities
from bayeshpo.analysis.statistics.interquartile import interquartile_mean, iqm
from bayeshpo.analysis.statistics.profile import profile
from bayeshpo.analysis.statistics.ranks import mean_ranks, problem_ranks
from bayeshpo.analysis.statistics.targets import ecdf, expected_running_time, first_hits
from bayeshpo.analysis.statistics.wins import win_probability
from bayeshpo.analysis.traces import Traces
from bayeshpo.errors import SpecificationError
from bayeshpo.experiment.store import Results

NAN = math.nan


def rng() -> np.random.Generator:
    return np.random.default_rng(7)


def some_results(path: Path) -> Traces:
    """Two problems, three searchers, one of which is not for both; one run is missing and one unfinished."""
    write_experiment(path, {"p": {}, "q": {}}, ("a", "b", "only_p"), 2, 3)
    content = (path / "experiment.json").read_text()
    (path / "experiment.json").write_text(content.replace('"label": "only_p"', '"label": "only_p", "problems": ["p"]'))
    for problem, searcher, seed, values in (
        ("p", "a", 0, [4.0, 2.0, 1.0]), ("p", "a", 1, [8.0, None, 3.0]), ("p", "b", 0, [4.0, 4.0, 0.0]),
        ("p", "b", 1, [8.0, 8.0, 8.0]), ("p", "only_p", 0, [4.0, 3.0, 3.0]), ("p", "only_p", 1, [8.0, 2.0, 2.0]),
        ("q", "a", 0, [6.0, 6.0, 5.0]), ("q", "a", 1, [7.0, 6.0, 6.0]), ("q", "b", 0, [6.0, 5.0, 2.0]),
    ):  # fmt: skip
        trials = [trial(i, value, work=2.0) for i, value in enumerate(values)]
        write_run(path, problem, searcher, seed, trials, optimum=0.0)
    write_run(path, "q", "b", 1, [trial(0, 7.0)], optimum=0.0, budget=3, status=None)
    results = Results(path)
    return Traces.of_results(results, results.runs())


class TestTraces:
    def test_our_results(self, tmp_path: Path):
        traces = some_results(tmp_path)
        assert (traces.problems, traces.searchers, traces.seeds) == (("p", "q"), ("a", "b", "only_p"), (0, 1))
        np.testing.assert_array_equal(traces.regret[0, 0], [[4, 2, 1], [8, 8, 3]])
        np.testing.assert_array_equal(traces.lengths[1], [[3, 3], [3, 1], [0, 0]])
        np.testing.assert_array_equal(traces.expected, [[2, 2, 2], [2, 2, 0]])
        assert traces.missing == 1
        assert traces.costs is not None
        np.testing.assert_allclose(traces.costs.work[0, 0, 0], [2, 4, 6])
        # Regrets after first trials are 4, 8, 4, 8, 4, 8 and 6, 7, 6, 7.
        np.testing.assert_array_equal(traces.scales(), [6.0, 6.5])
        np.testing.assert_allclose(traces.normalised()[0, 0], [[4 / 6, 2 / 6, 1 / 6], [1, 1, 0.5]])
        assert np.isnan(traces.final()[1, 1]).tolist() == [False, True]

    def test_what_can_be_compared_leaves_out_searchers_of_other_problems(self, tmp_path: Path):
        compared = some_results(tmp_path).comparable()
        assert (compared.searchers, compared.problems) == (("a", "b"), ("p", "q"))
        assert compared.missing == 1
        np.testing.assert_allclose(median_scores(compared)[1], [5.5 / 6.5, 2 / 6.5])

    def test_a_problem_that_some_searcher_has_not_finished_is_left_out(self):
        traces = hpob()
        lengths = traces.lengths.copy()
        lengths[3, 2] = 50
        part = Traces(**{**vars(traces), "lengths": lengths})
        assert part.missing == 5
        assert traces.problems[3] not in part.comparable().problems
        assert len(part.comparable().problems) == 85

    def test_rows_in_any_order_give_the_same_traces(self):
        frame = pd.DataFrame(
            [
                (p, s, r, t, 10.0 - t - r - (s == "y") * p)
                for p in (1, 2) for s in "xy" for r in (3, 5) for t in range(p + 1)
            ],
            columns=["problem", "searcher", "seed", "trial", "regret"],
        )  # fmt: skip
        first, second = Traces.of_frame(frame), Traces.of_frame(frame.sample(frac=1.0, random_state=1))
        np.testing.assert_array_equal(first.regret, second.regret)
        np.testing.assert_array_equal(first.regret[0, 1, 0], [6, 5, NAN])
        np.testing.assert_array_equal(first.budgets, [2, 3])
        with pytest.raises(SpecificationError, match="got two"):
            Traces.of_frame(pd.concat([frame, frame.head(1)]))
        with pytest.raises(SpecificationError, match="none named 'regret'"):
            Traces.of_frame(frame.drop(columns="regret"))

    def test_inference_regret_is_that_of_the_recommendation_without_its_noise(self, tmp_path: Path):
        write_experiment(tmp_path, {"p": {}}, ("a",), 1, 2)
        noisy = [trial(i, v, true_value=t) for i, (v, t) in enumerate([(1.5, 2.5), (1.8, 2.0)])]
        folder = write_run(tmp_path, "p", "a", 0, noisy, optimum=2.0)
        done = (folder / "done.json").read_text()
        (folder / "done.json").write_text(done.replace('"recommendation": null', '"recommendation": {"index": 1}'))
        results = Results(tmp_path)
        traces = Traces.of_results(results, results.runs())
        # The luckiest trial is the incumbent.
        assert traces.regret[0, 0, 0, -1] == 0.5
        assert traces.recommended[0, 0, 0] == 0.0


class TestCosts:
    def test_regret_against_cost_by_hand(self):
        cost = costs_of([trial(i, 0.0, work=w, seconds_ask=0.0) for i, w in enumerate((1.0, 3.0, 2.0))])
        np.testing.assert_allclose(cost[0], [1, 4, 6])
        regret = against_cost(np.array([[5.0, 3.0, 1.0]]), cost[:1], np.array([0.5, 1.0, 3.9, 4.0, 100.0]))
        np.testing.assert_array_equal(regret, [[NAN, 5, 5, 3, 1]])

    def test_places_are_evaluations_or_shares_of_different_budgets(self):
        same = places(np.array([4, 4]))
        np.testing.assert_array_equal(same.at, [1, 2, 3, 4])
        other = places(np.array([2, 10]), points=5)
        assert other.label == "share of the budget (%)"
        np.testing.assert_array_equal(other.index, [[0, 0, 1, 1, 1], [1, 3, 5, 7, 9]])


class TestBootstrap:
    def test_weights_are_those_of_draws_with_replacement(self):
        weights = problem_weights(10, rng(), 20_000)
        np.testing.assert_allclose(weights.sum(axis=1), 1.0)
        # A share of Binomial(10, 1/10) / 10 has variance 0.009; five standard errors of the mean.
        assert np.abs(weights.mean(axis=0) - 0.1).max() < 5 * math.sqrt(0.009 / 20_000)

    def test_seeds_are_drawn_from_whole_runs_alone_and_evenly(self):
        whole = np.array([[[True, False, True, True], [False, False, True, False]]])
        draws = np.array([resampled_seeds(whole, generator) for generator in rng().spawn(3000)])
        assert set(np.unique(draws[:, 0, 0])) == {-1, 0, 2, 3}
        assert (draws[:, 0, 1] == [2, -1, -1, -1]).all()
        counts = np.bincount(draws[:, 0, 0, :3].ravel(), minlength=4)[[0, 2, 3]]
        assert np.abs(counts / 9000 - 1 / 3).max() < 5 * math.sqrt(2 / 9 / 9000)
        values = np.array([[[0.0, 1.0, 2.0, 3.0], [4.0, 5.0, 6.0, 7.0]]])
        np.testing.assert_array_equal(taken(values, draws[0])[0, 1], [6, NAN, NAN, NAN])


class TestRanks:
    def test_ties_share_their_ranks_and_seeds_count_only_together(self):
        losses = np.array([[[1.0, 5.0], [1.0, 0.0], [2.0, 1.0]], [[3.0, 1.0], [2.0, 2.0], [1.0, 3.0]]])
        whole = np.ones((2, 3, 2), dtype=bool)
        whole[0, 2, 1] = False
        np.testing.assert_array_equal(problem_ranks(losses, whole), [[1.5, 1.5, 3], [2, 2, 2]])
        found = mean_ranks(losses, whole, rng())
        np.testing.assert_array_equal(found.value, [1.75, 1.75, 2.5])
        assert (found.low <= found.value).all()
        assert (found.value <= found.high).all()

    def test_mean_ranks_add_up(self):
        found = mean_ranks(hpob().final(), hpob().whole, rng())
        assert found.value.sum() == pytest.approx(7 * 8 / 2)

    def test_nothing_to_rank(self):
        with pytest.raises(ValueError, match="every searcher has a whole run"):
            problem_ranks(np.zeros((1, 2, 1)), np.array([[[True], [False]]]))


class TestInterquartileMean:
    @pytest.mark.parametrize("n", range(1, 14))
    def test_is_the_trimmed_mean(self, n: int):
        sample = np.append(rng().normal(size=n), [NAN, NAN])
        assert interquartile_mean(sample) == pytest.approx(stats.trim_mean(sample[:n], 0.25))

    def test_interval_is_that_of_a_bootstrap_by_hand(self):
        traces = hpob()
        final, whole = traces.final()[:, [0]], traces.whole[:, [0]]
        found = iqm(final, whole, rng(), 400)
        other, replicates = np.random.default_rng(1), []
        for _ in range(400):
            runs = np.concatenate([other.choice(seeds, len(seeds)) for seeds in final[:, 0]])
            replicates.append(stats.trim_mean(runs, 0.25))
        assert found.value[0] == pytest.approx(stats.trim_mean(final.ravel(), 0.25))
        # A 2.5 % quantile of 400 normal replicates has a standard error of 0.13 of their standard deviation.
        near = 5 * 0.13 * math.sqrt(2) * np.std(replicates)
        np.testing.assert_allclose([found.low[0], found.high[0]], np.quantile(replicates, (0.025, 0.975)), atol=near)


class TestTargets:
    losses = np.array([[[[4.0, 2.0, 1.0], [3.0, 3.0, 3.0]]]])

    def test_first_hits_by_hand(self):
        hits = first_hits(self.losses, np.array([3.0, 1.0, 0.5]))
        np.testing.assert_array_equal(hits[0, 0], [[2, 3, np.inf], [1, np.inf, np.inf]])

    def test_ecdf_and_expected_running_time_by_hand(self):
        hits, whole = first_hits(self.losses, np.array([3.0, 1.0, 0.5])), np.ones((1, 1, 2), dtype=bool)
        np.testing.assert_allclose(ecdf(hits, whole, np.array([[1, 2, 3]])), [[1 / 6, 2 / 6, 3 / 6]])
        # 2 + 1 evaluations, 2 successes; 3 + 3, one success; none.
        times = expected_running_time(hits, whole, np.array([3]))
        np.testing.assert_array_equal(times[0, 0], [1.5, 6.0, np.inf])
        whole[0, 0, 0] = False
        np.testing.assert_array_equal(expected_running_time(hits, whole, np.array([3]))[0, 0], [1, np.inf, np.inf])

    def test_running_time_of_a_coin_is_that_of_the_geometric_distribution(self):
        hits = rng().geometric(0.1, size=(1, 1, 40_000, 1)).astype(float)
        censored = np.where(hits <= 5, hits, np.inf)
        time = expected_running_time(censored, np.ones((1, 1, 40_000), dtype=bool), np.array([5]))
        assert time[0, 0, 0] == pytest.approx(10.0, rel=5 * math.sqrt(0.9 / (40_000 * 0.41)))


class TestProfileAndWins:
    scores = np.array([[[0.0, 0.2], [0.1, 0.2]], [[0.5, 0.5], [0.4, NAN]]])
    whole = ~np.isnan(scores)

    def test_profile_by_hand(self):
        found = profile(self.scores, self.whole, np.array([0.0, 0.2, 0.45, 1.0]), rng(), 50)
        np.testing.assert_allclose(found.value, [[0.25, 0.5, 0.5, 1.0], [0.0, 2 / 3, 1.0, 1.0]])

    def test_wins_by_hand(self):
        found = win_probability(self.scores, self.whole, 0, rng(), 50)
        # Against {0, 0.2}: 0.1 wins 1 of 2, 0.2 ties 1 of 2; against {0.5, 0.5}: 0.4 wins both.
        np.testing.assert_allclose(found.value, [0.5, (1.5 / 4 + 1.0) / 2])

    def test_wins_are_mann_and_whitneys_statistic(self):
        traces = hpob()
        final = traces.final()[:1]
        found = win_probability(final, traces.whole[:1], 6, rng(), 20)
        for s in range(7):
            u = stats.mannwhitneyu(final[0, 6], final[0, s]).statistic
            assert found.value[s] == pytest.approx(u / 25)


class TestRankTests:
    @pytest.fixture
    def scores(self):
        return median_scores(hpob())

    @pytest.fixture
    def frame(self, scores):
        return pd.DataFrame(scores, columns=hpob().searchers)

    def test_ranks_friedman_and_nemenyi_agree_with_autorank(self, scores, frame):
        found = rank_tests(scores)
        with np.errstate(all="ignore"):
            result = autorank.autorank(frame, order="ascending")
        assert (result.omnibus, result.posthoc) == ("friedman", "nemenyi")
        np.testing.assert_allclose(found.ranks, result.rankdf["meanrank"][list(hpob().searchers)], rtol=1e-12)
        assert found.friedman == pytest.approx(result.pvalue, rel=1e-12)
        # Its quantile is from a table with three decimals.
        assert found.distance == pytest.approx(result.cd, rel=2e-5)

    def test_pairs_agree_with_scikit_posthocs(self, scores, frame):
        found = rank_tests(scores)
        long = frame.melt(var_name="searcher", value_name="score")
        oracle = scikit_posthocs.posthoc_wilcoxon(long, "score", "searcher", p_adjust="holm")
        names = list(hpob().searchers)
        np.testing.assert_allclose(found.pairs, oracle.loc[names, names], rtol=1e-12)
        nemenyi = scikit_posthocs.posthoc_nemenyi_friedman(frame).to_numpy()
        apart = np.abs(found.ranks[:, None] - found.ranks) > found.distance
        np.testing.assert_array_equal(nemenyi < 0.05, apart)

    def test_groups_are_the_largest_runs_of_searchers_that_do_not_differ(self):
        pairs = np.full((4, 4), 0.5)
        pairs[0, 3] = pairs[3, 0] = pairs[0, 2] = pairs[2, 0] = 0.01
        tests = RankTests(np.array([1.0, 2.0, 3.0, 4.0]), 0.0, 1.0, pairs, 10)
        assert tests.groups() == [(0, 1), (1, 2, 3)]
        # The same with the searchers in another order.
        turned = RankTests(tests.ranks[::-1], 0.0, 1.0, pairs[::-1, ::-1], 10)
        assert turned.groups() == [(3, 2), (2, 1, 0)]

    def test_equal_searchers_do_not_differ(self):
        found = rank_tests(np.zeros((5, 3)))
        assert found.friedman == 1.0
        assert found.groups() == [(0, 1, 2)]


class TestEquivalence:
    def test_regions_agree_with_baycomp(self):
        final = hpob().final()
        checked = 0
        for p in range(0, 86, 5):
            x, y = final[p, 6], final[p, 0]
            if (x - y).std() > 0:
                # Its difference is y - x, its correlation one over the number of folds.
                oracle = baycomp.CorrelatedTTest(x, y, rope=0.01).probs()
                np.testing.assert_allclose(region_probabilities(y - x, 0.01, 1 / 5), oracle, rtol=1e-9, atol=1e-12)
                checked += 1
        assert checked > 5

    def test_without_variance_the_mean_decides(self):
        np.testing.assert_array_equal(region_probabilities(np.full(3, 0.02)), [0, 0, 1])
        np.testing.assert_array_equal(region_probabilities(np.zeros(3)), [0, 1, 0])

    def test_best_and_equivalent(self):
        noise = np.array([0.0, 0.001, -0.001, 0.0005])
        scores = 0.2 + np.array([noise, noise[::-1] + 0.002, noise + 0.1, np.full(4, NAN)])
        np.testing.assert_array_equal(equivalent_to_best(scores), [True, True, False, False])
