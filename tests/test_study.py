"""The ask/tell loop: failures are trials, directions are turned once, equal seeds give equal trials."""

from __future__ import annotations

import math

import numpy as np
import pytest

import bayeshpo
from bayeshpo.errors import SpecificationError
from bayeshpo.searchers.grid import GridSearcher
from bayeshpo.searchers.random import RandomSearcher
from bayeshpo.trial import Outcome, Status

SPACE = {"x": (0.0, 1.0), "n": (1, 4), "kernel": ["rbf", "linear"]}


def study(seed=0, direction="minimize", **arguments):
    return bayeshpo.Study(SPACE, searcher=RandomSearcher(), direction=direction, seed=seed, **arguments)


def bowl(configuration):
    return (configuration["x"] - 0.3) ** 2 + configuration["n"]


def test_five_lines():
    s = study()
    best = s.optimize(bowl, budget=12, progress=False)
    values = [bowl(t.configuration) for t in s.history.trials]
    assert best.value == min(values) == s.best.value == s.recommendation.value
    assert [t.value for t in s.history.trials] == values
    assert list(s.trials["index"]) == list(range(12))
    assert list(s.trials["value"]) == values
    assert set(SPACE) < set(s.trials.columns)
    assert s.inference.empty


def test_maximise():
    s = study(direction="maximize")
    best = s.optimize(lambda c: -bowl(c), budget=12, progress=False)
    assert best.value == max(t.value for t in s.history.trials)
    np.testing.assert_array_equal(s.history.losses, [bowl(t.configuration) for t in s.history.trials])


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf, "0.1", None])
def test_a_value_that_is_no_number_fails_its_trial_alone(bad):
    s = study()
    s.optimize(lambda c: bad if c["kernel"] == "rbf" else bowl(c), budget=16, progress=False)
    failed = [t for t in s.history.trials if t.configuration["kernel"] == "rbf"]
    assert 0 < len(failed) < 16
    assert all(t.outcome.status is Status.INVALID and repr(bad) in t.outcome.reason for t in failed)
    assert s.best.configuration["kernel"] == "linear"
    np.testing.assert_array_equal(np.isnan(s.history.losses), [t in failed for t in s.history.trials])


def test_an_exception_fails_its_trial_alone():
    def objective(configuration):
        if configuration["n"] > 2:
            raise MemoryError(f"n = {configuration['n']}")
        return bowl(configuration)

    s = study()
    s.optimize(objective, budget=16, progress=False)
    failed = [t for t in s.history.trials if not t.finished]
    assert 0 < len(failed) < 16
    assert {t.outcome.reason for t in failed} <= {"MemoryError: n = 3", "MemoryError: n = 4"}


def test_ctrl_c_is_not_a_failed_trial():
    def objective(configuration):
        if len(s.history) == 2:
            raise KeyboardInterrupt
        return bowl(configuration)

    s = study()
    with pytest.raises(KeyboardInterrupt):
        s.optimize(objective, budget=5, progress=False)
    assert len(s.history) == 2


def test_when_every_trial_fails_the_last_reason_is_told():
    with pytest.raises(SpecificationError, match="no trial finished; the last one: ZeroDivisionError"):
        study().optimize(lambda c: 1 / 0, budget=3, progress=False)


def test_equal_seeds_give_equal_trials_and_others_do_not():
    first, again, other = study(seed=3), study(seed=3), study(seed=4)
    for s in (first, again, other):
        s.optimize(bowl, budget=6, progress=False)
    trials = [[t.configuration for t in s.history.trials] for s in (first, again, other)]
    assert trials[0] == trials[1] != trials[2]


def test_a_larger_budget_goes_on_from_where_it_was():
    once, twice = study(), study()
    once.optimize(bowl, budget=8, progress=False)
    twice.optimize(bowl, budget=3, progress=False)
    twice.optimize(bowl, budget=8, progress=False)
    resumed = study(trials=once.history.trials[:5])
    resumed.optimize(bowl, budget=8, progress=False)
    expected = [(t.configuration, t.value) for t in once.history.trials]
    assert [(t.configuration, t.value) for t in twice.history.trials] == expected
    assert [(t.configuration, t.value) for t in resumed.history.trials] == expected


def test_the_objective_gets_the_noise_stream_of_its_trial_whatever_the_searcher():
    class Noisy:
        name, direction, optimum, work_unit = "noisy", "minimize", None, "evaluation"

        def __init__(self, space):
            self.space = space

        def evaluate(self, configuration, *, rng):
            return Outcome(float(rng.normal()))

    spaces = {"n": [1, 2, 3], "m": [1, 2, 3]}
    drawn = []
    for searcher in (RandomSearcher(), GridSearcher()):
        s = bayeshpo.Study(spaces, searcher=searcher, seed=1)
        s.optimize(Noisy(s.history.space), budget=5, progress=False)
        drawn.append([t.value for t in s.history.trials])
    assert drawn[0] == drawn[1]
    assert len(set(drawn[0])) == 5


def test_ask_and_tell_by_hand():
    s = study()
    suggestion = s.ask()
    trial = s.tell(suggestion, 0.5)
    assert (trial.value, trial.suggestion.index) == (0.5, 0)
    batch = s.ask(3)
    assert [x.index for x in batch] == [1, 2, 3]
    assert s.history.pending == tuple(batch)
    for suggestion in reversed(batch):
        s.tell(suggestion, Outcome(1.0, work=2.0))
    assert not s.history.pending
    assert list(s.trials["work"]) == [1.0, 2.0, 2.0, 2.0]


def test_telling_twice_is_refused():
    s = study()
    suggestion = s.ask()
    s.tell(suggestion, 1.0)
    with pytest.raises(ValueError, match="expected a pending suggestion"):
        s.tell(suggestion, 1.0)


def test_a_finite_space_ends_the_study():
    s = bayeshpo.Study({"n": [1, 2, 3]}, searcher=GridSearcher())
    s.optimize(lambda c: c["n"], budget=10, progress=False)
    assert sorted(t.configuration["n"] for t in s.history.trials) == [1, 2, 3]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [({"direction": "up"}, "expected direction 'minimize' or 'maximize'"), ({"seed": -1}, "seed >= 0")],
)
def test_bad_arguments_are_refused(arguments, message):
    with pytest.raises(SpecificationError, match=message):
        study(**arguments)


@pytest.mark.parametrize("budget", [0, -3])
def test_a_budget_below_one_is_refused(budget):
    with pytest.raises(SpecificationError, match="budget of at least 1"):
        study().optimize(bowl, budget=budget, progress=False)


def test_a_searcher_that_cannot_work_is_refused_before_anything_runs():
    def never(configuration):
        raise AssertionError("evaluated")

    s = bayeshpo.Study(SPACE, searcher=GridSearcher())
    with pytest.raises(SpecificationError, match="no finite grid: x continuous"):
        s.optimize(never, budget=3, progress=False)
    assert len(s.history) == 0


def test_a_searcher_without_a_surrogate_has_no_posterior():
    with pytest.raises(SpecificationError, match="expected a searcher with a surrogate, got 'random'"):
        _ = study().posterior


def test_progress_bar_shows_the_best(capsys):
    study().optimize(bowl, budget=3)
    assert "random" in capsys.readouterr().out
