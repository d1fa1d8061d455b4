"""Figures: files, captions, determinism, and what is drawn when results are incomplete."""

from __future__ import annotations

import itertools
import json
import logging
from pathlib import Path

import matplotlib
import numpy as np
import pytest
from foreign_traces import hpob
from matplotlib import colors
from synthetic_results import trial, write_experiment, write_results, write_run

from bayeshpo.analysis.__main__ import main
from bayeshpo.analysis.comparisons import write_comparisons
from bayeshpo.analysis.completeness import completeness
from bayeshpo.analysis.export import export
from bayeshpo.analysis.figures import anytime, comparison, critical, draw_all, ecdf, inference, ranks, regret, style
from bayeshpo.analysis.figures.over_trials import as_line
from bayeshpo.analysis.outcomes import outcomes
from bayeshpo.analysis.tables import write_tables
from bayeshpo.analysis.traces import Traces
from bayeshpo.errors import SpecificationError
from bayeshpo.experiment.status import status
from bayeshpo.experiment.store import Results

NAMES = [
    "regret", "anytime", "ranks", "iqm", "ecdf", "profile", "wins", "comparison", "lengthscales", "slice_hartmann6",
    "slice_svc_digits", "convergence", "checks",
]  # fmt: skip
# What fits without the diagnostics of today cannot have; see test_diagnosis for these.
OF_DIAGNOSTICS = {"reuse", "pit", "coverage", "fan", "agreement", "optimum", "place", "predictors"}
# What two searchers cannot have, and results without recommendations, too.
LEFT_OUT = {"critical", "inference"} | OF_DIAGNOSTICS


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = write_results(tmp_path_factory.mktemp("results") / "demo", seeds=2, budget=8)
    write_comparisons(path, [comparison_record()])
    return path


def comparison_record(status: str = "ok") -> dict:
    """What `bayeshpo compare` leaves of one model."""
    return {
        "name": "log_regret", "title": "Log regret", "unit": "log10, from the mean", "note": "12 runs.",
        "searchers": ["random", "bayesian"], "low": [0.2, -0.5], "median": [0.3, -0.3], "high": [0.5, -0.2],
        "best": [0.01, 0.99], "claim": "bayesian is best.",
        "coverage": ["2 searchers on 2 problems, 2 seeds on each: 8 runs."],
        "runs": [{"compared": 4, "asked": 4, "missing": 0}] * 2,
        "report": {"status": status, "reason": "R-hat 1.3", "rhat_max": 1.002, "ess_bulk_min": 900.0, "divergences": 0},
    }  # fmt: skip


def captions(folder: Path) -> dict[str, str]:
    return json.loads((folder / "captions.json").read_text())["captions"]


def left_out(folder: Path) -> dict[str, str]:
    return json.loads((folder / "captions.json").read_text())["left out"]


def few_runs(path: Path, *traces: list[float | None], optimum: float | None = 0.0, seeds: int | None = None) -> Path:
    write_experiment(path, {"p": {}}, ("random",), seeds or len(traces), len(traces[0]))
    for seed, trace in enumerate(traces):
        write_run(path, "p", "random", seed, [trial(i, v) for i, v in enumerate(trace)], optimum=optimum)
    return path


def traces_of(path: Path) -> Traces:
    results = Results(path)
    return Traces.of_results(results, results.runs())


def test_every_figure_as_pdf_and_png_with_caption_and_the_same_bytes_twice(results: Path, tmp_path: Path):
    first = draw_all(results)
    assert [p.name for p in first] == [f"{n}.{s}" for n in NAMES for s in ("pdf", "png")] + ["captions.json"]
    assert all(p.parent == results / "figures" for p in first)
    assert set(captions(results / "figures")) == set(NAMES)
    assert set(left_out(results / "figures")) == LEFT_OUT
    second = draw_all(results, tmp_path)
    for a, b in zip(first, second, strict=True):
        assert a.read_bytes() == b.read_bytes(), a.name
        if a.suffix == ".pdf":
            assert a.read_bytes().startswith(b"%PDF")
            assert b"CreationDate" not in a.read_bytes()
            assert b"/Type3" not in a.read_bytes()


