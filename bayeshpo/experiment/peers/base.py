"""What all peers share: one session with the library follows the history, and can be taken up from records."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from itertools import count
from typing import Any

from bayeshpo.errors import BayeshpoError, told
from bayeshpo.experiment.peers.spaces import plain
from bayeshpo.history import History
from bayeshpo.parallel import one_blas_thread
from bayeshpo.randomness import Streams
from bayeshpo.searchers.base import Searcher, as_many_as_are_left, next_index
from bayeshpo.space import Configuration, SearchSpace
from bayeshpo.trial import Suggestion, Trial

# Entry of a suggestion's info: how many trials the peer had been told when it was asked.
_TOLD = "told"


class PeerError(BayeshpoError):
    """A peer has failed: it crashed, did not answer, or answered with what is no configuration."""


class Session(ABC):
    """One study of the other library."""

    @abstractmethod
    def ask(self, index: int) -> Configuration:
        """The peer's next configuration; those that were asked for and not told are pending.

        Raises
        ------
        SpaceExhausted
            If the peer has no further one.
        """

    @abstractmethod
    def tell(self, index: int, trial: Trial, loss: float | None, asked: bool) -> None:
        """What came back: a loss to be minimised, or None of a trial without a value.

        ``asked`` says whether the peer proposed it; it is asked for every trial of a study, but not for those that a
        study began with.
        """


class PeerSearcher(Searcher):
    """A searcher that keeps a session with another library in step with the history.

    The session is told every trial as it comes. Where the history is not the one that it has followed so far, as in a
    run that is resumed, a new session is taken through the same asks and tells: the peer must propose what is on
    record, and goes on from there as if nothing had happened.
    """

    def __init__(self) -> None:
        self._session: Session | None = None
        self._of: tuple[SearchSpace, Streams] | None = None
        self._done: list[tuple[Any, ...]] = []

    @abstractmethod
    def open(self, space: SearchSpace, seed: int) -> Session:
        """A new session on a space; equal seeds give equal proposals."""

    def ask(self, history: History, n: int, rng: Streams) -> list[Suggestion]:
        """The peer's next proposals.

        Raises
        ------
        SpaceExhausted
            If the peer has none left.
        PeerError
            If the peer fails, or does not repeat what it proposed before a run was interrupted.
        """
        with one_blas_thread():
            return as_many_as_are_left(self._proposals(self._in_step(history, rng), history), n)

    def _proposals(self, session: Session, history: History) -> Iterator[Suggestion]:
        for index in count(next_index(history)):
            configuration = self._proposed(session, history.space, index)
            yield Suggestion(configuration, index, self.name, info={_TOLD: len(history)})

    def _in_step(self, history: History, rng: Streams) -> Session:
        """The session after all that the history has, a new one where it went another way."""
        steps = list(_steps(history, self.name))
        keys = [_key(step, history.sign) for step in steps]
        current = self._of is not None and self._of[0] is history.space and self._of[1] == rng
        if self._session is None or not current or self._done != keys[: len(self._done)]:
            self._session, self._of, self._done = self.open(history.space, rng.integer("peer")), None, []
        for step in steps[len(self._done) :]:
            self._repeat(self._session, step, history)
        self._of = (history.space, rng)
        return self._session

    def _repeat(self, session: Session, step: Suggestion | Trial, history: History) -> None:
        if isinstance(step, Trial):
            loss = None if step.value is None else history.sign * step.value
            session.tell(step.suggestion.index, step, loss, step.suggestion.origin == self.name)
            self._done.append(_key(step, history.sign))
            return
        again = self._proposed(session, history.space, step.index)
        if again != step.configuration:
            raise PeerError(
                f"searcher '{self.name}': expected {step.configuration} again for trial {step.index}, as on record, "
                f"got {again}; was the run begun with another version of the peer?"
            )

    def _proposed(self, session: Session, space: SearchSpace, index: int) -> Configuration:
        configuration = self._checked(space, session.ask(index))
        self._done.append(("ask", index, configuration))
        return configuration

    def _checked(self, space: SearchSpace, proposed: Configuration) -> Configuration:
        """A proposal as plain values in the space's order, refused if it is no legal configuration."""
        from ConfigSpace import Configuration as Legal

        try:
            Legal(space.configspace, values=proposed)
            space.encode([proposed])
        except Exception as error:
            raise PeerError(
                f"searcher '{self.name}': expected a legal configuration, got {proposed} ({told(error)})"
            ) from error
        return {name: plain(proposed[name]) for name in space.configspace if name in proposed}


def _steps(history: History, origin: str) -> Iterator[Suggestion | Trial]:
    """The asks and tells that led to a history, in their order: a suggestion is an ask, a trial a tell."""
    told = 0
    for suggestion in sorted((s for s in history.suggestions if s.origin == origin), key=lambda s: s.index):
        yield from history.trials[told : suggestion.info[_TOLD]]
        told = max(told, suggestion.info[_TOLD])
        yield suggestion
    yield from history.trials[told:]


def _key(step: Suggestion | Trial, sign: float) -> tuple[Any, ...]:
    """What a step is known by: neither seconds nor anything else that does not reach the peer."""
    if isinstance(step, Trial):
        return ("tell", step.suggestion.index, step.configuration, None if step.value is None else sign * step.value)
    return ("ask", step.index, step.configuration)
