"""Trials: what counts as a value, the way to a record and back, and the arrays of a history."""

from __future__ import annotations

import json
from dataclasses import FrozenInstanceError

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bayeshpo.history import History
from bayeshpo.space import as_space
from bayeshpo.trial import Outcome, Status, Suggestion, Trial

SPACE = as_space({"x": (0.0, 1.0), "y": (0.0, 2.0)})


def trial(index, x, value, gradient=None):
    outcome = Outcome.of(value) if gradient is None else Outcome(value, gradient=gradient)
    return Trial(Suggestion({"x": x, "y": 1.0}, index, "random"), outcome)


@pytest.mark.parametrize("value", [1, 1.5, np.float32(2.0), np.int64(3), np.array(4.0)])
def test_numbers_are_values(value):
    outcome = Outcome.of(value, seconds=0.5)
    assert (outcome.value, outcome.status, outcome.seconds) == (float(value), Status.FINISHED, 0.5)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, None, "0.5", b"1", True, [1, 2], {"loss": 1}])
def test_anything_else_is_a_failure_with_its_reason(value):
    outcome = Outcome.of(value)
    assert (outcome.value, outcome.status) == (None, Status.INVALID)
    assert outcome.reason.startswith("expected a finite number, got ")


def test_an_exception_is_a_failure_with_its_reason():
    outcome = Outcome.raised(ZeroDivisionError("no data"))
    assert (outcome.value, outcome.status) == (None, Status.RAISED)
    assert outcome.reason == "ZeroDivisionError: no data"


def test_an_outcome_is_kept_and_gets_the_clock_of_the_caller():
    mine = Outcome(1.0, work=7.0, gradient={"x": 2.0})
    assert Outcome.of(mine, seconds=3.0) == Outcome(1.0, seconds=3.0, work=7.0, gradient={"x": 2.0})
    timed = Outcome(1.0, seconds=2.0)
    assert Outcome.of(timed, seconds=3.0) is timed


numbers = st.floats(allow_nan=False, allow_infinity=False)


def curves(shortest=0, end=1.0):
    fidelities = st.lists(st.floats(1e-6, end), min_size=shortest, unique=True)
    return fidelities.flatmap(lambda ts: st.tuples(*(st.tuples(st.just(t), numbers) for t in sorted(ts))))


@settings(deadline=None, derandomize=True)
@given(
    st.builds(
        Suggestion,
        st.dictionaries(st.text(), numbers | st.text() | st.integers() | st.booleans()),
        st.integers(0, 10**6),
        st.text(),
        st.booleans(),
        numbers,
        st.dictionaries(st.text(), numbers),
    ),
    st.builds(
        Outcome,
        st.none() | numbers,
        st.sampled_from([s for s in Status if s not in (Status.STOPPED, Status.CENSORED)]),
        st.none() | st.text(),
        numbers,
        numbers,
        st.none() | st.dictionaries(st.text(), numbers),
        st.none() | st.floats(0.0, allow_infinity=False),
        st.dictionaries(st.text(), st.lists(numbers)),
        curves(),
        st.none(),
        st.dictionaries(st.text(), numbers),
    )
    | st.builds(Outcome.stopped, curves(shortest=1, end=0.99), seconds=numbers)
    | st.builds(Outcome.censored, numbers, st.none() | st.text(), seconds=numbers),
)
def test_records_give_back_the_same_trial_bit_for_bit(suggestion, outcome):
    original = Trial(suggestion, outcome)
    assert Trial.from_record(json.loads(json.dumps(original.to_record()))) == original


def test_a_record_from_before_there_were_curves_has_none():
    record = trial(0, 0.1, 1.0).to_record()
    del record["curve"]
    assert Trial.from_record(record) == trial(0, 0.1, 1.0)


@pytest.mark.parametrize(
    ("curve", "message"),
    [
        ([(0.5, 1.0), (0.5, 2.0)], "fidelities that increase within"),
        ([(0.0, 1.0)], "fidelities that increase within"),
        ([(0.5, 1.0), (1.5, 1.0)], "fidelities that increase within"),
        ([(0.5, np.nan)], "expected finite values, got .*leave out what came after a failure"),
        ([], "expected no value and a curve that ends before 1"),
        ([(0.5, 2.0), (1.0, 1.0)], "expected no value and a curve that ends before 1"),
    ],
)
def test_what_is_no_curve_of_a_stopped_trial_is_refused(curve, message):
    with pytest.raises(ValueError, match=message):
        Outcome.stopped(curve)