def test_captions_name_the_band_and_the_seeds(results: Path):
    text = captions(results / "figures") if (results / "figures").exists() else captions(draw_all(results)[0].parent)
    assert "medians and bands the quartiles over 2 seeds" in text["regret"]
    assert "2 searchers on 2 problems, 2 seeds on each" in text["ranks"]
    assert "95 % bootstrap intervals over problems" in text["ranks"]
    assert "On svc digits the optimum is unknown" in text["regret"]
    assert "90 % band" in text["slice_hartmann6"]
    assert "2 seeds" in text["lengthscales"]
    assert "limits 1.01 and 400" in text["convergence"]


def test_a_run_that_lost_its_last_line_counts_as_unfinished_everywhere(tmp_path: Path):
    few_runs(tmp_path, [3.0, 1.0], [2.0, 0.5])
    lost = tmp_path / "runs" / "p-random-1" / "trials.jsonl"
    lost.write_bytes(lost.read_bytes()[:-9])
    results = Results(tmp_path)
    runs = results.runs()
    assert [row.state for row in status(results)] == ["done", "interrupted"]
    assert str(completeness(results, runs)) == "1 of 2 runs finished, 1 unfinished"
    assert [(row.asked, row.finished) for row in outcomes(results, runs)] == [(2, 1)]
    traces = traces_of(tmp_path)
    assert traces.missing == 1
    for draw in (regret.draw, anytime.draw):
        (drawing,) = draw(traces, 5.5)
        assert "over 2 seeds" in drawing.caption
        assert drawing.caption.endswith(" 1 run unfinished, and drawn with the trials on record.")
    write_tables(tmp_path)
    assert " & 1 of 2 & " in (tmp_path / "tables" / "regret.tex").read_text()


def test_the_small_form_draws_every_figure(results: Path, tmp_path: Path):
    export(results, tmp_path / "small")
    assert main(["paper", str(tmp_path / "small"), str(tmp_path / "paper")]) == 0
    made = {p.name for p in (tmp_path / "paper").iterdir()}
    assert {f"{name}.pdf" for name in NAMES} <= made
    assert {"captions.tex", "numbers.tex", "regret.tex", "health.tex"} <= made
    assert r"\newcommand{\DemoCaptionRegret}{" in (tmp_path / "paper" / "captions.tex").read_text()


