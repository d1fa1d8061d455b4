"""What every searcher promises.

Each promise is a function of a searcher under test that raises an AssertionError saying what was expected and got;
`check_searcher` goes through all of them on spaces of four kinds, with trials that fail and trials that are pending.
"""

from __future__ import annotations

import json
import multiprocessing
from collections.abc import Callable, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from ConfigSpace import CategoricalHyperparameter, ConfigurationSpace, UniformFloatHyperparameter
from ConfigSpace.conditions import EqualsCondition
from ConfigSpace.forbidden import ForbiddenAndConjunction, ForbiddenEqualsClause

from bayeshpo.aims import Direction
from bayeshpo.errors import SpaceExhausted, SpecificationError
from bayeshpo.history import History
from bayeshpo.problem import capabilities
from bayeshpo.randomness import Streams
from bayeshpo.searchers.base import Searcher
from bayeshpo.space import Configuration, SearchSpace, as_space
from bayeshpo.study import Study
from bayeshpo.trial import Outcome, Trial

Make = Callable[[], Searcher]


def continuous() -> SearchSpace:
    """Three numbers, one on a log scale."""
    return as_space({"a": (0.0, 1.0), "b": (-2.0, 3.0), "c": UniformFloatHyperparameter("c", 1e-4, 1.0, log=True)})


def mixed() -> SearchSpace:
    """A number, an integer, an ordinal, unordered choices, and a constant."""
    return as_space({"a": (0.0, 1.0), "b": (1, 40), "c": [0.1, 0.2, 0.4], "d": ["x", "y", "z"], "e": "constant"})


def conditional() -> SearchSpace:
    """A number that is active for one choice of another, a pair of choices forbidden."""
    space = ConfigurationSpace()
    kind = CategoricalHyperparameter("kind", ["plain", "tuned", "odd"])
    flag = CategoricalHyperparameter("flag", ["on", "off"])
    rate = UniformFloatHyperparameter("rate", 1e-3, 1.0, log=True)
    space.add(kind, flag, rate, EqualsCondition(rate, kind, "tuned"))
    space.add(ForbiddenAndConjunction(ForbiddenEqualsClause(kind, "odd"), ForbiddenEqualsClause(flag, "on")))
    return SearchSpace(space)


def finite() -> SearchSpace:
    """Eighteen configurations."""
    return as_space({"a": [1, 2, 3], "b": ["x", "y"], "c": [0.1, 0.2, 0.4]})


SPACES: dict[str, Callable[[], SearchSpace]] = {f.__name__: f for f in (continuous, mixed, conditional, finite)}


class Bowl:
    """Squared distance from a point of the unit cube, with its gradient; some of the cube can be made to fail.

    Parameters
    ----------
    space, direction
        Where it is, and whether it opens upwards or downwards.
    failing
        The share of trials that fail, in one part of the space and here and there elsewhere; 1 means all.
    """

    name, work_unit = "bowl", "evaluation"
    optimum: float | None = 0.0

    def __init__(self, space: SearchSpace, direction: Direction = "minimize", failing: float = 0.0) -> None:
        self.space, self._failing = space, failing
        self.direction: Direction = direction

    def evaluate(self, configuration: Configuration, *, rng: np.random.Generator) -> Outcome:
        """The value and its gradient; raises in what fails."""
        x = self.space.encode([configuration])[0]
        share = 0.5 * (x[0] + (1e6 * x.sum()) % 1.0)
        if share < self._failing or self._failing == 1.0:
            raise ArithmeticError("in the part that fails")
        sign, gap = (1.0 if self.direction == "minimize" else -1.0), x - 0.3
        gradient = dict(zip(self.space.names, (2.0 * sign * gap).tolist(), strict=True))
        return Outcome(sign * float(gap @ gap), gradient=gradient)

    evaluate_with_gradient = evaluate

    def evaluate_to(
        self, configuration: Configuration, fidelity: float, *, stopped: Outcome | None, rng: np.random.Generator
    ) -> Outcome:
        """Worse than at the end by what is not yet done of the training; told at the share that was asked for."""
        end = self.evaluate(configuration, rng=rng)
        assert end.value is not None
        sign = 1.0 if self.direction == "minimize" else -1.0
        curve = [(fidelity, end.value + 0.1 * sign * (1.0 / fidelity - 1.0))]
        return replace(end, curve=tuple(curve)) if fidelity == 1.0 else Outcome.stopped(curve)


