"""Recorded proposals made once more, kept posteriors opened, and surrogates compared on the same trials."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
from rich.console import Console
from scipy import stats
from typer.testing import CliRunner

from bayeshpo.analysis.figures import predictive, style
from bayeshpo.analysis.kept import open_kept
from bayeshpo.analysis.posteriors import print_surrogates
from bayeshpo.analysis.predictive_check import predictive_check
from bayeshpo.cli import app
from bayeshpo.diagnostics import surrogate_comparison
from bayeshpo.diagnostics.replay import Replay, find_run
from bayeshpo.diagnostics.surrogate_comparison import USUAL, Predictions, compare, predictions, usual
from bayeshpo.errors import SpecificationError
from bayeshpo.experiment import spec
from bayeshpo.experiment.runner import run_plan
from bayeshpo.experiment.store import Results, RunRecord
from bayeshpo.experiment.worker import Progress
from bayeshpo.history import History
from bayeshpo.inference.density import LogDensity
from bayeshpo.inference.laplace import Laplace
from bayeshpo.inference.map import MAP
from bayeshpo.inference.posterior import Posterior
from bayeshpo.space import as_space
from bayeshpo.surrogates.base import TrainingData
from bayeshpo.surrogates.gp import GaussianProcess

TOML = """
name = "replayed"
budget = 7
keep = 6
[[problems]]
name = "branin"
wrappers = [{ name = "failures", share = 0.2 }]
[[searchers]]
name = "bayesian"
n_initial = 4
[[searchers]]
name = "random"
"""


class Silent:
    def update(self, progress: Progress) -> None:
        assert progress.error is None


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Results:
    folder = tmp_path_factory.mktemp("replayed")
    file = folder / "replayed.toml"
    file.write_text(TOML)
    run_plan(spec.read(file), folder / "results", workers=1, display=Silent())
    return Results(folder / "results")


def run_named(results: Results, searcher: str) -> RunRecord:
    return next(run for run in results.runs() if run.searcher == searcher)


@pytest.mark.parametrize("searcher", ["bayesian", "random"])
def test_every_proposal_on_record_is_reproduced(results: Results, searcher: str) -> None:
    run = run_named(results, searcher)
    for iteration in range(7):
        past = Replay.of(run, iteration)
        assert past.reproduced, iteration
        assert past.suggestion.origin == past.recorded.suggestion.origin
        if searcher == "bayesian" and iteration >= 4:
            [row] = past.reports
            [recorded] = [r for r in run.inference if r["trial"] == iteration]
            assert row["acquisition"] == recorded["acquisition"]
            assert row.get("ahead_log_score") == recorded.get("ahead_log_score")


def test_the_posterior_of_that_moment_is_the_one_that_was_kept(results: Results) -> None:
    run = run_named(results, "bayesian")
    assert [path.stem for path in run.posteriors] == ["00006", "00007"]
    kept, again = open_kept(run.posteriors[0]), Replay.of(run, 6).study.posterior
    for group in ("posterior", "log_likelihood", "posterior_predictive"):
        assert kept[group].to_dataset().equals(again[group].to_dataset())


def test_other_parts_would_have_proposed_something_else(results: Results) -> None:
    past = Replay.of(run_named(results, "bayesian"), 6)
    other = past.instead({"acquisition": "ucb"})
    assert other.index == past.suggestion.index
    assert other.configuration != past.suggestion.configuration
    assert past.instead({"acquisition": "log_ei"}).configuration == past.suggestion.configuration
    assert past.instead({"inference": MAP()}).configuration != past.suggestion.configuration
    with pytest.raises(SpecificationError, match="expected parts among surrogate, acquisition, "):
        past.instead({"searcher": "random"})
    with pytest.raises(SpecificationError, match="expected a Bayesian searcher"):
        Replay.of(run_named(results, "random"), 6).instead({"acquisition": "ucb"})


def test_runs_are_found_by_their_beginning_and_by_their_names(results: Results) -> None:
    runs = results.runs()
    for run in runs:
        assert find_run(runs, run.run_id[:6]) is run
        assert find_run(runs, f"{run.problem}/{run.searcher}/{run.seed}") is run
    with pytest.raises(SpecificationError, match="expected --run with one of branin/bayesian/0"):
        find_run(runs, None)
    with pytest.raises(SpecificationError, match="--run x: no runs are named so; expected with one of"):
        find_run(runs, "x")
    with pytest.raises(SpecificationError, match="expected an iteration below 7, got 7"):
        Replay.of(runs[0], 7)


def test_commands_open_and_replay(results: Results, tmp_path: Path) -> None:
    where = [str(results.path), "--run", "branin/bayesian/0"]
    figures = tmp_path / "figures"
    opened = CliRunner().invoke(app, ["posterior", *where, "--iteration", "6", "--output", str(figures)])
    assert opened.exit_code == 0, opened.output
    assert "6 trials" in opened.output
    assert "lengthscale[x1]" in opened.output
    assert "log_likelihood" in opened.output
    assert "standard deviation" in opened.output
    # That of the last trial has no row of inference: the tree itself says how its fit ended.
    row = next(r for r in run_named(results, "bayesian").inference if r["trial"] == 6)
    attributes = open_kept(run_named(results, "bayesian").posteriors[0]).attrs
    assert {name: row[name] for name in attributes} == attributes
    assert attributes["status"] == row["status"]
    assert f"engine {row['engine']}, action {row['action']}, status {row['status']}" in opened.output
    drawn = {path.name.split("_")[0] for path in figures.glob("*.png")}
    assert drawn == {"lengthscales.png", "predictive", "slice"}
    refused = CliRunner().invoke(app, ["posterior", *where, "--iteration", "5"])
    assert refused.exit_code == 2
    assert "expected an iteration of [6, 7], got 5" in refused.stderr
    replayed = CliRunner().invoke(
        app, ["replay", *where, "--iteration", "6", "--acquisition", "ucb", "--output", str(tmp_path / "out")]
    )
    assert replayed.exit_code == 0, replayed.output
    assert "reproduced exactly" in replayed.output
    assert "acquisition = ucb" in replayed.output
    assert (tmp_path / "out" / "00006.zarr").is_dir()
    assert (tmp_path / "out" / "slice_branin.png").is_file()


def test_a_predictive_check_finds_losses_that_the_model_does_not_make() -> None:
    rng = np.random.default_rng(0)
    replicated = xr.Dataset({"outcome": (("chain", "draw", "trial"), rng.standard_normal((4, 500, 30)))})
    y = rng.standard_normal(30)
    y[3] = 9.0
    observed = xr.Dataset({"outcome": ("trial", y)})
    found = predictive_check(xr.DataTree.from_dict({"posterior_predictive": replicated, "observed_data": observed}))
    assert found["highest"][0] == 9.0
    assert found["highest"][2] == 1.0
    assert found["standard deviation"][2] > 0.99
    assert 0.01 < found["median"][2] < 0.99
    # The expected largest of thirty standard normal numbers is 2.04.
    assert found["highest"][1][1] == pytest.approx(2.0, abs=0.1)
    assert predictive_check(xr.DataTree.from_dict({"observed_data": observed})) == {}
    # Of the one draw of a point estimate there are no quantiles.
    one = replicated.isel(chain=[0], draw=[0])
    assert predictive_check(xr.DataTree.from_dict({"posterior_predictive": one, "observed_data": observed})) == {}


def test_the_figure_of_a_predictive_check_shows_ranks_and_statistics(results: Results) -> None:
    run = run_named(results, "bayesian")
    with style.settings():
        [drawing] = predictive.draw([run], 5.5)
    tree = open_kept(run.posteriors[-1])
    left, right = drawing.figure.axes
    data = tree["constant_data"].to_dataset()
    losses = float(data["location"]) + float(data["scale"]) * tree["observed_data"]["outcome"].to_numpy()
    np.testing.assert_allclose(left.lines[1].get_xdata(), np.sort(losses))
    # Of four statistics in this order, by 90 % intervals that end at -1 and 1.
    found = predictive_check(tree)
    at = [float(np.ravel(line.get_xdata())[0]) for line in right.lines if line.get_marker() == "o"]
    for x, (value, (low, _, high), _) in zip(at, found.values(), strict=True):
        assert (abs(x) <= 1.0) == (low <= value <= high)
    assert [text.get_text() for text in right.texts] == [f"{share:.2f}" for *_, share in found.values()]


def test_a_comparison_scores_every_trial_after_its_first_fit(results: Results) -> None:
    history = Replay.of(run_named(results, "bayesian"), 6).whole
    found = predictions(GaussianProcess(), history, Laplace(), np.random.default_rng(0), first=4)
    n = int(history.finished.sum())
    assert found.loo.shape == (n,)
    assert found.ahead.shape == found.pit.shape == (n - 4,)
    assert np.isfinite(found.ahead).all()
    with pytest.raises(SpecificationError, match="expected at least 22 finished trials"):
        predictions(GaussianProcess(), history, Laplace(), np.random.default_rng(0), first=20)


def test_the_better_of_two_known_predictors_comes_first_and_has_the_weight() -> None:
    rng = np.random.default_rng(1)
    y = rng.standard_normal(400)

    def said(scale: float) -> Predictions:
        law = stats.norm(0.0, scale)
        half = slice(200), slice(200, 400)
        return Predictions(law.logpdf(y[half[0]]), law.logpdf(y[half[1]]), law.cdf(y[half[1]]), 0.0, 0.0)

    first, second = compare({"wide": [said(3.0)], "right": [said(1.0)]})
    assert (first["surrogate"], second["surrogate"]) == ("right", "wide")
    assert first["ahead_difference"] == 0.0
    # Expected, by trial: log 3 - (1 - 1/9) / 2, and its sum's standard deviation sqrt(n / 2) (1 - 1/9).
    expected, sd = 200.0 * (np.log(3.0) - 4.0 / 9.0), np.sqrt(200.0 / 2.0) * 8.0 / 9.0
    assert second["ahead_difference"] == pytest.approx(-expected, abs=4.0 * sd)
    assert second["ahead_se"] == pytest.approx(sd, rel=0.3)
    assert first["ahead_weight"] > 0.95
    assert first["loo_weight"] > 0.95
    assert first["in_90"] == pytest.approx(0.9, abs=4.0 * np.sqrt(0.09 / 200.0))
    json.dumps([first, second], allow_nan=False)


def test_the_command_compares_surrogates_and_leaves_a_record(results: Results, monkeypatch: pytest.MonkeyPatch) -> None:
    # By default those of a list, here a short one; a point estimate is quick.
    monkeypatch.setattr(surrogate_comparison, "USUAL", ("gp", "additive"))
    where = ["compare-surrogates", str(results.path), "--run", "branin/bayesian/0", "--inference", "map"]
    result = CliRunner().invoke(app, where, env={"COLUMNS": "80"})
    assert result.exit_code == 0, result.output
    record = json.loads((results.path / "surrogates.json").read_text())
    assert {row["surrogate"] for row in record["surrogates"]} == {"gp", "additive"}
    assert record["runs"] == [run_named(results, "bayesian").run_id]
    for said in ("one step", "leave-", "one-out", "weight", "predicts the next trial best", "surrogates.json"):
        assert said in result.output
    # A point estimate has no weights that could be off.
    assert {row["bad_khat"] for row in record["surrogates"]} == {None}
    alone = CliRunner().invoke(app, [*where, "--surrogates", "gp"])
    assert alone.exit_code == 0, alone.output
    assert "standard errors" not in alone.output
    assert [row["surrogate"] for row in json.loads((results.path / "surrogates.json").read_text())["surrogates"]] == [
        "gp"
    ]
    refused = CliRunner().invoke(app, [*where, "--surrogates", "gpp"])
    assert refused.exit_code == 2
    assert "did you mean 'gp'?" in refused.stderr


def test_a_surrogate_that_cannot_be_fitted_is_left_out_by_its_name(results: Results, monkeypatch: pytest.MonkeyPatch):
    fit = MAP.fit

    def fails(self: MAP, density: LogDensity, data: TrainingData, **arguments: Any) -> Posterior:
        found = fit(self, density, data, **arguments)
        if density.surrogate.name == "gp" or len(data.y) != 5:
            return found
        return replace(found, report=replace(found.report, status="failed", reason="by the test"))

    monkeypatch.setattr(MAP, "fit", fails)
    where = ["compare-surrogates", str(results.path), "--run", "branin/bayesian/0", "--inference", "map"]
    result = CliRunner().invoke(app, [*where, "--surrogates", "additive,gp"])
    assert result.exit_code == 0, result.output
    assert "'additive' is left out: surrogate 'additive', 5 trials: by the test" in result.stderr
    assert [row["surrogate"] for row in json.loads((results.path / "surrogates.json").read_text())["surrogates"]] == [
        "gp"
    ]
    refused = CliRunner().invoke(app, [*where, "--surrogates", "additive"])
    assert refused.exit_code == 2
    assert "5 trials: by the test" in refused.stderr


def test_the_usual_surrogates_are_those_that_can_stand_for_all_spaces(monkeypatch: pytest.MonkeyPatch) -> None:
    one, other = (History(as_space(s), "minimize", ()) for s in ({"x": (0.0, 1.0)}, {"kind": ["a", "b", "c"]}))
    assert usual([one]) == list(USUAL)
    monkeypatch.setattr(surrogate_comparison, "USUAL", ("gp", "hsgp"))
    assert usual([one]) == ["gp", "hsgp"]
    assert usual([one, other]) == ["gp"]


def _printed(rows: list[dict[str, object]]) -> str:
    console = Console(width=80, record=True, file=io.StringIO())
    print_surrogates(rows, ["branin/bayesian/0"], console)
    return console.export_text()


def test_tables_cut_nothing_at_eighty_columns() -> None:
    row = {
        "surrogate": "bayesian_neural_network", "ahead": -1.0, "ahead_difference": -123.4, "ahead_se": 12.3,
        "ahead_weight": 0.5, "loo_difference": -123.4, "loo_se": 12.3, "loo_weight": 0.5, "bad_khat": 1.0,
        "in_50": 1.0, "in_90": 0.9, "trials": 20,
    }  # fmt: skip
    text = _printed([row, row | {"bad_khat": None}])
    assert "\N{HORIZONTAL ELLIPSIS}" not in text
    assert text.count("bayesian_neural_network -123.4 ± 12.3") == 2
    assert text.split("\n")[0] == "Log densities less those of the first surrogate, ± standard error"
    assert text.split("\n")[1].split() == ["one", "step", "leave-", "bad", "in", "in"]
    assert text.split("\n")[2].split() == [
        "surrogate",
        "ahead",
        "weight",
        "one-out",
        "weight",
        "k",
        "50",
        "%",
        "90",
        "%",
    ]


def test_what_is_the_same_is_not_told_apart() -> None:
    rng = np.random.default_rng(0)
    said = Predictions(rng.normal(size=9), rng.normal(size=9), rng.random(9), 0.0, 0.0)
    assert "not told apart from it: other." in _printed(list(compare({"one": [said], "other": [said]})))