def test_what_cannot_be_drawn_is_left_out_and_said(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    few_runs(tmp_path, [3.0, 1.0])
    with caplog.at_level(logging.WARNING):
        paths = draw_all(tmp_path)
    assert [p.name for p in paths] == ["regret.pdf", "regret.png", "anytime.pdf", "anytime.png", "captions.json"]
    others = {"ranks", "iqm", "ecdf", "profile", "wins"}
    assert set(left_out(tmp_path / "figures")) == LEFT_OUT | others | {
        "comparison",
        "lengthscales",
        "slice",
        "convergence",
        "checks",
    }
    # Many figures, few reasons: one line each.
    (line,) = [m for m in caplog.messages if "no surrogate was fitted" in m]
    assert line.startswith("figures left out, no surrogate was fitted: convergence, checks")
    assert "One seed" in captions(tmp_path / "figures")["regret"]


def test_results_without_a_finished_trial_draw_nothing(tmp_path: Path):
    few_runs(tmp_path, [None, None], optimum=None)
    assert [p.name for p in draw_all(tmp_path)] == ["captions.json"]
    assert left_out(tmp_path / "figures")["regret"] == "no trial has finished"


def test_incomplete_results_are_marked(tmp_path: Path):
    few_runs(tmp_path / "whole", [3.0, None, 1.0], [None, 2.0, 1.5])
    few_runs(tmp_path / "part", [3.0, None, 1.0], [None, 2.0, 1.5], seeds=3)
    draw_all(tmp_path / "whole")
    draw_all(tmp_path / "part")
    assert "ncomplete" not in captions(tmp_path / "whole" / "figures")["regret"]
    assert "Incomplete results: 2 of 3 runs finished, 1 missing." in captions(tmp_path / "part" / "figures")["regret"]
    whole, part = (tmp_path / name / "figures" / "regret.png" for name in ("whole", "part"))
    assert whole.read_bytes() != part.read_bytes()


def test_mark_stands_on_the_face_of_the_figure(tmp_path: Path):
    with style.settings():
        (drawing,) = regret.draw(traces_of(few_runs(tmp_path, [3.0, 1.0])), 5.5)
        style.mark_incomplete(drawing.figure, "1 missing")
    assert [t.get_text() for t in drawing.figure.texts] == ["incomplete results: 1 missing"]


def test_inference_regret_stands_beside_the_simple_one(tmp_path: Path):
    # Noise makes trial 1 look best; 0 is recommended, which is truly better.
    for seed, true in enumerate([0.4, 0.2, 0.3]):
        trials = [trial(0, 0.9) | {"true_value": true}, trial(1, 0.1) | {"true_value": 1.0}]
        folder = write_run(tmp_path, "p", "random", seed, trials, optimum=0.0)
        done = json.loads((folder / "done.json").read_text()) | {"recommendation": {"index": 0}}
        (folder / "done.json").write_text(json.dumps(done))
    write_experiment(tmp_path, {"p": {}}, ("random",), 3, 2)
    with style.settings():
        (drawing,) = inference.draw(traces_of(tmp_path), 5.5)
    (axes,) = drawing.figure.axes
    bars, points = axes.lines[::2], axes.lines[1::2]
    np.testing.assert_allclose([bar.get_ydata() for bar in bars], [[0.25, 0.35], [1.0, 1.0]])
    np.testing.assert_allclose([point.get_ydata() for point in points], [[0.3], [1.0]])
    assert [point.get_markerfacecolor() for point in points] == [style.looks(["random"])["random"].color, "white"]
    assert "quartiles over 3 seeds" in drawing.caption


def test_zero_regret_is_visible_on_the_log_axis(tmp_path: Path):
    with style.settings():
        (drawing,) = regret.draw(traces_of(few_runs(tmp_path, [3.0, 0.01, 0.0], [2.0, 0.5, 0.0])), 5.5)
    axes = drawing.figure.axes[0]
    labels = [label.get_text() for label in axes.get_yticklabels()]
    assert labels[0] == "0"
    drawn = axes.lines[0].get_ydata()
    zero = axes.get_yticks()[0]
    assert np.asarray(drawn)[-1] == zero
    assert 0 < axes.get_ylim()[0] < zero < 0.1325  # the lowest quartile above 0
    assert "exactly 0" in drawing.caption


@pytest.mark.parametrize("trace", [[2.3, 2.1], [0.9, 0.25], [3.0, 0.9], [500.0, 1e-6], [0.5003, 0.5001], [1.0, 1.0]])
def test_axis_has_labelled_ticks_however_narrow_or_wide_its_range(trace: list[float], tmp_path: Path):
    with style.settings():
        (drawing,) = regret.draw(traces_of(few_runs(tmp_path, trace)), 5.5)
        drawing.figure.draw_without_rendering()
    axes = drawing.figure.axes[0]
    low, high = axes.get_ylim()
    shown = [t.get_text() for y, t in zip(axes.get_yticks(), axes.get_yticklabels(), strict=True) if low <= y <= high]
    assert 2 <= len(shown) <= 8
    assert all(shown)


@pytest.mark.parametrize("most", [1.5, 8.0, 60.0, 1e5])
def test_costs_and_targets_have_labelled_ticks_however_narrow_their_range(most: float, tmp_path: Path):
    write_experiment(tmp_path, {"p": {}, "q": {}}, ("random", "sobol"), 2, 2)
    for problem, searcher, seed in itertools.product("pq", ("random", "sobol"), range(2)):
        trials = [trial(0, 1.0, work=1.0), trial(1, 0.7, work=most - 1.0)]
        write_run(tmp_path, problem, searcher, seed, trials, optimum=0.0)
    with style.settings():
        drawings = [*anytime.draw(traces_of(tmp_path), 5.5), *ecdf.draw(traces_of(tmp_path), 5.5)]
    for axes in (drawings[0].figure.axes[0], drawings[1].figure.axes[1]):
        low, high = sorted(axes.get_xlim())
        ticks = zip(axes.get_xticks(), axes.get_xticklabels(), strict=True)
        shown = [t.get_text() for x, t in ticks if low <= x <= high]
        assert 2 <= len(shown) <= 8
        assert all(shown)


def test_a_searcher_whose_seeds_take_very_different_times_has_its_line(tmp_path: Path):
    """With two seeds, the first of which loads a library, the median begins after the other one's end."""
    write_experiment(tmp_path, {"p": {}}, ("random", "optuna"), 2, 2)
    for searcher, seed, first in (("random", 0, 1e-4), ("random", 1, 1e-4), ("optuna", 0, 5e-2), ("optuna", 1, 5e-3)):
        trials = [trial(0, 2.0, seconds_ask=first), trial(1, 1.0, seconds_ask=1e-3)]
        write_run(tmp_path, "p", searcher, seed, trials, optimum=0.0)
    with style.settings():
        (drawing,) = anytime.draw(traces_of(tmp_path), 5.5)
    own = drawing.figure.axes[-1].lines
    assert len(own) == 2
    for line in own:
        marked = np.asarray(line.get_ydata())[line.get_markevery()]
        assert len(marked) > 0
        assert np.isfinite(marked).all()


def test_regret_that_is_zero_everywhere(tmp_path: Path):
    few_runs(tmp_path, [0.0, 0.0])
    assert [p.name for p in draw_all(tmp_path)][:2] == ["regret.pdf", "regret.png"]


def test_bands_are_quartiles_and_do_not_cross_zero(tmp_path: Path):
    traces = [[1.0, 0.5], [2.0, 1e-9], [4.0, 1e-3]]
    with style.settings():
        (drawing,) = regret.draw(traces_of(few_runs(tmp_path, *traces)), 5.5)
    axes = drawing.figure.axes[0]
    band = axes.collections[0].get_paths()[0].vertices
    at_first = band[band[:, 0] == 1.0][:, 1]
    assert (at_first.min(), at_first.max()) == (1.5, 3.0)
    assert band[:, 1].min() > 0
    np.testing.assert_allclose(np.asarray(axes.lines[0].get_ydata()), [2.0, 1e-3])


def test_panels_of_a_row_share_an_axis_that_holds_all_their_lines(tmp_path: Path):
    write_experiment(tmp_path, {"p": {}}, ("random",), 1, 3)
    # Proposing costs nothing at first: of the searcher's own seconds there is only the last regret to be drawn.
    trials = [trial(i, v, seconds_ask=s) for i, (v, s) in enumerate([(10.0, 0.0), (1.0, 0.0), (0.1, 0.01)])]
    write_run(tmp_path, "p", "random", 0, trials, optimum=0.0)
    found = Results(tmp_path)
    with style.settings():
        (drawing,) = anytime.draw(Traces.of_results(found, found.runs()), 5.5)
    lines = [(line, axes) for axes in drawing.figure.axes for line in axes.lines]
    for line, axes in lines:
        values = np.asarray(line.get_ydata(), dtype=float)
        low, high = axes.get_ylim()
        known = values[np.isfinite(values)]
        assert ((low <= known) & (known <= high)).all()
    assert len(lines) == 3


def test_of_several_objectives_captions_say_what_regret_is_of(tmp_path: Path):
    write_experiment(tmp_path, {"p": {}}, ("random",), 1, 3)
    trials = [trial(i, v, metrics={"size": 3.0 - v}) for i, v in enumerate([2.0, 1.0, 3.0])]
    write_run(tmp_path, "p", "random", 0, trials, aims={"objectives": {"size": "minimize"}})
    draw_all(tmp_path)
    assert "Of p, with several objectives, hypervolume" in captions(tmp_path / "figures")["regret"]
    assert "pareto" in left_out(tmp_path / "figures")


@pytest.mark.parametrize("width", [3.25, 6.75])
def test_critical_differences_stand_where_the_ranks_are(width: float):
    with style.settings():
        (drawing,) = critical.draw(hpob(), width)
    texts = {t.get_text() for t in drawing.figure.axes[0].texts}
    assert {"FSBO (2.99)", "Random (5.73)", "CD = 0.97"} <= texts
    # Two bars: FSBO with RGPE, and RGPE with four others.
    assert sum(line.get_linewidth() == 2.4 for line in drawing.figure.axes[0].lines) == 2
    assert "86 problems, 5 seeds on each" in drawing.caption
    assert "p < 0.0001" in drawing.caption


def test_a_model_that_did_not_converge_says_so_on_its_face():
    with style.settings():
        (drawing,) = comparison.draw([comparison_record("not_converged")], 5.5)
    assert "not converged" in {t.get_text() for t in drawing.figure.axes[0].texts}
    assert [t.get_text() for t in drawing.figure.axes[0].get_yticklabels()] == ["bayesian", "random"]


def test_aggregates_say_what_is_missing_and_who_is_left_out(tmp_path: Path):
    traces = {"a": [3.0, 2.0], "b": [3.0, 1.0], "c": [3.0, 0.5]}
    write_experiment(tmp_path, {"p": {}, "q": {}}, tuple(traces), 2, 2)
    for problem in "pq":
        for searcher, values in traces.items():
            if (problem, searcher) != ("q", "c"):
                write_run(tmp_path, problem, searcher, 0, [trial(i, v) for i, v in enumerate(values)], optimum=0.0)
    with style.settings():
        (drawing,) = ranks.draw(traces_of(tmp_path), 5.5)
    # One problem has no run of c, and the second seed has not begun.
    assert "3 searchers on 1 problem, 1 seed on each" in drawing.caption
    assert "1 problem left out, on which no seed has all of these searchers" in drawing.caption
    assert "7 runs missing or unfinished" in drawing.caption


def test_looks_are_distinct_and_do_not_depend_on_company():
    known = ["random", "sobol", "grid", "finite_difference", "hypergradient", "bayesian"]
    looks = style.looks([*known, "mine", "yours"])
    assert style.looks(["yours"])["yours"] == looks["yours"]
    assert style.looks(["Random"])["Random"] == looks["random"]
    assert len({look.color for look in looks.values()}) == len({look.marker for look in looks.values()}) == 8
    for name in known:
        assert style.looks([name])[name] == looks[name]
    assert all(colors.is_color_like(look.color) for look in looks.values())
    many = style.looks([f"s{i}" for i in range(12)])
    assert len(set(many.values())) == 12


def test_labels_are_safe_as_names_of_files():
    assert style.file_name("slice", "a/b: c", "d_e") == "slice_a_b_c_d_e"


def test_no_global_state(tmp_path: Path):
    before = dict(matplotlib.rcParams)
    draw_all(few_runs(tmp_path, [3.0, 1.0]))
    assert dict(matplotlib.rcParams) == before


def test_unknown_venue_is_refused(results: Path):
    with pytest.raises(SpecificationError, match="expected a venue of neurips"):
        draw_all(results, venue="nature")


def test_what_is_known_of_one_number_of_trials_is_seen():
    at, low = as_line([12], [0.5])
    assert at[0] < 12.0 < at[1]
    assert list(low) == [0.5, 0.5]
    at, low = as_line([4, 8], [0.5, 0.7])
    assert (list(at), list(low)) == ([4.0, 8.0], [0.5, 0.7])
