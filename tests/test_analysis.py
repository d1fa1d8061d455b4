"""Regret, posterior health, completeness, summary and tables."""

from __future__ import annotations

import io
import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console
from synthetic_results import PROBLEMS, fit, trial, write_experiment, write_results, write_run

from bayeshpo.analysis.aggregates import aggregates
from bayeshpo.analysis.completeness import completeness
from bayeshpo.analysis.fits import fits_of
from bayeshpo.analysis.health import posterior_health
from bayeshpo.analysis.kept import Slice
from bayeshpo.analysis.latex import escape, number, percent
from bayeshpo.analysis.losses import of_the_incumbent
from bayeshpo.analysis.outcomes import outcomes
from bayeshpo.analysis.regret import Regret, distance, quartiles, simple_regret
from bayeshpo.analysis.scale import scale_of
from bayeshpo.analysis.summary import print_summary
from bayeshpo.analysis.tables import write_tables
from bayeshpo.analysis.traces import Traces
from bayeshpo.experiment.store import Results, RunRecord

NAN = math.nan


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_results(tmp_path_factory.mktemp("results") / "demo", seeds=2, budget=10)


def runs_of(path: Path, *runs: dict) -> list[RunRecord]:
    labels = {"problem": {}, "searcher": {}}
    for run in runs:
        labels["problem"][run["problem"]] = labels["searcher"][run["searcher"]] = None
    write_experiment(path, labels["problem"], tuple(labels["searcher"]), 1, 4)
    for run in runs:
        write_run(path, **{"seed": 0, **run})
    return Results(path).runs()


def values(*numbers: float | None) -> list[dict]:
    return [trial(i, number) for i, number in enumerate(numbers)]


