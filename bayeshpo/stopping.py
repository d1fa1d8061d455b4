"""When a study ends before its budget is spent: rules that compose with ``&`` and ``|``."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from numbers import Integral, Real
from typing import TYPE_CHECKING

from bayeshpo.errors import SpecificationError
from bayeshpo.searchers.base import Searcher

if TYPE_CHECKING:
    from bayeshpo.aims import Aims
    from bayeshpo.history import History
    from bayeshpo.randomness import Streams

# Of a sum of work, relative to it.
_ROUNDING = 1e-9


class StoppingRule(ABC):
    """Says between two trials whether a study ends.

    A rule is a function of (history, searcher, streams), as a searcher is of (history, streams): it sees what is on
    record and what follows from it, so that a study that is resumed from its records ends where it would have ended.
    ``a | b`` ends a study as soon as one of them would, ``a & b`` when both would.
    """

    @abstractmethod
    def reason(self, history: History, searcher: Searcher, rng: Streams) -> str | None:
        """Why the study ends here, in words; None if it goes on.

        A rule may ask the searcher for its recommendation or posterior, which is what the next proposal is made from;
        what this takes is counted as seconds of that proposal.
        """

    def check(self, searcher: Searcher, aims: Aims) -> None:  # noqa: B027 - most rules need nothing of a searcher
        """Refuse, before anything runs, a searcher that this rule cannot ask for what it needs, or such aims.

        Raises
        ------
        SpecificationError
            Saying what is needed.
        """

    @abstractmethod
    def __str__(self) -> str:
        """The rule as experiment files have it."""

    def __or__(self, other: StoppingRule) -> StoppingRule:
        return Either(self, other) if isinstance(other, StoppingRule) else NotImplemented

    def __and__(self, other: StoppingRule) -> StoppingRule:
        return Both(self, other) if isinstance(other, StoppingRule) else NotImplemented


@dataclass(frozen=True)
class Either(StoppingRule):
    """As soon as one of two rules says so; the second is only asked if the first does not."""

    left: StoppingRule
    right: StoppingRule

    def reason(self, history: History, searcher: Searcher, rng: Streams) -> str | None:
        """That of the first rule that has one."""
        return self.left.reason(history, searcher, rng) or self.right.reason(history, searcher, rng)

    def check(self, searcher: Searcher, aims: Aims) -> None:
        """Both rules must be able to work with the searcher."""
        self.left.check(searcher, aims)
        self.right.check(searcher, aims)

    def __str__(self) -> str:
        return f"{self.left} | {self.right}"


@dataclass(frozen=True)
class Both(StoppingRule):
    """When two rules say so at the same time; the second is only asked if the first does."""

    left: StoppingRule
    right: StoppingRule

    def reason(self, history: History, searcher: Searcher, rng: Streams) -> str | None:
        """Both reasons."""
        if (left := self.left.reason(history, searcher, rng)) is None:
            return None
        right = self.right.reason(history, searcher, rng)
        return None if right is None else f"{left} and {right}"

    def check(self, searcher: Searcher, aims: Aims) -> None:
        """Both rules must be able to work with the searcher."""
        self.left.check(searcher, aims)
        self.right.check(searcher, aims)

    def __str__(self) -> str:
        return " & ".join(f"({rule})" if isinstance(rule, Either) else str(rule) for rule in (self.left, self.right))


@dataclass(frozen=True)
class Budget(StoppingRule):
    """After so many trials; in ``Budget(30) & Unchanged(10)``, not before so many.

    Parameters
    ----------
    trials
        Number of trials, failed and stopped ones among them.
    """

    trials: int

    def __post_init__(self) -> None:
        _check_trials("budget", self.trials)

    def reason(self, history: History, searcher: Searcher, rng: Streams) -> str | None:
        """That the trials are there."""
        return f"budget of {self.trials} trials spent" if len(history) >= self.trials else None

    def __str__(self) -> str:
        return f"budget({self.trials})"


@dataclass(frozen=True)
class Seconds(StoppingRule):
    """After so many seconds on record: what was spent on proposing and evaluating trials, wherever they were run.

    Those of trials that were evaluated at once are counted once. A trial that is being evaluated is not interrupted.

    Parameters
    ----------
    seconds
        Wall time, as `Suggestion.seconds` and `Outcome.seconds` have it.
    """

    seconds: float

    def __post_init__(self) -> None:
        _check_number("seconds", "a number of seconds above 0", self.seconds, math.inf)

    def reason(self, history: History, searcher: Searcher, rng: Streams) -> str | None:
        """That the time is over."""
        return f"{self.seconds:g} seconds spent" if history.seconds >= self.seconds else None

    def __str__(self) -> str:
        return f"seconds({self.seconds})"


@dataclass(frozen=True)
class Work(StoppingRule):
    """After so much work on record, in the problem's own unit: the fair measure where trials are parts of trainings.

    Parameters
    ----------
    work
        As `Outcome.work` has it.
    """

    work: float

    def __post_init__(self) -> None:
        _check_number("work", "a number above 0", self.work, math.inf)

    def reason(self, history: History, searcher: Searcher, rng: Streams) -> str | None:
        """That the work is done; sums of parts of trainings may be off by rounding."""
        return f"{self.work:g} of work done" if history.work >= self.work * (1.0 - _ROUNDING) else None

    def __str__(self) -> str:
        return f"work({self.work})"


@dataclass(frozen=True)
class Unchanged(StoppingRule):
    """When so many trials in a row have left the recommendation as it was.

    Trials before a searcher's first model, as those of an initial design, do not count.

    Parameters
    ----------
    trials
        Number of trials.
    """

    trials: int

    def __post_init__(self) -> None:
        _check_trials("unchanged", self.trials)

    def reason(self, history: History, searcher: Searcher, rng: Streams) -> str | None:
        """That the recommendation is what it was so many trials ago, and was in between."""
        n = len(history)
        if n <= self.trials:
            return None
        standing = searcher.recommended_after(history, n - self.trials)
        if standing is None:
            return None
        # The newest first: where there was a change, it is most often seen at once.
        for k in range(n - 1, n - self.trials, -1):
            since = searcher.recommended_after(history, k)
            if since is None or since.configuration != standing.configuration:
                return None
        # Last, because it may take a fit: the one that the next proposal would be made from.
        now = searcher.recommend(history, rng)
        if now is None or now.configuration != standing.configuration:
            return None
        return f"recommendation unchanged for {self.trials} trials"

    def __str__(self) -> str:
        return f"unchanged({self.trials})"


@dataclass(frozen=True)
class RegretBelow(StoppingRule):
    """When the recommendation is probably no more than so much worse than the optimum.

    By joint draws of the surrogate's posterior, after the initial design (`Searcher.remaining`): the
    probability is the surrogate's, and in many dimensions, where no candidate is near the optimum, too large.

    Parameters
    ----------
    bound
        Of the remaining regret, in the objective's units (> 0).
    probability
        From which on the study ends, in (0, 1).
    """

    bound: float
    probability: float = 0.95

    def __post_init__(self) -> None:
        _check_number("regret_below", "a bound above 0", self.bound, math.inf)
        _check_number("regret_below", "a probability between 0 and 1", self.probability, 1.0)

    def reason(self, history: History, searcher: Searcher, rng: Streams) -> str | None:
        """That the regret is probably below the bound."""
        if not history.trials or history.trials[-1].suggestion.origin == "initial" or not history.finished.any():
            return None
        try:
            regret = searcher.remaining(history, rng).regret
        except SpecificationError:
            # No fit, or nothing within limits: the study goes on. What can never be asked `check` has refused.
            return None
        share = float((regret <= self.bound).mean())
        if share < self.probability:
            return None
        return f"remaining regret below {self.bound:g} with probability {share:.3f}"

    def check(self, searcher: Searcher, aims: Aims) -> None:
        """The searcher must have a surrogate of which functions can be drawn, and the study one objective."""
        try:
            searcher.check_remaining(aims)
        except SpecificationError as error:
            raise SpecificationError(f"regret_below: {error}") from None

    def __str__(self) -> str:
        return f"regret_below({self.bound}, {self.probability})"


def _check_number(name: str, expected: str, value: object, most: float) -> None:
    if isinstance(value, bool) or not isinstance(value, Real) or not 0.0 < float(value) < most:
        raise SpecificationError(f"{name}: expected {expected}, got {value!r}")


def _check_trials(name: str, trials: object) -> None:
    if isinstance(trials, bool) or not isinstance(trials, Integral) or trials < 1:
        raise SpecificationError(f"{name}: expected a whole number of trials of at least 1, got {trials!r}")
