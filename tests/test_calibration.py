"""Simulation-based calibration: what it passes, what it catches, and its figure."""

from __future__ import annotations

import json

import numpy as np
import pytest
from toy_surrogates import LevelAndSpread
from typer.testing import CliRunner

from bayeshpo.analysis.statistics.uniformity import simultaneous_band
from bayeshpo.cli import app
from bayeshpo.diagnostics.calibration import DRAWS, Calibration, calibrate
from bayeshpo.inference.laplace import Laplace
from bayeshpo.inference.prior import Prior
from bayeshpo.inference.sequential import Sequential
from bayeshpo.registry import SURROGATES, create
from bayeshpo.space import as_space

LINE = as_space({"x": (0.0, 1.0)})


def calibrated(engine, simulations=60, surrogate=None, space=LINE, trials=5):
    rng = np.random.default_rng(0)
    steps = calibrate(surrogate or LevelAndSpread(), space, engine, trials=trials, simulations=simulations, rng=rng)
    *_, last = steps
    return last


def test_exact_posteriors_are_calibrated():
    found = calibrated(Sequential())
    assert found.names == ("mean", "sd", "joint log density")
    assert found.ranks.shape == (60, 3)
    assert found.ranks.min() >= 0
    assert found.ranks.max() <= DRAWS
    assert set(found.statuses) == {"ok"}
    assert found.calibrated
    assert found.verdict.startswith("60 simulations, 60 fits passed their checks; ranks of 3 quantities are uniform")


def test_a_posterior_that_ignores_the_data_is_caught_by_the_joint_density_alone():
    found = calibrated(Prior())
    p = np.minimum(found.chi_square, found.largest_deviation)
    assert (p[:2] > 0.01 / 6.0).all()
    assert p[2] < 1e-6
    assert not found.calibrated


def test_a_gaussian_for_a_skewed_posterior_is_caught():
    # With two trials the posterior of the spread is far from normal.
    assert not calibrated(Laplace(weigh=False), simulations=300, trials=2).calibrated


def test_uniform_ranks_stay_in_the_band_and_shifted_ones_do_not():
    rng, low_high = np.random.default_rng(1), simultaneous_band(100, DRAWS + 1)
    u = np.arange(1, DRAWS + 2) / (DRAWS + 1)

    def inside(ranks):
        difference = (ranks[:, None] <= np.arange(DRAWS + 1)).mean(axis=0) - u
        low, high = low_high
        return ((difference >= low - 1e-12) & (difference <= high + 1e-12)).all()

    held = np.mean([inside(rng.integers(0, DRAWS + 1, 100)) for _ in range(1000)])
    assert abs(held - 0.95) < 4.5 * np.sqrt(0.95 * 0.05 / 1000) + 0.01
    assert not inside(rng.integers(0, 60, 100))


def test_p_values_of_uniform_ranks_are_not_small_and_of_others_are():
    rng = np.random.default_rng(2)
    ranks = np.column_stack([rng.integers(0, DRAWS + 1, 400), rng.binomial(DRAWS, 0.5, 400)])
    found = Calibration(("uniform", "middle"), ranks, ("ok",) * 400)
    assert found.chi_square[0] > 0.001
    assert found.largest_deviation[0] > 0.001
    assert found.chi_square[1] < 1e-10
    assert found.largest_deviation[1] < 1e-10
    assert not found.calibrated


def test_command_prints_a_verdict_and_writes_record_and_figure(tmp_path):
    arguments = ["sbc", "gp", "--simulations", "20", "--trials", "5", "--output", str(tmp_path)]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output
    assert "joint log density" in result.output
    assert "lengthscale[x1]" in result.output
    assert "lengthscale[x2]" in result.output
    assert "20 simulations" in result.output
    record = json.loads((tmp_path / "calibration.json").read_text())
    assert (record["surrogate"], record["engine"], record["dimension"], record["trials"]) == ("gp", "sequential", 2, 5)
    assert np.array(record["ranks"]).shape == (20, 6)
    assert "20 simulations" in record["caption"]
    assert (tmp_path / "calibration.pdf").stat().st_size > 1000
    assert (tmp_path / "calibration.png").stat().st_size > 1000


def test_command_takes_arguments_as_experiment_files_do(tmp_path):
    arguments = ["--arguments", "functions = 6", "--dimension", "1", "--simulations", "20", "--output", str(tmp_path)]
    result = CliRunner().invoke(app, ["sbc", "hsgp", *arguments])
    assert result.exit_code == 0, result.output
    record = json.loads((tmp_path / "calibration.json").read_text())
    assert record["arguments"] == {"functions": 6}
    assert "'hsgp', functions = 6, with the engine 'sequential'" in record["caption"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("inducing", "--arguments: expected lines as 'inducing = 8', got 'inducing'"),
        ("inducng = 8", "unknown argument of surrogate 'sparse' 'inducng'; did you mean 'inducing'?"),
    ],
)
def test_command_refuses_what_are_no_arguments(text, message):
    result = CliRunner().invoke(app, ["sbc", "sparse", "--arguments", text])
    assert result.exit_code == 2
    assert message in result.output


def test_command_refuses_an_unknown_surrogate():
    result = CliRunner().invoke(app, ["sbc", "gpp"])
    assert result.exit_code == 2
    assert "unknown surrogate 'gpp'; did you mean 'gp'?" in result.output


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in SURROGATES if name != "stacked"])
def test_every_surrogate_is_calibrated(name):
    space = as_space({"x": (0.0, 1.0), "z": (0.0, 1.0)})
    found = calibrated(Sequential(), 100, create("surrogate", name, {}), space, trials=20)
    assert found.calibrated, found.verdict