class TestRegret:
    def test_incumbent_by_hand(self):
        losses = np.array([3.0, 5.0, 1.0, 2.0])
        np.testing.assert_array_equal(distance(of_the_incumbent(losses, losses), 0.5), [2.5, 2.5, 0.5, 0.5])

    def test_incumbents_are_worth_what_they_are_without_noise(self):
        observed, true = np.array([NAN, 3.0, 1.0, 1.0, 2.0, 0.5]), np.array([NAN, 2.0, 4.0, 0.0, 0.0, 3.0])
        np.testing.assert_array_equal(of_the_incumbent(observed, true), [NAN, 2.0, 4.0, 4.0, 4.0, 3.0])

    def test_trials_beyond_a_limit_are_no_incumbents(self, tmp_path: Path):
        trials = [trial(i, v, metrics={"memory": m}) for i, (v, m) in enumerate([(3.0, 9.0), (2.0, 1.0), (1.0, 9.0)])]
        aims = {"constraints": {"memory": [None, 8.0]}}
        (a,) = simple_regret(
            runs_of(tmp_path, {"problem": "p", "searcher": "a", "trials": trials, "optimum": 0.5, "aims": aims})
        )
        np.testing.assert_array_equal(a.values, [[NAN, 1.5, 1.5]])

    def test_of_several_objectives_regret_is_hypervolume_that_another_run_has(self, tmp_path: Path):
        aims = {"objectives": {"speed": "maximize"}}

        def points(*pairs):
            return [trial(i, v, metrics={} if s is None else {"speed": s}) for i, (v, s) in enumerate(pairs)]

        a, b = simple_regret(
            runs_of(
                tmp_path,
                {
                    "problem": "p",
                    "searcher": "a",
                    "trials": points((0.0, 0.0), (1.0, 1.0)),
                    "optimum": 0.0,
                    "aims": aims,
                },
                {
                    "problem": "p",
                    "searcher": "b",
                    "trials": points((None, None), (0.5, 0.0)),
                    "optimum": 0.0,
                    "aims": aims,
                },
            )
        )
        # Both of the first are on the front, and the common reference is (1.1, -0.1) of value and speed.
        np.testing.assert_allclose(a.values, [[0.1, 0.0]], atol=1e-12)
        np.testing.assert_allclose(b.values, [[NAN, 0.11 + 0.1 - 0.06]], atol=1e-12)
        assert not a.optimum_known

    def test_maximised_values_give_the_same_regret_as_their_negatives(self, tmp_path: Path):
        up, down = values(0.2, 0.9, None, 0.95), values(-0.2, -0.9, None, -0.95)
        runs = runs_of(
            tmp_path,
            {"problem": "p", "searcher": "a", "trials": up, "direction": "maximize", "optimum": 1.0},
            {"problem": "q", "searcher": "a", "trials": down, "optimum": -1.0},
        )
        a, b = simple_regret(runs)
        np.testing.assert_allclose(a.values, [[0.8, 0.1, 0.1, 0.05]])
        np.testing.assert_array_equal(a.values, b.values)

    def test_failed_trials_keep_the_incumbent_and_are_nan_before_the_first_finished_one(self):
        losses = np.array([NAN, 2.0, NAN, 1.0])
        np.testing.assert_array_equal(of_the_incumbent(losses, losses), [NAN, 2.0, 2.0, 1.0])

    def test_rounding_below_the_optimum_is_exactly_zero(self):
        np.testing.assert_array_equal(distance(np.array([-3.32237 - 1e-6]), -3.32237), [0.0])
        np.testing.assert_array_equal(distance(np.array([0.3]), 0.1 + 0.2), [0.0])

    def test_regret_never_increases(self):
        losses = np.random.default_rng(0).normal(size=200)
        assert (np.diff(of_the_incumbent(losses, losses)) <= 0).all()

    def test_unknown_optimum_is_replaced_by_the_best_of_any_searcher(self, tmp_path: Path):
        runs = runs_of(
            tmp_path,
            {"problem": "p", "searcher": "a", "trials": values(0.5, 0.7), "direction": "maximize"},
            {"problem": "p", "searcher": "b", "trials": values(0.6, 0.9), "direction": "maximize"},
        )
        a, b = simple_regret(runs)
        assert not a.optimum_known
        assert a.reference == b.reference == 0.9
        np.testing.assert_allclose(a.values, [[0.4, 0.2]])
        np.testing.assert_allclose(b.values, [[0.3, 0.0]])
        assert b.final[0] == 0.0

    def test_exhausted_runs_stand_to_the_end_and_unfinished_ones_do_not(self, tmp_path: Path):
        common = {"problem": "p", "searcher": "a", "optimum": 0.0, "budget": 4}
        runs = runs_of(
            tmp_path,
            {**common, "seed": 0, "trials": values(3.0, 1.0), "status": "exhausted"},
            {**common, "seed": 1, "trials": values(4.0, 2.0, 1.0), "status": None},
            {**common, "seed": 2, "trials": values(5.0, 4.0, 3.0, 2.0)},
        )
        (regret,) = simple_regret(runs)
        np.testing.assert_array_equal(regret.values, [[3, 1, 1, 1], [4, 2, 1, NAN], [5, 4, 3, 2]])
        np.testing.assert_array_equal(regret.final, [1, 1, 2])
        np.testing.assert_array_equal(regret.quartiles()[1], [4, 2, 1, 1.5])

    def test_runs_that_their_rule_ended_stand_to_the_end_as_long_as_it_is_theirs(self, tmp_path: Path):
        common = {"problem": "p", "searcher": "a", "optimum": 0.0, "budget": 4, "status": "stopped"}
        runs = runs_of(
            tmp_path,
            {**common, "seed": 0, "trials": values(3.0, 1.0), "stop": "unchanged(1)"},
            {**common, "seed": 1, "trials": values(4.0, 2.0), "stop": "unchanged(9)", "stopped_by": "unchanged(1)"},
        )
        (regret,) = simple_regret(runs)
        np.testing.assert_array_equal(regret.values, [[3, 1, 1, 1], [4, 2, NAN, NAN]])
        (row,) = outcomes(Results(tmp_path), runs)
        assert (row.seeds, row.unfinished, row.early) == (2, 1, 1)

    def test_a_seed_without_any_finished_trial_counts_as_worst(self):
        assert quartiles(np.array([1.0, 3.0, NAN]))[:2] == (2.0, 3.0)
        assert math.isnan(quartiles(np.array([1.0, 3.0, NAN]))[2])
        assert all(math.isnan(q) for q in quartiles(np.array([])))

    def test_quartiles_agree_with_numpy_and_stay_positive(self):
        for n in range(1, 9):
            sample = np.random.default_rng(n).lognormal(size=n)
            np.testing.assert_allclose(quartiles(sample), np.quantile(sample, (0.25, 0.5, 0.75)))
            assert min(quartiles(sample)) > 0

    def test_runs_without_trials(self, tmp_path: Path):
        runs = runs_of(tmp_path, {"problem": "p", "searcher": "a", "trials": [], "budget": 3, "status": None})
        (regret,) = simple_regret(runs)
        assert isinstance(regret, Regret)
        assert regret.values.shape == (1, 0)
        assert regret.reference is None
        assert np.isnan(regret.final).all()
        assert regret.quartiles().shape == (3, 0)


