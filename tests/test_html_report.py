"""The HTML report: what is on the page, what is not, and what it says where there is nothing."""

from __future__ import annotations

import json
import re
from collections import Counter
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from scipy.stats import binomtest
from synthetic_diagnostics import diagnosed
from synthetic_results import PROBLEMS, fit, trial, write_experiment, write_results, write_run
from typer.testing import CliRunner

from bayeshpo.analysis.export import export
from bayeshpo.analysis.figures.style import Drawing, new_figure
from bayeshpo.analysis.hyperparameter_table import hyperparameter_tables
from bayeshpo.analysis.report import write_report
from bayeshpo.analysis.report.svg import dark, figures
from bayeshpo.cli import app
from bayeshpo.errors import SpecificationError

SECTIONS = [
    "overview", "regret", "diagnostics", "posteriors", "slices", "importance", "parallel", "runs",
]  # fmt: skip
# Attributes by which a page can load something.
LOADING = {"src", "srcset", "href", "xlink:href", "data", "poster", "action"}


class Page(HTMLParser):
    """What a browser sees of a page."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.source = path.read_text(encoding="utf-8")
        self.ids: Counter[str] = Counter()
        self.links: list[str] = []
        self.tags: Counter[str] = Counter()
        self.navigation: list[str] = []
        self._text: list[str] = []
        self._in_nav = False
        self.feed(self.source)
        self.text = " ".join(" ".join(self._text).split())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag] += 1
        self._in_nav = tag == "nav" or (self._in_nav and tag != "main")
        for name, value in attrs:
            if name == "id":
                self.ids[str(value)] += 1
            if name in LOADING:
                self.links.append(str(value))
                if self._in_nav:
                    self.navigation.append(str(value).removeprefix("#"))

    def handle_data(self, data: str) -> None:
        self._text.append(data)


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Page:
    """Of results with fits, kept posteriors, and rows as they have become."""
    path = write_results(tmp_path_factory.mktemp("report") / "demo", seeds=1, budget=8)
    for file in path.glob("runs/*bayesian*/inference.jsonl"):
        rows = [json.loads(line) for line in file.read_text().splitlines()]
        more = {"ahead_pit": 0.5, "ahead_log_score": -0.5, "rhat_nested_max": 1.02,
                "information": {"lengthscale[x0]": 0.7}, "prior_sensitivity": {"lengthscale[x0]": 0.04},
                "audit_status": "agrees", "audit_z": 1.5,
                "audit_sd_ratio": 0.97, "size_status": "ok", "size_khat": 0.3, "size_seconds": 0.1}  # fmt: skip
        file.write_text("".join(json.dumps(row | more) + "\n" for row in rows))
    return Page(write_report(path))


def reported(path: Path) -> Page:
    return Page(write_report(path))


def test_every_section_is_there_and_in_the_navigation(page: Page):
    assert page.navigation == SECTIONS
    assert all(page.ids[name] == 1 for name in SECTIONS)
    assert page.text.count("demo") >= 2
    for figure in ("regret", "anytime", "ranks", "lengthscales", "slice_hartmann6", "convergence"):
        assert page.ids[f"figure-{figure}"] == 1
    assert sum(name.startswith("figure-trace_") for name in page.ids) == 4


def test_the_page_loads_nothing_and_its_identifiers_are_unique(page: Page):
    own = {link for link in page.links if link.startswith("#")}
    assert set(page.links) - own == {"data:,"}
    assert {link.removeprefix("#") for link in own} <= set(page.ids)
    assert set(page.ids.values()) == {1}
    assert set(re.findall(r"url\(([^)#]*)", page.source)) == {""}
    assert set(re.findall(r"url\(#([^)]+)\)", page.source)) <= set(page.ids)
    assert "@import" not in page.source
    assert "http://" not in page.source
    assert "https://" not in page.source


def test_the_report_gives_the_verdicts_of_diagnose(page: Page):
    assert "Can the posteriors be trusted?" in page.text
    # Its nested R-hats are beyond their limit.
    assert "failed nested R-hat" in page.text


def test_a_run_that_kept_a_posterior_has_its_predictive_check(page: Page):
    checks = {name for name in page.ids if name.startswith("figure-predictive_")}
    assert checks == {f"figure-predictive_{problem}-bayesian-0" for problem in PROBLEMS}


@pytest.mark.slow
def test_of_a_hundred_runs_the_file_stays_below_20_mb(tmp_path: Path):
    # Every run with sixty trials, every fit with all that is on record of one, and half of the runs with a posterior.
    path = write_results(tmp_path / "many", seeds=25, budget=60)
    rng = np.random.default_rng(0)
    for file in path.glob("runs/*bayesian*/inference.jsonl"):
        rows = [diagnosed(n, rng) | fit(n, rng) for n in range(4, 60)]
        file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    file = write_report(path)
    assert len(Page(file).ids) > 100
    assert file.stat().st_size < 20e6


def test_columns_of_inference_that_are_there_are_shown(page: Page):
    # Of each problem there is one run with four fits.
    low = binomtest(4, 4).proportion_ci(0.95, method="exact").low
    assert f"{100 * low:.0f}\N{EN DASH}100 %" in page.text
    assert "Coverage one step ahead" in page.text
    assert "nested R-hat" in page.text
    assert "step size" not in page.text
    assert "lengthscale[x0] 0.700 0.0400 -" in page.text
    # Audits, and what was modelled beside the loss: what came out in numbers, and how it ended in a word.
    for said in ("audit z", "audit sd ratio", "k-hat of size", "s of size", "how the fit of size ended: ok 8"):
        assert said in page.text
    assert "comparison with a fresh fit of NUTS: agrees 8" in page.text


def test_a_space_that_is_not_the_problems_is_said(page: Page):
    assert "hartmann6: expected the problem's hyperparameters x1, x2, x3, x4, x5, x6, got x0, x1" in page.text


def test_partial_results_without_fits(tmp_path: Path):
    write_experiment(tmp_path, {"branin": {}}, ("random",), 3, 4)
    space = ("x1", "x2")
    trials = [trial(i, v, {"x1": float(i), "x2": 3.0}) for i, v in enumerate([3.0, None, 1.0, 2.0])]
    write_run(tmp_path, "branin", "random", 0, trials, optimum=0.0, space=space)
    folder = write_run(tmp_path, "branin", "random", 1, trials[:2], budget=4, optimum=0.0, space=space, status=None)
    (folder / "error.txt").write_text("RuntimeError: the disk is full\n\nTraceback")
    page = reported(tmp_path)
    assert page.navigation == ["overview", "regret", "parallel", "runs"]
    assert "1 of 3 runs finished, 1 unfinished, 1 missing" in page.text
    assert "Nothing to show (convergence: no surrogate was fitted" in page.text
    assert "Nothing to show (no posterior was kept)." in page.text
    assert "RuntimeError: the disk is full" in page.text
    assert "missing" in page.text
    assert "boom" in page.text
    assert "1 failed, not finished" in page.text


def test_results_without_a_finished_trial(tmp_path: Path):
    write_experiment(tmp_path, {"p": {}}, ("random",), 1, 2)
    write_run(tmp_path, "p", "random", 0, [trial(0, None), trial(1, None)])
    page = reported(tmp_path)
    assert page.navigation == ["overview", "regret", "runs"]
    assert page.tags["figure"] == 0
    assert "2, 2 of them failed" in page.text


def test_results_without_a_run(tmp_path: Path):
    write_experiment(tmp_path, {"p": {}}, ("random",), 1, 2)
    (tmp_path / "runs").mkdir()
    page = reported(tmp_path)
    assert page.navigation == ["overview"]
    assert "No run has begun." in page.text


def test_what_was_typed_is_shown_as_it_was_typed(tmp_path: Path):
    label = '<img src="x" onerror="alert(1)">&amp;$'
    write_experiment(tmp_path, {label: {}}, (label,), 1, 2)
    trials = [trial(0, 2.0, {label: label}), trial(1, None, {label: "b"}, reason="<script>boom</script>")]
    # The run's folder has a name of its own.
    folder = write_run(tmp_path, "p", "s", 0, trials, space=(label,))
    record = json.loads((folder / "spec.json").read_text())
    record["problem"]["label"] = record["searcher"]["label"] = label
    (folder / "spec.json").write_text(json.dumps(record))
    page = reported(tmp_path)
    assert page.tags["img"] == 0
    assert page.tags["script"] == 1
    assert label in page.text
    assert "<script>boom</script>" in page.text


def test_the_same_results_give_the_same_bytes(tmp_path: Path):
    write_experiment(tmp_path, {"p": {}}, ("random",), 1, 2)
    write_run(tmp_path, "p", "random", 0, [trial(0, 2.0), trial(1, 1.0)])
    assert write_report(tmp_path).read_bytes() == write_report(tmp_path).read_bytes()


def test_the_command_prints_the_path(tmp_path: Path):
    write_experiment(tmp_path / "r", {"p": {}}, ("random",), 1, 2)
    write_run(tmp_path / "r", "p", "random", 0, [trial(0, 2.0)], budget=2, status=None)
    result = CliRunner().invoke(app, ["report", str(tmp_path / "r")])
    assert result.exit_code == 0
    assert result.output.strip() == str(tmp_path / "r" / "report.html")
    with pytest.raises(SpecificationError, match="no results here"):
        write_report(tmp_path)


def test_many_trials_and_fits_are_cut_short_and_it_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("bayeshpo.analysis.report.runs._ROWS", 0)
    rng = np.random.default_rng(0)
    write_experiment(tmp_path, {"p": {}}, ("mine",), 1, 70)
    rows = [fit(n, rng) for n in range(4, 70)]
    write_run(tmp_path, "p", "mine", 0, [trial(i, 1.0 + i) for i in range(70)], inference=rows)
    page = reported(tmp_path)
    assert "The last 50 of 70; all are in the run's trials.jsonl." in page.text
    assert "The last 50 of 66; all are in the run's inference.jsonl." in page.text


def test_records_in_small_form(tmp_path: Path):
    problems = {"hartmann6": PROBLEMS["hartmann6"]}
    export(write_results(tmp_path / "whole", seeds=1, budget=6, problems=problems), tmp_path / "small")
    page = reported(tmp_path / "small")
    assert page.ids["figure-slice_hartmann6"] == 1
    assert sum(name.startswith("figure-trace_") for name in page.ids) == 2


def luminance(color: str) -> float:
    """Relative luminance (WCAG 2), by its definition."""
    channels = np.array([int(color[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    linear = np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])


@pytest.mark.parametrize(
    "color", ["#000000", "#6e6e6e", "#0072b2", "#5b2a86", "#882255", "#d55e00", "#e69f00", "#117733"]
)
def test_colours_stand_out_on_dark_paper(color: str):
    ratio = (luminance(dark(color)) + 0.05) / (luminance("#16181c") + 0.05)
    assert ratio >= 3.0


def test_greys_are_turned_over():
    shades = [luminance(dark(f"#{v:02x}{v:02x}{v:02x}")) for v in range(0, 256, 51)]
    assert all(a > b for a, b in pairwise(shades))
    assert dark("#ffffff") == "#16181c"


def test_mathematics_becomes_text_and_colours_properties():
    def draw(width: float) -> list[Drawing]:
        figure = new_figure(width, 2.0)
        axes = figure.subplots()
        axes.plot([0, 1], [0, 1], color="#0072B2")
        axes.set_xlabel(r"largest $\widehat{R}$ of $10^{-3}$")
        axes.set_ylabel(r"$\mathdefault{6\times10^{-1}}$")
        return [Drawing("one", figure, "")]

    (shown,) = figures(draw)
    svg = str(shown.svg)
    assert ">largest R\u0302 of 10⁻³</text>" in svg
    assert ">6\u00d710⁻¹</text>" in svg
    assert "stroke: var(--c0072b2)" in svg
    assert "#0072b2" not in svg
    assert "font-family" not in svg


def test_a_mixture_of_surrogates_has_a_table_for_each_member():
    draws = np.random.default_rng(0).normal(size=(4, 200))
    groups = {f"members/{name}/posterior": xr.Dataset({"noise": (("chain", "draw"), draws + shift)})
              for name, shift in {"gp": 0.0, "saas": 5.0}.items()}  # fmt: skip
    tables = hyperparameter_tables(xr.DataTree.from_dict(groups))
    assert {name: round(table.loc["noise", "mean"]) for name, table in tables.items()} == {"gp": 0, "saas": 5}


def test_many_markers_become_a_picture():
    def draw(width: float) -> list[Drawing]:
        figure = new_figure(width, 2.0)
        x = np.random.default_rng(0).normal(size=(2, 5000))
        figure.subplots().plot(*x, "o", color="#0072B2")
        return [Drawing("many", figure, "")]

    (shown,) = figures(draw)
    assert len(shown.svg) < 200_000
    assert 'href="data:image/png;base64,' in shown.svg
