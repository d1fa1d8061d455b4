"""Asynchronous successive halving: many short trainings, of which the better ones go on."""

from __future__ import annotations

from dataclasses import replace

from bayeshpo.history import History
from bayeshpo.problem import Capabilities, check_fidelity
from bayeshpo.randomness import Streams
from bayeshpo.searchers.base import Searcher, as_many_as_are_left, next_index, one_after_another
from bayeshpo.searchers.random import drawn
from bayeshpo.space import SearchSpace
from bayeshpo.trial import Suggestion, Trial, fidelities_of


class SuccessiveHalvingSearcher(Searcher):
    """Random configurations, trained a little; the best of those that got so far go on (ASHA: Li et al., 2020).

    Of the trainings that have reached a share t_k, as many as a part t_k / t_(k+1) of them may go on to the next share,
    so that each share gets about as much work as the others. The furthest that may go on is next; where none may, a new
    one is begun.

    Parameters
    ----------
    fidelities
        Shares of a training, increasing in (0, 1) and then 1, at which it is stopped and compared.
    """

    name = "successive_halving"

    def __init__(self, fidelities: tuple[float, ...] = (0.1, 0.3, 1.0)) -> None:
        self.fidelities = fidelities_of(f"searcher '{self.name}'", fidelities)

    def check(self, space: SearchSpace, capabilities: Capabilities) -> None:
        """Refuse a problem of whole trainings.

        Raises
        ------
        SpecificationError
            Saying what is needed.
        """
        check_fidelity(f"searcher '{self.name}'", capabilities, "random")

    def ask(self, history: History, n: int, rng: Streams) -> list[Suggestion]:
        """``n`` trainings to take up or to begin."""
        return as_many_as_are_left(one_after_another(history, lambda seen: self._next(seen, rng)), n)

    def _next(self, history: History, rng: Streams) -> Suggestion:
        index = next_index(history)
        for k in reversed(range(len(self.fidelities) - 1)):
            promoted = self._promoted(history, k)
            if promoted is not None:
                taken_up = promoted.suggestion
                return Suggestion(
                    taken_up.configuration, index, "promoted", fidelity=self.fidelities[k + 1], continues=taken_up.index
                )
        return replace(drawn(history, index, rng), fidelity=self.fidelities[0])

    def _promoted(self, history: History, k: int) -> Trial | None:
        """The best training that was stopped at the k-th share and is among those that may go on."""
        share, following = self.fidelities[k : k + 2]
        reached = [t for t in history.trials if t.suggestion.fidelity == share]
        stopped = [t for t in reached if t.stopped]
        stopped.sort(key=lambda t: history.sign * t.outcome.curve[-1][1])
        awaiting = {t.suggestion.index for t in history.awaiting}
        return next(
            (t for t in stopped[: int(len(reached) * share / following)] if t.suggestion.index in awaiting), None
        )