def test_health_by_hand(tmp_path: Path):
    rng = np.random.default_rng(0)
    rows = [
        fit(2, rng, trial=0, rhat_max=1.001, ess_bulk_min=900.0, divergences=0, seconds_sample=1.0, status="ok"),
        fit(
            3, rng, trial=1, rhat_max=1.03, ess_bulk_min=500.0, divergences=2, seconds_sample=3.0,
            status="not_converged",
        ),
        fit(
            4, rng, trial=2, rhat_max=None, ess_bulk_min=None, divergences=None, seconds_sample=None,
            status="failed", action="fell_back",
        ),
        fit(5, rng, trial=3, rhat_max=1.005, ess_bulk_min=400.0, divergences=1, seconds_sample=5.0, status="ok"),
    ]  # fmt: skip
    runs = runs_of(tmp_path, {"problem": "p", "searcher": "a", "trials": values(1, 2, 3, 4), "inference": rows})
    (health,) = posterior_health(fits_of(runs))
    assert (health.fits, health.rhat_share, health.ess_share, health.both_share) == (4, 0.5, 0.5, 0.25)
    assert (health.rhat_max, health.ess_min, health.divergences) == (1.03, 400.0, 3)
    assert health.statuses == {"ok": 2, "not_converged": 1, "failed": 1}
    assert health.actions == {"sampled": 3, "fell_back": 1}
    assert health.seconds_fit == 3.0


def test_health_of_several_problems_ends_with_all_of_them(results: Path):
    health = posterior_health(fits_of(Results(results).runs()))
    assert [row.problem for row in health] == [*PROBLEMS, None]
    assert health[-1].fits == sum(row.fits for row in health[:-1])


def test_completeness_counts_missing_and_unfinished_runs(tmp_path: Path):
    write_experiment(tmp_path, PROBLEMS, ("a", "b"), seeds=2, budget=3)
    write_run(tmp_path, "hartmann6", "a", 0, values(1, 2, 3))
    write_run(tmp_path, "hartmann6", "a", 1, values(1, 2), budget=3, status=None)
    # Its budget was raised after it had finished.
    write_run(tmp_path, "hartmann6", "b", 0, values(1, 2), budget=3)
    write_run(tmp_path, "hartmann6", "b", 1, values(1, 2), budget=3, status="exhausted")
    found = Results(tmp_path)
    state = completeness(found, found.runs())
    assert (state.expected, state.finished, state.unfinished, state.missing) == (8, 2, 2, 4)
    assert str(state) == "2 of 8 runs finished, 2 unfinished, 4 missing"


def test_outcomes(tmp_path: Path):
    trials = [
        trial(0, 3.0, origin="initial", seconds_ask=100.0, work=2.0),
        trial(1, None, seconds_ask=1.0, work=2.0),
        trial(2, 1.0, seconds_ask=2.0, work=3.0),
    ]
    runs = runs_of(tmp_path, {"problem": "p", "searcher": "a", "trials": trials, "optimum": 0.5})
    (row,) = outcomes(Results(tmp_path), runs)
    assert row.regret == (0.5, 0.5, 0.5)
    assert (row.seeds, row.unfinished, row.trials, row.failed, row.best) == (1, 0, 3, 1, 1.0)
    assert (row.seconds, row.work) == (1.5, 7.0)


class TestSummary:
    @staticmethod
    def text(path: Path, width: int) -> str:
        stream = io.StringIO()
        print_summary(path, Console(file=stream, width=width))
        return stream.getvalue()

    @pytest.mark.parametrize("width", [80, 120])
    def test_fits_the_terminal_without_truncation(self, results: Path, width: int):
        text = self.text(results, width)
        assert max(len(line.rstrip()) for line in text.splitlines()) <= width
        assert "…" not in text
        for word in ("all 8 runs finished", "hartmann6", "bayesian", "svc_digits *", "R-hat < 1.01", "Status: ok"):
            assert word in text

    def test_says_what_is_missing(self, tmp_path: Path):
        write_experiment(tmp_path, {"p": {}}, ("a",), seeds=3, budget=2)
        write_run(tmp_path, "p", "a", 0, values(None, 2.0), status=None)
        text = self.text(tmp_path, 80)
        assert "0 of 3 runs finished, 1 unfinished, 2 missing" in text
        assert "1/2" in text
        assert "0/3" in text

    def test_results_without_runs(self, tmp_path: Path):
        write_experiment(tmp_path, {"p": {}}, ("a",), seeds=1, budget=2)
        assert "0 of 1 runs finished, 1 missing" in self.text(tmp_path, 80)


