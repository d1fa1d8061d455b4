"""What a population must not sleep through, and what must not wake it: its action, and the posterior still right."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from posterior_checks import REPLICATES, Y, assert_unbiased, carried, weighted_moments
from replay import Recording, assert_agrees
from toy_surrogates import LevelAndSpread, outcomes, toy_density

import bayeshpo
from bayeshpo.inference.posterior import Posterior
from bayeshpo.inference.report import InferenceReport
from bayeshpo.inference.sequential import Sequential
from bayeshpo.space import as_space
from bayeshpo.testing.trials import history_of

# What an engine may say that it did when weights alone were not enough, and all went well.
WOKEN = {"moved", "retried", "refitted"}


# On a model of two parameters, against quadrature


def standardised(losses):
    """As `TrainingData.of` standardises."""
    losses = np.asarray(losses)
    return outcomes(losses, losses.mean(), losses.std())


def shocked(kind):
    """Data before and after something that a population must not sleep through."""
    calm = outcomes(Y[:8])
    if kind == "outlier":
        return calm, outcomes([*Y[:8], 9.0])
    if kind == "twenty at once":
        return calm, outcomes(Y)
    if kind == "jump of the incumbent":
        return standardised(Y[:8]), standardised([*Y[:8], Y[:8].min() - 12.0])
    return calm, outcomes([*Y[:8], -4.0], location=float(Y[:8].mean()) - 2.0, scale=3.0)


@pytest.mark.parametrize("kind", ["outlier", "jump of the incumbent", "twenty at once", "changed standardisation"])
def test_a_shock_moves_the_population_to_the_right_posterior(kind):
    surrogate = LevelAndSpread()
    before, after = shocked(kind)
    runs = [carried(Sequential(), toy_density(surrogate), (before, after), seed) for seed in range(REPLICATES)]
    means, sds, _ = surrogate.exact(after.y)
    found = [weighted_moments(run[-1]) for run in runs]
    # A jump that the standardisation takes up may leave the weights healthy.
    assert {run[-1].report.action for run in runs} <= WOKEN | ({"reweighted"} if "jump" in kind else set())
    assert all(run[-1].report.status == "ok" for run in runs)
    assert_unbiased([m for m, _ in found], means, sds)
    assert_unbiased([s for _, s in found], sds, sds)
    # The evidence is counted in units of the loss, so it does not care how outcomes were standardised.
    evidence = [run[-1].report.evidence_increment for run in runs]
    change = len(before.y) * np.log(before.scale) - len(after.y) * np.log(after.scale)
    assert_unbiased(evidence, surrogate.exact(after.y)[2] - surrogate.exact(before.y)[2] + change, 1.0)


@pytest.mark.parametrize("failed", [0, 1])
def test_a_trial_that_changes_nothing_is_reweighted(failed):
    density, data = toy_density(LevelAndSpread()), outcomes(Y[:8])
    rng = np.random.default_rng(0)
    first = Sequential().fit(density, data, rng=rng)
    data = replace(data, failed=np.full((failed, 1), 0.5))
    second = Sequential().fit(density, data, rng=rng, previous=first)
    assert second.report.action == "reweighted"
    assert abs(second.report.evidence_increment or 0.0) < 1e-12
    np.testing.assert_array_equal(second.draws, first.draws)


def test_an_entry_with_five_hundred_old_trials():
    surrogate, y = LevelAndSpread(), np.random.default_rng(3).normal(1.3, 0.7, 500)
    runs = [
        Sequential().fit(toy_density(surrogate), outcomes(y), rng=np.random.default_rng(seed))
        for seed in range(REPLICATES)
    ]
    means, sds, evidence = surrogate.exact(y)
    found = [weighted_moments(run) for run in runs]
    assert {run.report.action for run in runs} <= WOKEN
    assert all(run.report.status == "ok" for run in runs)
    assert_unbiased([m for m, _ in found], means, sds)
    assert_unbiased([s for _, s in found], sds, sds)
    assert_unbiased([run.report.evidence_increment for run in runs], evidence, 1.0)


# On a Gaussian process, against the references of recorded studies


def through(recording, fits, data=None):
    """The engine's posterior carried through some of a recording's fits."""
    steps = [recording.data(n) if data is None or n not in data else data[n] for n in fits]
    return carried(Sequential(), recording.density, steps, 0)[-1]


@pytest.mark.parametrize("before", [(), (4, 5)], ids=["entered with 25 trials", "20 trials at once"])
def test_many_trials_at_once_on_a_gaussian_process(before):
    recording = Recording.load("branin_25")
    posterior = through(recording, (*before, 25))
    assert posterior.report.action in WOKEN
    assert posterior.report.status == "ok"
    assert_agrees(recording, recording.references[25], posterior)


def test_a_changed_standardisation_on_a_gaussian_process():
    recording, other = Recording.load("branin_25"), {}
    data = recording.data(24)
    other[24] = replace(data, y=1.7 * data.y + 0.8, location=data.location - 0.8 * data.scale / 1.7,
                        scale=data.scale / 1.7)  # fmt: skip
    posterior = through(recording, (4, 8, 16, 24, 25), other)
    assert posterior.report.action in WOKEN
    assert posterior.report.status == "ok"
    assert_agrees(recording, recording.references[25], posterior)


def test_a_wild_value_on_a_gaussian_process():
    # Trial 10 is two above a range of one.
    recording = Recording.load("rough_valley")
    assert recording.losses[10] - np.nanmax(recording.losses[4:10]) > 1.0
    posterior = through(recording, (4, 6, 8, 10, 12))
    assert posterior.report.action in WOKEN
    assert posterior.report.status == "ok"
    assert_agrees(recording, recording.references[12], posterior)


# Through a study


def test_a_failed_trial_in_a_study_changes_nothing_and_the_study_goes_on():
    calls = iter(range(100))

    def objective(c):
        if next(calls) == 6:
            raise MemoryError("too large")
        return (c["x"] - 0.3) ** 2 + 0.5 * (c["z"] - 0.6) ** 2

    study = bayeshpo.Study({"x": (0.0, 1.0), "z": (0.0, 1.0)})
    study.optimize(objective, 9, progress=False)
    assert [t.finished for t in study.history.trials] == [True] * 6 + [False] + [True] * 2
    rows = study.inference.set_index("trial")
    assert list(rows["n"]) == [4, 5, 6, 6, 7]
    assert rows["action"][7] == "reweighted"
    assert abs(rows["evidence_increment"][7]) < 1e-12


def test_a_study_entered_with_old_trials_has_their_posterior():
    # None of its losses is so high that a study would cap it.
    recording = Recording.load("hartmann6_30")
    space = as_space({f"x{j}": (0.0, 1.0) for j in range(6)})
    old = history_of(space, space.decode(recording.X), list(recording.losses)).trials
    study = bayeshpo.Study(space, trials=old)
    assert study.ask().origin == "acquisition"
    [row] = study.reports
    assert row["n"] == 30
    assert row["action"] in WOKEN
    assert row["status"] == "ok"
    values = {name: v.to_numpy() for name, v in study.posterior["posterior"].data_vars.items()}
    chains, draws = values["noise"].shape
    Q = recording.density.unconstrain({name: v.reshape(-1, *v.shape[2:]) for name, v in values.items()})
    report = InferenceReport("sequential", row["action"], 30)
    posterior = Posterior(recording.density, recording.data(30), Q.reshape(chains, draws, -1), report)
    assert_agrees(recording, recording.references[30], posterior)