@dataclass(frozen=True)
class SearcherUnderTest:
    """A searcher on a space.

    Parameters
    ----------
    make
        Makes a new searcher that knows nothing; importable, so that another process can call it.
    space_name
        A key of `SPACES`.
    trials
        Length of the studies.
    """

    make: Make
    space_name: str
    trials: int

    @cached_property
    def space(self) -> SearchSpace:
        """The space."""
        return SPACES[self.space_name]()

    def problem(self, **arguments: Any) -> Bowl:
        """What is searched."""
        return Bowl(self.space, **arguments)

    def study(self, problem: Bowl, seed: int = 0, trials: tuple[Trial, ...] = ()) -> Study:
        """A study with a new searcher, run to its end."""
        study = Study(self.space, self.make(), problem.direction, seed, name="contract", trials=trials)
        list(study.run(problem, self.trials))
        return study

    def check(self, holds: bool, promise: str, expected: str, got: object) -> None:
        """Raise where a promise is broken."""
        if not holds:
            name = self.make().name
            raise AssertionError(
                f"searcher '{name}', {self.space_name} space: {promise}: expected {expected}, got {got}"
            )


def check_searcher(make: Make, trials: int = 12) -> tuple[str, ...]:
    """Put a searcher through all of `SEARCHER_PROMISES`, on each of `SPACES` that it does not refuse.

    Parameters
    ----------
    make
        Makes a new searcher: a class, or a `functools.partial` of one, that another process can import.
    trials
        Length of the studies.

    Returns
    -------
    tuple
        Names of the spaces that it works on.

    Raises
    ------
    AssertionError
        If a promise is broken: which one, what was expected and what was got; or if it refuses every space.
    """
    able: list[SearcherUnderTest] = []
    for name in SPACES:
        tested = SearcherUnderTest(make, name, trials)
        try:
            make().check(tested.space, capabilities(tested.problem()))
        except SpecificationError:
            continue
        for promise in SEARCHER_PROMISES:
            promise(tested)
        able.append(tested)
    if not able:
        raise AssertionError(
            f"searcher '{make().name}': expected one of the spaces {list(SPACES)} to suit it, got none"
        )
    _another_process(able)
    return tuple(tested.space_name for tested in able)


def legal_proposals(tested: SearcherUnderTest) -> None:
    """Proposals are numbered, legal, never forbidden, carry the constants, and can be recorded; some trials fail."""
    trials = tested.study(tested.problem(failing=0.4)).history.trials
    indices = [t.suggestion.index for t in trials]
    tested.check(indices == list(range(len(trials))), "numbers of trials", "0, 1, ...", indices)
    json.dumps([t.to_record() for t in trials])
    for trial in trials:
        _check_legal(tested, trial.configuration)


def failures_everywhere(tested: SearcherUnderTest) -> None:
    """A study in which every trial fails goes on to its end, or until its space is exhausted."""
    study = tested.study(tested.problem(failing=1.0))
    ended = study.ending is not None and (len(study.history) == tested.trials or study.ending.status == "exhausted")
    tested.check(ended, "all trials fail", f"{tested.trials} trials", len(study.history))