def test_the_best_over_all_problems_is_bold(results: Path, tmp_path: Path):
    _, overall, *_ = write_tables(results, tmp_path)
    table = [line.split(" & ") for line in overall.read_text().splitlines() if "&" in line][1:]
    found = aggregates(Traces.of_results(Results(results), Results(results).runs()).comparable())
    for column, values in ((1, [row.rank[1] for row in found]), (2, [row.iqm[1] for row in found])):
        assert [r"\textbf" in row[column] for row in table] == [value == min(values) for value in values]


class TestScale:
    @staticmethod
    def cut(positions: np.ndarray, values: list) -> Slice:
        empty = np.empty(0)
        records = [trial(i, 0.0, {} if v is None else {"x": v}) for i, v in enumerate(values)]
        return Slice("x", empty, empty, empty, empty, empty, 0.5, positions, records, np.ones(len(values)))

    def test_linear_and_logarithmic_floats(self):
        u = np.array([0.1, 0.4, 0.9])
        linear = scale_of(self.cut(u, [-5 + 15 * float(p) for p in u]))
        assert linear is not None
        assert not linear.logarithmic
        np.testing.assert_allclose(linear(np.array([0.0, 1.0])), [-5, 10])
        log = scale_of(self.cut(u, [10 ** (-4 + 8 * float(p)) for p in u]))
        assert log is not None
        np.testing.assert_allclose(log(np.array([0.0, 1.0])), [1e-4, 1e4])

    def test_inactive_values_are_left_out(self):
        u = np.array([0.1, 0.5, 0.4, 0.9])
        scale = scale_of(self.cut(u, [1.1, None, 1.4, 1.9]))
        assert scale is not None
        np.testing.assert_allclose(scale(np.array([0.0, 1.0])), [1.0, 2.0])

    @pytest.mark.parametrize("values", [["a", "b", "c"], [1, 2, 3], [0.5, 0.2, 9.0]])
    def test_other_kinds_stay_in_the_unit_cube(self, values: list):
        assert scale_of(self.cut(np.array([0.1, 0.5, 0.9]), values)) is None

    def test_two_points_are_not_enough_to_tell(self):
        assert scale_of(self.cut(np.array([0.1, 0.9]), [1.0, 2.0])) is None


class TestLatex:
    def test_escape(self):
        assert escape("a_b 5 % R-hat < 1") == r"a\_b 5 \% $\widehat{R}$ $<$ 1"
        assert escape("Δε") == r"\ensuremath{\Delta}\ensuremath{\varepsilon}"

    @pytest.mark.parametrize(
        ("value", "text"),
        [
            (0.0, "0"), (1.0, "1.00"), (123.4, "123"), (0.012345, "0.0123"), (NAN, "--"),
            (2.5e-7, r"\ensuremath{2.50\times 10^{-7}}"), (-4.0, "-4.00"),
        ],
    )  # fmt: skip
    def test_number(self, value: float, text: str):
        assert number(value) == text

    def test_percent_is_100_only_for_all(self):
        assert [percent(s) for s in (1.0, 0.9999, 0.95, 0.0)] == ["100", "99.9", "95", "0"]

    def test_macros_are_unique_and_state_the_numbers(self, results: Path, tmp_path: Path):
        lines = write_tables(results, tmp_path)[-1].read_text().splitlines()
        names = [line.split("}")[0] for line in lines]
        assert len(names) == len(set(names))
        assert r"\newcommand{\DemoRuns}{8}" in lines
        assert r"\newcommand{\DemoHartmannSixBayesianFits}{12}" in lines


def test_analysis_needs_neither_pymc_nor_arviz_and_matplotlib_only_for_figures():
    code = (
        "import sys, bayeshpo.analysis.summary, bayeshpo.analysis.tables, bayeshpo.analysis.export;"
        "print([m for m in ('pymc', 'arviz', 'pytensor', 'matplotlib') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
