"""The searcher contract."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING, Any

from bayeshpo.errors import SpaceExhausted, SpecificationError
from bayeshpo.history import History
from bayeshpo.problem import Capabilities
from bayeshpo.randomness import Streams
from bayeshpo.space import SearchSpace
from bayeshpo.trial import Suggestion, Trial

if TYPE_CHECKING:
    from bayeshpo.acquisitions.remaining import Remaining
    from bayeshpo.aims import Aims
    from bayeshpo.searchers.optimum import Optimum


class Searcher(ABC):
    """Proposes configurations from the history alone.

    A searcher is a function of (history, streams): what it keeps between calls only saves time, so that a study that
    is resumed from its records goes on as if it had not been interrupted.
    """

    name: str

    def check(self, space: SearchSpace, capabilities: Capabilities) -> None:  # noqa: B027 - most searchers need nothing
        """Refuse, before anything runs, a space or problem that this searcher cannot work on.

        Raises
        ------
        SpecificationError
            Saying what is needed and what would be right.
        """

    @abstractmethod
    def ask(self, history: History, n: int, rng: Streams) -> list[Suggestion]:
        """Propose ``n`` configurations to evaluate, given what is known and pending; fewer where no more are left.

        Raises
        ------
        SpaceExhausted
            If every configuration of a finite space has been tried.
        """

    def recommend(self, history: History, rng: Streams) -> Trial | None:
        """The tried configuration to use in earnest: the incumbent, unless the searcher knows better."""
        return history.incumbent

    def pareto_set(self, history: History, rng: Streams) -> list[Trial]:
        """The trials within all limits that none is better than in all objectives, in order of their value."""
        return best_observed(history)

    def recommended_after(self, history: History, n: int) -> Trial | None:
        """The recommendation after the first ``n`` trials of a history, fewer than all, as far as it is on record.

        Nothing is fitted: a searcher whose recommendations are a surrogate's says None where it had made no fit.
        """
        return replace(history, trials=history.trials[:n], pending=()).incumbent

    def reports(self) -> list[dict[str, Any]]:
        """Rows for ``inference.jsonl`` from the last `ask`; empty for searchers that fit nothing."""
        return []

    def optimum(self, history: History, rng: Streams) -> Optimum:
        """Where the surrogate's posterior mean is best over the whole space.

        Raises
        ------
        SpecificationError
            If the searcher has no surrogate, no trial has finished, or the surrogate could not be fitted.
        """
        raise self._without_a_surrogate()

    def remaining(self, history: History, rng: Streams) -> Remaining:
        """Functions drawn from the posterior: where each is best, how good it is there, and what is left to be gained.

        Raises
        ------
        SpecificationError
            As `optimum`, or as `check_remaining`.
        """
        raise self._without_a_surrogate()

    def check_remaining(self, aims: Aims) -> None:
        """Refuse to be asked for `remaining` in a study with such aims, before anything runs.

        Raises
        ------
        SpecificationError
            If the searcher has no surrogate, or functions cannot be drawn of it, or there are several objectives.
        """
        raise self._without_a_surrogate()

    def posterior(self, history: History, rng: Streams) -> Any:
        """The posterior of the surrogate given the history, an `xarray.DataTree` in ArviZ's layout.

        Raises
        ------
        SpecificationError
            If the searcher has no surrogate.
        """
        raise self._without_a_surrogate()

    def _without_a_surrogate(self) -> SpecificationError:
        return SpecificationError(f"expected a searcher with a surrogate, got '{self.name}'; use 'bayesian'")


def best_observed(history: History) -> list[Trial]:
    """The trials within all limits that none is better than in all objectives as observed, in order of their value."""
    return sorted(history.pareto_set, key=lambda trial: history.sign * (trial.value or 0.0))


def one_after_another(history: History, propose: Callable[[History], Suggestion]) -> Iterator[Suggestion]:
    """Proposals without end, each given those before it as pending."""
    while True:
        suggestion = propose(history)
        yield suggestion
        history = history.with_pending([suggestion])


def as_many_as_are_left(proposals: Iterator[Suggestion], n: int) -> list[Suggestion]:
    """The first ``n``, or those that come before the space is exhausted.

    Raises
    ------
    SpaceExhausted
        If none does.
    """
    suggestions: list[Suggestion] = []
    try:
        for suggestion in islice(proposals, n):
            suggestions.append(suggestion)
    except SpaceExhausted:
        if not suggestions:
            raise
    return suggestions


def next_index(history: History) -> int:
    """Index of the next suggestion."""
    return len(history.trials) + len(history.pending)