def equal_seeds(tested: SearcherUnderTest) -> None:
    """Equal seeds give equal trials; asking twice changes nothing."""
    first, again = _seeded(tested), _seeded(tested)
    tested.check(first == again, "the same seed again", "the same trials", _difference(first, again))
    searcher, history = tested.make(), History(tested.space)
    answers = [[s.configuration for s in searcher.ask(history, 2, Streams("contract", 0))] for _ in range(2)]
    tested.check(answers[0] == answers[1], "asking twice", str(answers[0]), answers[1])


def resumable(tested: SearcherUnderTest) -> None:
    """A study that goes on from its records, at any trial, ends with the same trials; both directions."""
    for direction in ("minimize", "maximize"):
        problem = tested.problem(direction=direction, failing=0.3)
        whole = tested.study(problem)
        for done in sorted({1, tested.trials // 2, len(whole.history) - 1}):
            records = json.loads(json.dumps([t.to_record() for t in whole.history.trials[:done]]))
            resumed = tested.study(problem, trials=tuple(Trial.from_record(r) for r in records))
            same = _tried(whole) == _tried(resumed)
            expected = f"the trials of the undisturbed study ({direction}, after {done})"
            tested.check(same, "resumed from records", expected, _difference(_tried(whole), _tried(resumed)))


def pending_trials(tested: SearcherUnderTest) -> None:
    """Several proposals may be asked for before any is told, and be told in another order."""
    problem = tested.problem()
    study = Study(tested.space, tested.make(), seed=0, name="contract")
    rng = np.random.default_rng(0)
    try:
        for _ in range(max(2, tested.trials // 3)):
            suggestions = study.ask(3)
            for suggestion in reversed(suggestions):
                _check_legal(tested, suggestion.configuration)
                outcome = problem.evaluate(suggestion.configuration, rng=rng)
                study.tell(suggestion, outcome if suggestion.index % 4 else float("nan"))
    except SpaceExhausted:
        tested.check(bool(len(study.history)), "pending trials", "proposals", "an exhausted space")
    indices = sorted(t.suggestion.index for t in study.history.trials)
    tested.check(indices == list(range(len(indices))), "numbers of pending trials", "each once", indices)


SEARCHER_PROMISES: tuple[Callable[[SearcherUnderTest], None], ...] = (
    legal_proposals,
    failures_everywhere,
    equal_seeds,
    resumable,
    pending_trials,
)


def _check_legal(tested: SearcherUnderTest, configuration: Mapping[str, Any]) -> None:
    space = tested.space
    X = space.encode([configuration])
    again = space.decode(X)[0]
    tested.check(set(again) == set(configuration), "names", f"those that are active, {sorted(again)}", configuration)
    tested.check(bool(space.legal(X)[0]), "proposal", "a configuration that is not forbidden", configuration)
    snapped = np.allclose(space.snap(X), X, atol=1e-9)
    tested.check(snapped, "proposal", "values of the space", configuration)


def _tried(study: Study) -> list[tuple[Configuration, float | None]]:
    return [(t.configuration, t.value) for t in study.history.trials]


def _seeded(tested: SearcherUnderTest) -> list[tuple[Configuration, float | None]]:
    """Trials that the seed alone decides."""
    return _tried(tested.study(tested.problem(failing=0.2)))


def _another_process(able: list[SearcherUnderTest]) -> None:
    """Another process finds the same trials."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        for tested in able:
            parts = tested.make, tested.space_name, tested.trials
            here, there = _seeded(tested), pool.submit(_there, *parts).result()
            tested.check(here == there, "another process", "the same trials", _difference(here, there))


def _there(make: Make, space_name: str, trials: int) -> list[tuple[Configuration, float | None]]:
    return _seeded(SearcherUnderTest(make, space_name, trials))


def _difference(one: list[Any], other: list[Any]) -> str:
    """Where two lists of trials part."""
    for i, (a, b) in enumerate(zip(one, other, strict=False)):
        if a != b:
            return f"{b} for trial {i}, in place of {a}"
    return f"{len(other)} trials in place of {len(one)}"
