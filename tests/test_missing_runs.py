"""Runs that are not there: every table, sentence and figure counts the same ones, and names what they cost."""

from __future__ import annotations

import io
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console
from synthetic_results import trial, write_experiment, write_run
from typer.testing import CliRunner

from bayeshpo.analysis.aggregates import aggregates
from bayeshpo.analysis.compared import RunCount, covered
from bayeshpo.analysis.comparison.result import Comparison
from bayeshpo.analysis.comparisons import read_comparisons
from bayeshpo.analysis.completeness import completeness
from bayeshpo.analysis.figures import comparison, wins
from bayeshpo.analysis.latex import number
from bayeshpo.analysis.rank_numbers import rank_numbers
from bayeshpo.analysis.report.regret import regret
from bayeshpo.analysis.scores import median_scores
from bayeshpo.analysis.statistics.critical import rank_tests
from bayeshpo.analysis.summary import print_summary
from bayeshpo.analysis.tables import write_tables
from bayeshpo.analysis.traces import Traces
from bayeshpo.cli import app
from bayeshpo.experiment.store import Results
from bayeshpo.inference.report import InferenceReport

PROBLEMS, SEARCHERS, SEEDS = ("branin", "hartmann6", "tree"), ("optuna", "sobol", "random"), 4
SENTENCES = [
    "3 searchers on 2 problems, 3 to 4 seeds on each: 23 of 36 runs.",
    "1 problem left out, on which no seed has all of these searchers: tree.",
    "5 runs missing or unfinished, and left out.",
]


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """36 runs, of which all four of tree/sobol and one of branin/random are gone."""
    path = tmp_path / "demo"
    write_experiment(path, {p: {} for p in PROBLEMS}, SEARCHERS, SEEDS, 3)
    rng = np.random.default_rng(0)
    for problem in PROBLEMS:
        for searcher in SEARCHERS:
            for seed in range(SEEDS):
                values = np.sort(rng.uniform(size=3))[::-1]
                write_run(path, problem, searcher, seed, [trial(i, v) for i, v in enumerate(values)], optimum=0.0)
    for gone in (*(f"tree-sobol-{seed}" for seed in range(SEEDS)), "branin-random-2"):
        shutil.rmtree(path / "runs" / gone)
    return path


def traces_of(path: Path) -> Traces:
    return Traces.of_results(Results(path), Results(path).runs())


def test_aggregates_count_the_runs_of_all_problems(results: Path):
    traces = traces_of(results)
    assert covered(traces.comparable()) == SENTENCES
    assert {row.searcher: row.runs for row in aggregates(traces.comparable())} == {
        "optuna": RunCount(8, 12, 0), "sobol": RunCount(8, 12, 4), "random": RunCount(7, 12, 1),
    }  # fmt: skip
    assert completeness(Results(results), Results(results).runs()).missing == traces.missing == 5


def test_what_was_chosen_twice_still_counts_from_the_beginning(results: Path):
    traces = traces_of(results)
    assert traces.comparable().comparable().source is traces


def test_searchers_and_many_problems_that_are_left_out_are_named(results: Path):
    shutil.rmtree(results)
    labels = [f"p{i}" for i in range(8)]
    write_experiment(results, {p: {} for p in labels}, ("a", "b", "never"), 1, 1)
    for i, problem in enumerate(labels):
        write_run(results, problem, "a", 0, [trial(0, 1.0)])
        if i == 0:
            write_run(results, problem, "b", 0, [trial(0, 2.0)])
    assert covered(traces_of(results).comparable()) == [
        "2 searchers on 1 problem, 1 seed on each: 2 of 24 runs.",
        "Left out: never, not asked for on every problem, or without a whole run.",
        "7 problems left out, on which no seed has all of these searchers: p1, p2, p3, p4, p5 and 2 others.",
        "15 runs missing or unfinished, and left out.",
    ]


def test_compare_counts_them_in_the_terminal_in_its_records_and_in_the_figure(
    results: Path, monkeypatch: pytest.MonkeyPatch
):
    def compare(traces: Traces, **limits: float) -> Iterator[Comparison]:
        report = InferenceReport("nuts", "sampled", 23, status="ok", rhat_max=1.0, ess_bulk_min=900.0, divergences=0)
        for name in ("log_regret", "bradley_terry"):
            yield Comparison.of(
                name=name, title=name, unit="u", traces=traces, effect=np.tile([0.0, 1.0, 2.0], (10, 1)),
                report=report, leading="the lowest regret", margin="by far", note="Ties.",
            )  # fmt: skip

    monkeypatch.setattr("bayeshpo.analysis.comparison.compare", compare)
    done = CliRunner().invoke(app, ["compare", str(results)])
    assert done.exit_code == 0, done.output
    records = read_comparisons(results)
    assert [record["coverage"] for record in records] == [SENTENCES, SENTENCES]
    assert records[0]["runs"][1] == {"compared": 8, "asked": 12, "missing": 4}
    paths = {path.name: path.read_text() for path in write_tables(results)}
    table, numbers = paths["comparison.tex"], paths["numbers.tex"].splitlines()
    assert r"sobol & 0.00 & 1.00 (1.00 to 1.00) & 8 of 12, 4 missing \\" in table
    assert table.count(r"passed its checks: $\widehat{R}$ 1.0000, bulk ESS 900, 0 divergences") == 2
    assert all(table.count(sentence) == 1 for sentence in SENTENCES)
    assert r"\newcommand{\DemoComparisonLogRegretOptunaBest}{1.00}" in numbers
    assert rf"\newcommand{{\DemoComparisonCoverage}}{{{' '.join(SENTENCES)}}}" in numbers
    (drawing,) = comparison.draw(records, 5.5)
    (other,) = wins.draw(traces_of(results), 5.5)
    for text in (" ".join(done.output.split()), drawing.caption, other.caption):
        assert text.count(" ".join(SENTENCES)) == 1