def test_a_stopped_trial_has_no_value_and_is_no_failure():
    stopped = Trial(Suggestion({"x": 0.3, "y": 1.0}, 1, "random"), Outcome.stopped([(0.25, 3.0), (0.5, 2.0)]))
    history = History(SPACE, "maximize").add(trial(0, 0.1, 1.0)).add(stopped).add(trial(2, 0.2, None))
    np.testing.assert_array_equal(history.finished, [True, False, False])
    np.testing.assert_array_equal(history.failed, [False, False, True])
    np.testing.assert_array_equal(history.losses, [-1.0, np.nan, np.nan])
    np.testing.assert_array_equal(history.curves[1], [[0.25, -3.0], [0.5, -2.0]])
    assert history.curves[0].shape == (0, 2)
    assert history.incumbent is history.trials[0]


def test_a_curve_leaves_out_the_end_which_is_the_value():
    outcome = Outcome(1.0, curve=((0.5, 2.0), (1.0, 1.0)))
    history = History(SPACE).add(Trial(Suggestion({"x": 0.3, "y": 1.0}, 0, "random"), outcome))
    np.testing.assert_array_equal(history.curves[0], [[0.5, 2.0]])


def test_trials_are_frozen():
    with pytest.raises(FrozenInstanceError):
        trial(0, 0.1, 1.0).outcome.value = 2.0  # pyright: ignore[reportAttributeAccessIssue]


@pytest.mark.parametrize(("direction", "sign", "best"), [("minimize", 1.0, 1), ("maximize", -1.0, 3)])
def test_history_turns_the_direction_once(direction, sign, best):
    values = [3.0, 1.0, np.nan, 5.0, 5.0]
    history = History(SPACE, direction)
    for i, value in enumerate(values):
        history = history.add(trial(i, i / 10, value))
    np.testing.assert_array_equal(history.losses, sign * np.array(values))
    np.testing.assert_array_equal(history.finished, [True, True, False, True, True])
    np.testing.assert_allclose(history.X, [[i / 10, 0.5] for i in range(5)], atol=1e-12)
    assert history.incumbent is history.trials[best]


def test_gradients_are_of_the_loss_and_nan_where_unknown():
    history = History(SPACE, "maximize").add(trial(0, 0.1, 1.0, {"x": 2.0, "y": -3.0})).add(trial(1, 0.2, 1.0))
    np.testing.assert_array_equal(history.gradients, [[-2.0, 3.0], [np.nan, np.nan]])


def test_a_history_of_failures_has_no_incumbent():
    assert History(SPACE).incumbent is None
    assert History(SPACE).add(trial(0, 0.1, None)).incumbent is None


def test_telling_ends_pending():
    first, second = trial(0, 0.1, 1.0), trial(1, 0.2, 1.0)
    history = History(SPACE, pending=(first.suggestion, second.suggestion)).add(first)
    assert history.pending == (second.suggestion,)
    assert len(history) == 1


def test_what_is_known_of_a_history_is_carried_on():
    space = as_space({"x": (0.0, 1.0)})
    outcomes = [Outcome(1.0), Outcome.of("bad"), Outcome.stopped([(0.5, 2.0)]), Outcome(-3.0), Outcome.censored(4.0)]
    trials = [Trial(Suggestion({"x": 0.1 * i}, i, "t"), outcome) for i, outcome in enumerate(outcomes)]
    carried = History(space, "maximize")
    for trial in trials:
        carried = carried.with_pending([trial.suggestion])
        carried = carried.add(trial)
        fresh = History(space, "maximize", carried.trials)
        for name in ("losses", "finished", "failed"):
            np.testing.assert_array_equal(getattr(carried, name), getattr(fresh, name))
            assert getattr(carried, name).dtype == getattr(fresh, name).dtype
        assert carried.incumbent == fresh.incumbent
        assert carried.pending == ()
