"""What is said of a campaign's posteriors: checks, coverage, verdicts, figures, and a regression of next regrets."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats
from synthetic_diagnostics import diagnosed, write_diagnosed
from synthetic_results import fit, trial, write_experiment, write_results, write_run
from typer.testing import CliRunner

from bayeshpo.analysis.ahead import Ahead
from bayeshpo.analysis.checks import complaints
from bayeshpo.analysis.comparison.next_regret import NextTrials, regress
from bayeshpo.analysis.diagnosis import diagnose, fitted, read_regression
from bayeshpo.analysis.export import export
from bayeshpo.analysis.figures import agreement, checks, coverage, fan, optimum, pit, place, predictors, reuse, style
from bayeshpo.analysis.recommended import remaining_regret
from bayeshpo.analysis.report.blocks import Table
from bayeshpo.analysis.report.diagnostics import diagnostics
from bayeshpo.analysis.statistics.uniformity import binomial_interval
from bayeshpo.cli import app
from bayeshpo.errors import SpecificationError
from bayeshpo.experiment.store import Results

SOUND = {
    "status": "ok", "action": "sampled", "chains": 4, "draws": 500, "rhat_max": 1.004, "rhat_nested_max": 1.002,
    "ess_bulk_min": 900.0, "ess_tail_min": 800.0, "mcse_max": 0.03, "divergences": 2, "bfmi_min": 0.8, "khat": 0.5,
}  # fmt: skip


def of(path: Path) -> list[dict[str, Any]]:
    return diagnose(path, fitted(path))["searchers"]


@pytest.mark.parametrize(
    ("change", "expected", "kind"),
    [
        ({}, [], 0),
        ({"khat": 0.71}, ["k-hat"], 1),
        # 1 - 1 / log10(2000), and with many draws 0.7.
        ({"khat": 0.698}, ["k-hat"], 1),
        ({"khat": 0.698, "draws": 1000}, [], 0),
        ({"rhat_max": 1.01}, ["R-hat"], 2),
        ({"rhat_nested_max": 1.2}, ["nested R-hat"], 2),
        ({"ess_bulk_min": 400.0}, ["bulk ESS"], 2),
        ({"ess_tail_min": 400.0}, ["tail ESS"], 2),
        ({"mcse_max": 0.05}, ["MCSE"], 2),
        ({"divergences": 3}, ["divergences"], 3),
        # Trials that leave-one-out is not certain of say nothing of the draws.
        ({"loo_bad_share": 0.2}, [], 0),
        # Nor does a prior that the data speak against.
        ({"prior_sensitivity": {"noise": 0.2}, "likelihood_sensitivity": {"noise": 0.1}}, [], 0),
        ({"bfmi_min": 0.29, "khat": 0.9}, ["E-BFMI", "k-hat"], 3),
        ({"status": "not_converged"}, ["other"], 4),
        # A proposal rests on the fits of metrics too; an audit is no fit.
        ({"size_status": "not_converged", "size_rhat_max": 1.02, "audit_status": "differs"}, ["R-hat"], 2),
        ({"size_status": "ok", "size_khat": 0.68, "size_chains": 4, "size_draws": 288, "khat": 0.68}, ["k-hat"], 1),
        ({"size_status": "failed", "rhat_max": 1.02}, ["R-hat", "failed"], 5),
        ({"status": "failed", "rhat_max": None}, ["failed"], 5),
        # A point estimate has nothing to be checked, and older records lack some.
        (
            dict.fromkeys(
                (
                    "rhat_max",
                    "rhat_nested_max",
                    "ess_bulk_min",
                    "ess_tail_min",
                    "mcse_max",
                    "divergences",
                    "bfmi_min",
                    "khat",
                )
            ),
            [],
            0,
        ),
    ],
)
def test_each_check_by_itself(change, expected, kind):
    row = SOUND | change
    assert sorted(complaints(row)) == sorted(expected)
    assert checks.kind_of(row) == kind


def test_coverage_counts_and_halves_are_of_each_run():
    runs = [[{"ahead_pit": p} for p in (0.1, 0.26, None, 0.5, 0.96)], [{"ahead_pit": 0.74}, {}]]
    ahead = Ahead.of([(None, rows) for rows in runs])
    np.testing.assert_array_equal(ahead.pit, [0.1, 0.26, 0.5, 0.96, 0.74])
    np.testing.assert_array_equal(ahead.late, [False, False, True, True, False])
    assert [(c.nominal, c.share, (c.low, c.high)) for c in ahead.coverage] == [
        (0.5, 3 / 5, binomial_interval(3, 5)), (0.9, 4 / 5, binomial_interval(4, 5)),
    ]  # fmt: skip
    assert np.isnan(ahead.log_score).all()
    assert ahead.mean_log_score is None
    assert len(Ahead.of([])) == 0
    assert Ahead.of([]).coverage == []


@pytest.mark.parametrize(("hits", "n"), [(0, 7), (3, 10), (114, 114)])
def test_binomial_interval_leaves_two_and_a_half_per_cent_on_either_side(hits, n):
    low, high = binomial_interval(hits, n)
    # Clopper and Pearson: at the limits, as many hits or more (fewer) have a probability of 2.5 %.
    assert low == 0.0 if hits == 0 else stats.binom.sf(hits - 1, n, low) == pytest.approx(0.025)
    assert high == 1.0 if hits == n else stats.binom.cdf(hits, n, high) == pytest.approx(0.025)


@pytest.mark.parametrize(
    ("changes", "trust", "text"),
    [
        ({"seeds": 6}, "yes", "Can be trusted: 228 of 228 fits passed"),
        ({"narrow": 2.0}, "no", "Too sure of itself: its 90% intervals held"),
        ({"narrow": 0.4}, "with care", "Too cautious: its"),
        ({"bad": 0.5}, "no", "Not to be trusted"),
        ({"bad": 0.05, "seeds": 6}, "with care", "failed R-hat"),
        ({"budget": 8}, "unknown", "18 predictions are too few"),
    ],
)
def test_verdict_says_what_was_built_in(changes, trust, text, tmp_path: Path):
    [found] = of(write_diagnosed(tmp_path, **changes))
    assert found["trust"] == trust
    assert text in found["verdict"]
    ahead = found["ahead"]
    assert ahead["trials"] == found["fits"]
    assert all(i["low"] <= i["share"] <= i["high"] for i in ahead["intervals"])


def test_outcomes_that_were_hardly_expected_are_no_matter_of_chance(tmp_path: Path):
    # Seven of 90 are beyond all that was predicted, the others as they should be: 50 and 90 % intervals do not notice.
    pit = np.append(np.linspace(0.03, 0.97, 83), np.full(7, 1e-6))
    write_experiment(tmp_path, {"branin": {}}, ("bayesian",), 1, 95)
    rows = [diagnosed(n, np.random.default_rng(n)) | {"ahead_pit": p} for n, p in enumerate(pit, start=5)]
    write_run(tmp_path, "branin", "bayesian", 0, [trial(i, 1.0) for i in range(95)], inference=rows)
    [found] = of(tmp_path)
    assert all(i["low"] <= i["nominal"] <= i["high"] for i in found["ahead"]["intervals"])
    assert found["ahead"]["uniformity"] > 0.01
    assert found["trust"] == "no"
    assert "its 99% intervals held 92% of 90 next trials" in found["verdict"]


def test_coverage_by_problem_shows_what_cancels_over_all(tmp_path: Path):
    write_experiment(tmp_path, {"wide": {}, "narrow": {}}, ("bayesian",), 1, 15)
    rng = np.random.default_rng(0)
    for problem, pit_of_all in (("wide", 0.5), ("narrow", 0.01)):
        rows = [diagnosed(n, rng) | {"ahead_pit": pit_of_all} for n in range(5, 15)]
        write_run(tmp_path, problem, "bayesian", 0, [trial(i, 1.0) for i in range(15)], inference=rows)
    [found] = of(tmp_path)
    assert found["ahead"]["intervals"][0]["share"] == 0.5
    for problem, hits in (("wide", 10), ("narrow", 0)):
        own = found["ahead_by_problem"][problem]
        assert own["trials"] == 10
        for interval in own["intervals"]:
            assert interval["share"] == hits / 10
            assert (interval["low"], interval["high"]) == binomial_interval(hits, 10)
    said = CliRunner().invoke(app, ["diagnose", str(tmp_path)]).output
    for line in (r"wide +10 +100% \(69-100\) \* +100% \(69-100\)\s", r"narrow +10 +0% \(0-31\) \* +0% \(0-31\) \*"):
        assert re.search(line, said)
    blocks = diagnostics(Results(tmp_path).runs())
    [table] = [b for b in blocks if isinstance(b, Table) and b.title == "Coverage one step ahead"]
    assert [[cell.text for cell in row[:6]] for row in table.rows if row[2].text == "50 %"] == [
        ["wide", "bayesian", "50 %", "100 %", "69\N{EN DASH}100 %", "no"],
        ["narrow", "bayesian", "50 %", "0 %", "0\N{EN DASH}31 %", "no"],
        ["all", "bayesian", "50 %", "50 %", "27\N{EN DASH}73 %", "yes"],
    ]


def test_coverage_of_a_metric_is_beside_that_of_the_value(tmp_path: Path):
    write_experiment(tmp_path, {"branin": {}}, ("bayesian",), 1, 15)
    rng = np.random.default_rng(0)
    earlier = [{"ahead_pit": 0.5}]
    told = {"size_status": "ok", "size_ahead_pit": 0.01, "size_ahead_log_score": -1.0, "size_ahead_earlier": earlier}
    rows = [diagnosed(n, rng) | {"ahead_pit": 0.5} | told for n in range(5, 15)]
    write_run(tmp_path, "branin", "bayesian", 0, [trial(i, 1.0) for i in range(15)], inference=rows)
    [found] = of(tmp_path)
    assert found["ahead"]["trials"] == 10
    shares = {name: (own["trials"], own["intervals"][0]["share"]) for name, own in found["ahead_by_problem"].items()}
    assert shares == {"branin": (10, 1.0), "branin: size": (20, 0.5)}
    [table] = [t for t in diagnostics(Results(tmp_path).runs()) if isinstance(t, Table) and t.title.startswith("Cov")]
    assert {row[0].text for row in table.rows} == {"branin", "branin: size"}
    export(tmp_path, tmp_path / "small")
    assert of(tmp_path / "small")[0]["ahead_by_problem"] == found["ahead_by_problem"]


def test_coverage_of_one_problem_stands_once(tmp_path: Path):
    write_experiment(tmp_path, {"p": {}}, ("bayesian",), 1, 15)
    rows = [diagnosed(n, np.random.default_rng(n)) for n in range(5, 15)]
    write_run(tmp_path, "p", "bayesian", 0, [trial(i, 1.0) for i in range(15)], inference=rows)
    assert of(tmp_path)[0]["ahead_by_problem"] == {}
    assert "by problem" not in CliRunner().invoke(app, ["diagnose", str(tmp_path)]).output


def test_without_predictions_nothing_is_said_of_the_model(tmp_path: Path):
    [found] = of(write_results(tmp_path, seeds=1, budget=8))
    assert found["ahead"] is None
    assert found["trust"] in ("unknown", "no")


def test_what_diagnosing_took_is_a_share_of_the_seconds(tmp_path: Path):
    write_experiment(tmp_path, {"p": {}}, ("bayesian",), 1, 15)
    seconds = {"seconds_sample": 0.6, "seconds_maximise": 0.3, "seconds_diagnose": 0.1}
    rows = [diagnosed(n, np.random.default_rng(n)) | seconds for n in range(5, 15)]
    write_run(tmp_path, "p", "bayesian", 0, [trial(i, 1.0) for i in range(15)], inference=rows)
    assert of(tmp_path)[0]["diagnosing"] == pytest.approx(0.1)


def test_point_estimates_are_said_to_be_unchecked(tmp_path: Path):
    write_experiment(tmp_path, {"p": {}}, ("bayesian",), 1, 60)
    rng = np.random.default_rng(0)
    numbers = ("rhat_max", "rhat_nested_max", "ess_bulk_min", "ess_tail_min", "divergences", "bfmi_min", "khat")
    nothing = dict.fromkeys(numbers)
    rows = [diagnosed(n, rng) | nothing for n in range(5, 60)]
    write_run(tmp_path, "p", "bayesian", 0, [trial(i, 1.0 / (i + 1)) for i in range(60)], inference=rows)
    [found] = of(tmp_path)
    assert found["trust"] == "with care"
    assert "55 fits went unchecked" in found["verdict"]


def test_audits_that_differ_take_trust_away(tmp_path: Path):
    write_experiment(tmp_path, {"p": {}}, ("bayesian",), 1, 60)
    rng = np.random.default_rng(0)
    rows = [diagnosed(n, rng) | {"audit_status": "differs" if n % 2 else "agrees"} for n in range(5, 60)]
    write_run(tmp_path, "p", "bayesian", 0, [trial(i, 1.0 / (i + 1)) for i in range(60)], inference=rows)
    [found] = of(tmp_path)
    assert found["audits"] == {"differs": 28, "agrees": 27}
    assert found["trust"] == "no"
    assert "27 of 55 audits by NUTS agree" in found["verdict"]


def test_remaining_regret_is_that_of_what_was_recommended(tmp_path: Path):
    write_experiment(tmp_path, {"p": {}}, ("bayesian",), 1, 4)
    records = [
        trial(0, 3.0), trial(1, 1.0, true_value=1.5), trial(2, 0.5, suggestion_info={"recommended": 1}),
        trial(3, None, suggestion_info={"recommended": 2}),
    ]  # fmt: skip
    write_run(tmp_path, "p", "bayesian", 0, records, optimum=0.25)
    [run] = Results(tmp_path).runs()
    assert remaining_regret(run) == {2: 1.25, 3: 0.25}


@pytest.fixture(scope="module")
def campaign(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_diagnosed(tmp_path_factory.mktemp("results") / "campaign", seeds=2, budget=20, bad=0.1)


NAMES = {
    "convergence", "checks", "reuse", "pit", "coverage", "fan_branin", "fan_hartmann6", "agreement", "optimum",
    "place_branin", "place_hartmann6",
}  # fmt: skip


def test_command_prints_a_verdict_and_leaves_a_record_and_figures(campaign: Path):
    figures = campaign / "figures"
    figures.mkdir()
    before = {"captions": {"regret": "R."}, "left out": {"pit": "nothing", "comparison": "none yet"}}
    (figures / "captions.json").write_text(json.dumps(before))
    result = CliRunner().invoke(app, ["diagnose", str(campaign)])
    assert result.exit_code == 0, result.output
    assert read_regression(campaign) is None
    assert "60 fits of a surrogate in 4 of 8 runs" in result.stdout
    [found] = json.loads((campaign / "diagnostics.json").read_text())["searchers"]
    assert " ".join(found["verdict"].split()[:3]) in result.stdout
    assert {p.name for p in figures.glob("*.png")} == {f"{name}.png" for name in NAMES}
    content = json.loads((figures / "captions.json").read_text())
    captions = content["captions"]
    # What other commands have drawn stays.
    assert set(captions) == NAMES | {"regret"}
    assert set(content["left out"]) == {"comparison", "predictors"}
    assert "95% simultaneous band" in captions["pit"]
    assert "True regret, where the optimum is known" in captions["optimum"]
    assert "60 fits" in captions["checks"]
    assert "2 seeds on each problem" in captions["agreement"]
    # Of three optima; the other problem has other hyperparameters than are on record.
    assert "Of 3 true optima (dashed)" in captions["place_branin"]
    assert "The true optimum is not known." in captions["place_hartmann6"]


def test_the_small_form_keeps_what_the_figures_need(campaign: Path, tmp_path: Path):
    export(campaign, tmp_path)
    fits = fitted(tmp_path)
    with style.settings():
        parts = (checks, reuse, pit, coverage, fan, agreement, optimum, place)
        drawn = {drawing.name for part in parts for drawing in part.draw(fits, 3.25)}
    assert drawn == NAMES - {"convergence"}
    [small], [whole] = of(tmp_path), of(campaign)
    assert small | {"decisions": whole["decisions"]} == whole


def test_the_place_of_the_optimum_is_what_is_on_record_with_the_true_ones(campaign: Path):
    fits = [(run, rows) for run, rows in fitted(campaign) if run.problem == "branin"]
    with style.settings():
        [drawing] = place.draw(fits, 5.5)
    first, second = drawing.figure.axes[:2]
    assert (first.get_title(), second.get_title()) == ("x1", "x2")
    rows = [row for row in fits[0][1] if "optimum_place" in row]
    np.testing.assert_array_equal(first.lines[0].get_xdata(), [row["n"] for row in rows])
    np.testing.assert_array_equal(first.lines[0].get_ydata(), [row["optimum_place"]["x1"][1] for row in rows])
    # Branin's minimisers in its box of [-5, 10] and [0, 15].
    true = [float(np.ravel(line.get_ydata())[0]) for line in first.lines[len(fits) :]]
    np.testing.assert_allclose(true, (np.array([-np.pi, np.pi, 3 * np.pi]) + 5.0) / 15.0, rtol=1e-6)


def test_distances_of_decisions_are_judged_against_those_of_halves(campaign: Path):
    fits = fitted(campaign)
    with style.settings():
        [drawing] = agreement.draw(fits, 5.5)
    rows = [row for _, own in fits for row in own if "point_distance" in row]
    share = np.mean([row["point_distance"] > row["halves_distance"] for row in rows])
    assert f"larger at {share:.0%} of the fits" in drawing.caption
    older = [(run, [{k: v for k, v in r.items() if not k.startswith("halves")} for r in own]) for run, own in fits]
    with style.settings():
        [without] = agreement.draw(older, 5.5)
    assert "halves" not in without.caption


def test_lengthscales_of_a_mixture_are_those_of_its_members():
    row = {"quantiles": {"gp.lengthscale[x1]": [1, 2, 3], "saas.lengthscale[a.b]": [1, 2, 4], "gp.noise": [0, 1, 2]}}
    assert fan.lengthscales(row) == {"gp: x1": [1, 2, 3], "saas: a.b": [1, 2, 4]}
    assert fan.lengthscales({"quantiles": {"lengthscale[x.y]": [1, 2, 3]}}) == {"x.y": [1, 2, 3]}
    assert fan.lengthscales({}) == {}


def test_coverage_is_the_share_of_distances_below_each_level():
    distance = np.linspace(0.005, 0.995, 100) ** 2
    with style.settings():
        line = coverage.of_distances({"a": distance}, 3.25).figure.axes[0].lines[0]
    for nominal, share in zip(line.get_xdata(), line.get_ydata(), strict=True):
        assert share == pytest.approx((distance <= nominal + 1e-12).mean())


def test_without_fits_there_is_nothing_to_diagnose(tmp_path: Path):
    write_experiment(tmp_path, {"p": {}}, ("random",), 1, 1)
    write_run(tmp_path, "p", "random", 0, [trial(0, 1.0)])
    result = CliRunner().invoke(app, ["diagnose", str(tmp_path)])
    assert result.exit_code == 2
    assert "expected runs that fitted a surrogate, got none in 1 runs" in result.stderr


def write_decisions(path: Path, effect: float, problems: int = 3, budget: int = 85) -> Path:
    """Runs of which a worse R-hat multiplies the regret of the next trial, and ESS says nothing."""
    write_experiment(path, {f"p{p}": {} for p in range(problems)}, ("bayesian",), 1, budget)
    for p in range(problems):
        rng = np.random.default_rng([p, 3])
        z = rng.standard_normal(budget)
        # The first trial stays the incumbent: the reference is far below.
        regret = np.append(1.0, 10.0 ** (1.0 + effect * z[1:] + 0.3 * rng.standard_normal(budget - 1)))
        rows = [
            fit(n, rng, status="ok", rhat_max=1.0 + 10.0 ** (-2.5 + 0.3 * z[n]), divergences=None, bfmi_min=None)
            | {"ess_bulk_min": 10.0 ** (2.8 + 0.1 * rng.standard_normal())}
            for n in range(5, budget)
        ]
        trials = [trial(i, float(value)) for i, value in enumerate(regret)]
        write_run(path, f"p{p}", "bayesian", 0, trials, inference=rows, optimum=0.0)
    return path


def test_rows_of_the_regression(tmp_path: Path):
    data = NextTrials.of(fitted(write_decisions(tmp_path, 0.2)))
    assert data.predictors == ("number of trials", "R-hat above 1", "lack of bulk ESS")
    assert len(data.y) == 240
    run, rows = fitted(tmp_path)[1]
    own = data.problem == 1
    values = [t["value"] for t in run.trials]
    incumbent = np.minimum.accumulate(values)
    expected = [np.log10(values[row["trial"]] / incumbent[row["trial"] - 1]) for row in rows]
    np.testing.assert_allclose(data.y[own], expected)
    rhat = np.log10([row["rhat_max"] - 1.0 for row in rows])
    np.testing.assert_allclose(data.x[own, 1], (rhat - rhat.mean()) / rhat.std())


@pytest.mark.slow
def test_regression_finds_the_effect_that_is_there_and_no_other(tmp_path: Path):
    record = regress(fitted(write_decisions(tmp_path, 0.2)))
    assert record["report"]["status"] == "ok"
    _, rhat, ess = range(3)
    # Noise of 0.3 over 240 fits: a standard error of 0.02, and of 0.06 at most between problems that do not differ.
    assert record["low"][rhat] < 0.2 < record["high"][rhat]
    assert record["high"][rhat] - record["low"][rhat] < 0.4
    assert record["worse"][rhat] > 0.975
    assert record["low"][ess] < 0.0 < record["high"][ess]
    assert record["claim"].startswith(
        "Bad diagnostics go with bad decisions. For one standard deviation more of: R-hat"
    )
    with style.settings():
        [drawing] = predictors.draw(record, 5.5)
    assert "240 fits on 3 problems" in drawing.caption


def test_too_few_fits_are_not_regressed(tmp_path: Path):
    with pytest.raises(SpecificationError, match="expected at least 50 fits with diagnostics and a next trial, got 30"):
        NextTrials.of(fitted(write_decisions(tmp_path, 0.2, problems=1, budget=35)))
