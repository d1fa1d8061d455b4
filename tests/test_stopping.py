"""Stopping rules: composition, what each one says of a history, and the same decision from records alone."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest
from toy_surrogates import Level

import bayeshpo
from bayeshpo.aims import Aims
from bayeshpo.errors import SpecificationError
from bayeshpo.experiment.rules import parse
from bayeshpo.inference.sequential import Sequential
from bayeshpo.problem import FunctionProblem
from bayeshpo.registry import RULES
from bayeshpo.searchers.fits import Fits
from bayeshpo.searchers.random import RandomSearcher
from bayeshpo.stopping import Budget, RegretBelow, Seconds, StoppingRule, Unchanged, Work
from bayeshpo.trial import Outcome

PLANE = {"x": (0.0, 1.0), "z": (0.0, 1.0)}


def bowl(c):
    return (c["x"] - 0.3) ** 2 + 0.5 * (c["z"] - 0.6) ** 2


def fails_on_the_right(c):
    if c["x"] > 0.9:
        raise MemoryError("too large")
    return bowl(c)


def random_study(trials=()):
    return bayeshpo.Study(PLANE, RandomSearcher(), trials=trials)


def told(values, seconds=0.0):
    """A study by hand in which these values came back."""
    s = random_study()
    for value in values:
        s.tell(s.ask(), Outcome.of(value, seconds=seconds))
    return s


def reason(rule, s):
    return rule.reason(s.history, s.searcher, s.streams)


class Says(StoppingRule):
    """A rule whose answer is given, and which notes that it was asked."""

    def __init__(self, answer):
        self.answer, self.asked = answer, 0

    def reason(self, history, searcher, rng):
        self.asked += 1
        return self.answer

    def check(self, searcher, aims):
        if self.answer == "refuses":
            raise SpecificationError("refused")

    def __str__(self):
        return "says()"


@pytest.mark.parametrize(("left", "right"), list(itertools.product([None, "left"], [None, "right"])))
def test_either_ends_a_study_iff_one_rule_does_and_both_iff_both_do(left, right):
    s, a, b = random_study(), Says(left), Says(right)
    assert reason(a | b, s) == (left or right)
    assert reason(a & b, s) == ("left and right" if left and right else None)
    # Each is asked only if it matters, so that what is dear comes second.
    assert b.asked == (left is None) + (left is not None)
    assert a.asked == 2


def test_composition_is_distributive_and_asks_both_rules_for_their_consent():
    s = random_study()
    for answers in itertools.product([None, "yes"], repeat=3):
        a, b, c = map(Says, answers)
        assert bool(reason(a & (b | c), s)) == bool(reason(a & b | a & c, s))
        assert bool(reason(a | b & c, s)) == bool(reason((a | b) & (a | c), s))
    for rule in (Says(None) | Says("refuses"), Says("refuses") & Says(None)):
        with pytest.raises(SpecificationError, match="refused"):
            rule.check(s.searcher, Aims())


def test_only_rules_compose():
    with pytest.raises(TypeError, match="unsupported operand"):
        _ = Seconds(600) | 20
    with pytest.raises(TypeError, match="unsupported operand"):
        _ = Seconds(600) & None


def test_budget_counts_trials_that_failed():
    s = told([1.0, None, 2.0])
    assert reason(Budget(4), s) is None
    assert reason(Budget(3), s) == "budget of 3 trials spent"


def test_seconds_are_those_on_record():
    s = told([1.0, None, 2.0], seconds=100.0)
    trials = [replace(t, suggestion=replace(t.suggestion, seconds=10.0)) for t in s.history.trials]
    s = random_study(trials)
    assert s.history.seconds == 330.0
    assert reason(Seconds(330.5), s) is None
    assert reason(Seconds(330), s) == "330 seconds spent"


def test_work_is_that_on_record_but_for_rounding():
    s = told([1.0, None, 2.0])
    trials = [replace(t, outcome=replace(t.outcome, work=0.1)) for t in s.history.trials]
    s = random_study(trials)
    assert s.history.work > 0.3
    assert reason(Work(0.31), s) is None
    assert reason(Work(0.3), s) == "0.3 of work done"
    assert reason(Work(sum([0.1] * 3)), s) == "0.3 of work done"


@pytest.mark.parametrize(
    ("values", "unchanged"),
    [
        ([], 0),
        ([3.0], 0),
        ([3.0, 4.0], 1),
        ([3.0, 4.0, 5.0, 1.0], 0),
        ([3.0, 1.0, 4.0, 5.0, 6.0], 3),
        # Failed trials leave the recommendation as it is, and there is none before a trial has finished.
        ([None, None, 2.0, None, 3.0], 2),
        ([None, None], 0),
    ],
)
def test_unchanged_counts_trials_since_the_recommendation_changed(values, unchanged):
    s = told(values)
    for n in range(1, 7):
        expected = f"recommendation unchanged for {n} trials" if n <= unchanged else None
        assert reason(Unchanged(n), s) == expected


def test_a_run_ends_at_the_first_trial_at_which_its_rule_says_so():
    rule = Unchanged(6) | Budget(30)
    s = random_study()
    trials = list(s.run(FunctionProblem(bowl, PLANE, "minimize"), 100, rule))
    assert s.ending is not None
    assert (s.ending.status, s.ending.reason) == ("stopped", reason(rule, s))
    prefixes = [random_study(trials[:n]) for n in range(len(trials))]
    assert [reason(rule, prefix) for prefix in prefixes] == [None] * len(trials)
    # Resumed anywhere, it ends at the same trial; at its end, nothing more is tried.
    for n in (1, len(trials) - 1, len(trials)):
        again = random_study(trials[:n])
        again.optimize(bowl, 100, stop=rule, progress=False)
        assert [t.configuration for t in again.history.trials] == [t.configuration for t in trials]
        assert again.ending == s.ending


def test_regret_below_goes_by_the_posterior_and_ends_a_resumed_study_there():
    def surrogate_study(trials=()):
        return bayeshpo.Study(PLANE, bayeshpo.BayesianSearcher(n_initial=4), seed=3, trials=trials)

    s, rule = surrogate_study(), RegretBelow(0.05, 0.9)
    s.optimize(bowl, 20, stop=rule, progress=False)
    assert s.ending is not None
    assert s.ending.status == "stopped"
    regret = s.remaining_regret
    assert (regret >= 0.0).all()
    share = float((regret <= 0.05).mean())
    assert share >= 0.9
    assert s.ending.reason == f"remaining regret below 0.05 with probability {share:.3f}"
    # The bowl's bottom is at 0; of ten seeds, one may end too early.
    assert s.recommendation is not None
    assert s.recommendation.value < 0.05
    n = len(s.history)
    assert n > 5
    again = surrogate_study(s.history.trials[: n - 2])
    again.optimize(bowl, 20, stop=rule, progress=False)
    assert (len(again.history), again.ending) == (n, s.ending)


def test_a_study_goes_on_where_its_surrogate_could_not_be_fitted():
    class Unfitted(bayeshpo.BayesianSearcher):
        def remaining(self, history, rng):
            raise SpecificationError("no optimum: the surrogate could not be fitted: no finite density")

    s = bayeshpo.Study(PLANE, Unfitted(n_initial=2))
    s.optimize(bowl, 4, stop=RegretBelow(1e9), progress=False)
    assert len(s.history) == 4


def test_regret_below_is_refused_where_it_cannot_work_before_anything_runs():
    def never(c):
        raise AssertionError("evaluated")

    rule, fine = RegretBelow(0.05), bayeshpo.BayesianSearcher()
    alone = bayeshpo.BayesianSearcher(beyond={"trials": 9, "surrogate": Level()})
    cases = {
        "regret_below: expected a searcher with a surrogate, got 'random'": {"searcher": RandomSearcher()},
        "regret_below: surrogate 'level': expected one of which functions can be drawn": {"searcher": alone},
        "regret_below: several objectives have no one optimum": {"searcher": fine, "objectives": {"size": "minimize"}},
    }
    for message, arguments in cases.items():
        with pytest.raises(SpecificationError, match=message):
            bayeshpo.Study(PLANE, **arguments).optimize(never, 5, stop=rule | Budget(4), progress=False)


def test_what_a_run_ended_by_is_told():
    s = random_study()
    assert s.ending is None
    s.optimize(bowl, 5, stop=Budget(9), progress=False)
    assert (s.ending.status, s.ending.reason) == ("finished", "budget of 5 trials spent")
    s.optimize(bowl, 7, progress=False)
    assert (s.ending.status, s.ending.reason) == ("finished", "budget of 7 trials spent")
    s.optimize(bowl, 12, stop=Seconds(1e-9), progress=False)
    assert (s.ending.status, len(s.history)) == ("stopped", 7)
    finite = bayeshpo.Study({"n": [1, 2, 3]}, bayeshpo.GridSearcher())
    finite.optimize(lambda c: c["n"], budget=10, progress=False)
    assert finite.ending.status == "exhausted"


def test_what_a_rule_takes_is_counted_as_seconds_of_the_next_proposal():
    class Slow(Says):
        def reason(self, history, searcher, rng):
            searcher.pause()

    class Paused(RandomSearcher):
        def pause(self):
            now[0] += 5.0

    now = [0.0]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("bayeshpo.study.time.perf_counter", lambda: now[0])
        s = bayeshpo.Study(PLANE, Paused())
        s.optimize(bowl, 3, stop=Slow(None), progress=False)
    assert [t.suggestion.seconds for t in s.history.trials] == [5.0, 5.0, 5.0]


def test_the_progress_bar_says_why_it_ended(capsys):
    random_study().optimize(bowl, budget=50, stop=Unchanged(3))
    assert "unchanged for 3" in " ".join(capsys.readouterr().out.split())


def test_what_is_no_rule_is_refused_before_anything_runs():
    def never(c):
        raise AssertionError("evaluated")

    with pytest.raises(SpecificationError, match=r"expected a rule such as bayeshpo.Seconds\(600\), got 600"):
        random_study().optimize(never, 5, stop=600, progress=False)  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Budget(0), "budget: expected a whole number of trials of at least 1, got 0"),
        (lambda: Unchanged(2.5), r"unchanged: expected a whole number of trials of at least 1, got 2\.5"),
        (lambda: RegretBelow(0.0), r"regret_below: expected a bound above 0, got 0\.0"),
        (lambda: RegretBelow(0.1, 1.0), r"regret_below: expected a probability between 0 and 1, got 1\.0"),
        (lambda: Unchanged(True), "unchanged: expected a whole number of trials of at least 1, got True"),
        (lambda: Seconds(0), "seconds: expected a number of seconds above 0, got 0"),
        (lambda: Seconds(float("nan")), "seconds: expected a number of seconds above 0, got nan"),
        (lambda: Work(-1.0), "work: expected a number above 0, got -1.0"),
        (lambda: Seconds("10"), "seconds: expected a number of seconds above 0, got '10'"),
    ],
)
def test_impossible_arguments_are_refused(make, message):
    with pytest.raises(SpecificationError, match=message):
        make()


A, B, C = Budget(30), Seconds(0.5), Unchanged(10)


@pytest.mark.parametrize("rule", [A, B, C, A | B | C, A & B & C, A | B & C, (A | B) & C, A & (B | C), (A & B | C) & A])
def test_a_rule_is_read_back_from_its_text(rule):
    assert parse(str(rule)) == rule


def test_texts_that_mean_the_same():
    assert parse("unchanged(trials=10) & budget(30)|seconds( 0.5 )") == C & A | B
    assert parse(" (unchanged(10))\n") == C


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("unchangd(10)", "unknown rule 'unchangd'; did you mean 'unchanged'?"),
        ("unchanged", "unchanged: expected its arguments in parentheses, got none"),
        ("unchangd", "unknown rule 'unchangd'; did you mean 'unchanged'?"),
        ("unchanged()", "unchanged: missing a required argument: 'trials'"),
        ("unchanged(10, 20)", "unchanged: too many positional arguments"),
        ("unchanged(trails=10)", "unchanged: missing a required argument: 'trials'"),
        ("unchanged(ten)", "unchanged: expected numbers as arguments, got ten"),
        ("seconds(True)", "seconds: expected numbers as arguments, got True"),
        ("seconds(-1)", "seconds: expected a number of seconds above 0, got -1"),
        ("seconds(60) or budget(10)", "expected rules joined by '|' and '&', as in "),
        ("seconds(60) + budget(10)", "expected rules joined by '|' and '&', as in "),
        ("seconds(60) |", "expected rules joined by '|' and '&', as in "),
        ("", "expected rules joined by '|' and '&', as in "),
        ("600", "expected rules joined by '|' and '&', as in "),
        ("__import__('os')", "unknown rule '__import__'"),
        ("os.system(1)", "expected rules joined by '|' and '&', as in "),
    ],
)
def test_texts_that_are_no_rules_are_refused(text, message):
    with pytest.raises(SpecificationError) as error:
        parse(text)
    assert str(error.value).startswith(message)


def test_registered_rules_are_the_public_ones_by_the_names_of_their_texts():
    rules = {"budget": A, "seconds": B, "unchanged": C, "regret_below": RegretBelow(0.1), "work": Work(3.0)}
    assert {name: type(rule) for name, rule in rules.items()} == {name: entry.load() for name, entry in RULES.items()}
    assert all(str(rule).startswith(f"{name}(") for name, rule in rules.items())
    assert all(getattr(bayeshpo, type(rule).__name__) is type(rule) for rule in rules.values())


def with_surrogate(trials=()):
    # Few draws: what is decided is at stake here, not how well. With this seed some trials fail.
    return bayeshpo.Study(PLANE, bayeshpo.BayesianSearcher(inference=Sequential(draws=100)), seed=0, trials=trials)


@pytest.fixture(scope="module")
def searched():
    """A study with failed trials, its recommendations after each number of trials from 4 on, and all its fits."""
    s, found, fits = with_surrogate(), {}, []
    first = Fits._first
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Fits, "_first", lambda own, n, *rest: fits.append(n) or first(own, n, *rest))
        for _ in s.run(FunctionProblem(fails_on_the_right, PLANE, "minimize"), 40, Unchanged(4)):
            n = len(s.history)
            if n >= 4:
                found[n] = s.recommendation.suggestion.index
    assert s.history.failed.any()
    return s, found, fits


def test_recommendations_of_a_surrogate_are_on_record_without_a_fit(searched, monkeypatch):
    s, found, _ = searched
    monkeypatch.setattr(Fits, "posterior", None)
    recorded = [s.searcher.recommended_after(s.history, n) for n in range(len(s.history))]
    # None before the first proposal that came of a fit.
    assert recorded[:4] == [None] * 4
    assert [t.suggestion.index for t in recorded[4:]] == [found[n] for n in range(4, len(s.history))]


def test_a_surrogate_s_study_ends_where_its_recommendation_has_stood(searched):
    s, found, fits = searched
    n = len(s.history)
    assert s.ending.reason == "recommendation unchanged for 4 trials"
    assert len({found[k] for k in range(n - 4, n + 1)}) == 1
    for k in range(8, n):
        assert len({found[j] for j in range(k - 4, k + 1)}) > 1
    # One for each proposal, and the last one of the final recommendation: none for the rule alone.
    assert fits == list(range(4, n + 1))


def test_a_resumed_study_of_a_surrogate_ends_at_the_same_trial(searched):
    s, _, _ = searched
    again = with_surrogate(s.history.trials[:-2])
    again.optimize(fails_on_the_right, 40, stop=Unchanged(4), progress=False)
    assert [t.configuration for t in again.history.trials] == [t.configuration for t in s.history.trials]
    assert again.ending == s.ending