def test_the_summary_has_a_row_for_what_has_no_run_and_counts_what_was_asked_for(results: Path):
    stream = io.StringIO()
    print_summary(results, Console(file=stream, width=80))
    problem, seeds = "", {}
    for line in stream.getvalue().splitlines():
        if line.strip() in PROBLEMS:
            problem = line.strip()
        elif (cells := line.split()) and cells[0] in SEARCHERS:
            seeds[problem, cells[0]] = cells[3]
    assert len(seeds) == 9
    assert {pair: found for pair, found in seeds.items() if found != "4"} == {
        ("branin", "random"): "3/4", ("tree", "sobol"): "0/4",
    }  # fmt: skip
    assert "finished/asked for" in " ".join(stream.getvalue().split())


def test_tables_and_macros_have_them_too(results: Path, tmp_path: Path):
    paths = {path.name: path.read_text() for path in write_tables(results, tmp_path / "tables")}
    rows = [line for line in paths["regret.tex"].splitlines() if "&" in line][1:]
    assert len(rows) == 9
    assert [row for row in rows if "0 of 4" in row] == [r" & sobol & -- & -- & 0 of 4 & 0 & -- \\"]
    assert sum("3 of 4" in row for row in rows) == 1
    for text in ("8 of 12 ", "8 of 12, 4 missing", "7 of 12, 1 missing", *SENTENCES):
        assert text in paths["overall.tex"]
    for line in (
        r"\newcommand{\DemoTreeSobolRegretMedian}{--}", r"\newcommand{\DemoTreeSobolFinished}{0}",
        r"\newcommand{\DemoBraninRandomFinished}{3}", r"\newcommand{\DemoBraninRandomAsked}{4}",
        r"\newcommand{\DemoProblems}{3}", r"\newcommand{\DemoRunsMissing}{5}",
        rf"\newcommand{{\DemoOverallCoverage}}{{{' '.join(SENTENCES)}}}",
    ):  # fmt: skip
        assert line in paths["numbers.tex"].splitlines()


def test_rank_tests_and_running_times_of_what_is_compared_are_macros(results: Path):
    traces = traces_of(results)
    compared = traces.comparable()
    macros = dict(rank_numbers("demo", compared))
    tests = rank_tests(median_scores(compared))
    assert macros.pop(("demo", "overall", "friedman")) == number(tests.friedman, 2)
    for i, j in ((0, 1), (0, 2), (1, 2)):
        names = compared.searchers[i], "against", compared.searchers[j]
        assert macros.pop(("demo", "overall", *names)) == number(tests.pairs[i, j], 2)
    # No run comes to a hundredth of what it began with.
    assert macros == {("demo", "overall", searcher, "running time"): "--" for searcher in compared.searchers}
    # Where one of four runs on either problem hits at its second trial, and the others make three: 2 + 3 x 3.
    regret = np.ones_like(traces.regret)
    regret[:, :, 0, 1:] = 1e-3
    hit = replace(traces, regret=np.where(np.isnan(traces.regret), np.nan, regret))
    assert dict(rank_numbers("demo", hit.comparable()))["demo", "overall", "optuna", "running time"] == number(11.0)


def test_tables_of_what_cannot_be_compared(results: Path, tmp_path: Path):
    shutil.rmtree(results / "runs")
    assert [path.name for path in write_tables(results, tmp_path / "none")] == ["numbers.tex"]
    write_run(results, "tree", "sobol", 0, [trial(0, 1.0)])
    assert [path.name for path in write_tables(results, tmp_path / "one")] == ["regret.tex", "numbers.tex"]


def test_the_report_has_them_too(results: Path):
    by_problem, overall = regret(Results(results), Results(results).runs())
    seeds = {(row[0].text, row[1].text): row[8].text for row in by_problem.rows}
    assert (seeds["tree", "sobol"], seeds["branin", "random"], seeds["tree", "random"]) == ("0/4", "3/4", "4")
    assert " ".join(SENTENCES) in overall.note
