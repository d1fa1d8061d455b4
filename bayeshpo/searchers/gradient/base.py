"""What gradient searchers share: restarted descents, replayed from the history."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Iterator

import numpy as np

from bayeshpo.errors import SpecificationError
from bayeshpo.history import History
from bayeshpo.problem import Capabilities
from bayeshpo.randomness import Streams
from bayeshpo.searchers.base import Searcher, next_index
from bayeshpo.searchers.gradient.descent import FAILED, Answer, Conversation, Slope, descend
from bayeshpo.searchers.initial import sobol_points
from bayeshpo.space import SearchSpace
from bayeshpo.trial import Suggestion

_STEP = "gradient_step"
_FIRST_STARTS = 16


class GradientSearcher(Searcher):
    """Descents from one Sobol point after another, the first being the first of every initial design.

    The whole search is one conversation, and each suggestion is numbered with its place in it (``info``). An `ask`
    replays the conversation with the answers on record up to the first that is missing: nothing else is remembered,
    so a study resumed from its records goes on where it was.

    Parameters
    ----------
    tolerance
        A descent ends, and the next one starts, when its moves fall below this part of the unit interval.
    """

    needs_gradient = False

    def __init__(self, tolerance: float) -> None:
        if not 0 < tolerance < 1:
            raise SpecificationError(f"{self.name}: expected a tolerance in (0, 1), got {tolerance}")
        self.tolerance = tolerance

    @abstractmethod
    def slope(self, x: np.ndarray, answer: Answer) -> Conversation[Slope | None]:
        """The slope of the loss at ``x`` (D,), whose own answer is given; None if it cannot be had."""

    def check(self, space: SearchSpace, capabilities: Capabilities) -> None:
        """Refuse a space that is not all floats, and aims beside the value.

        Raises
        ------
        SpecificationError
            Naming the hyperparameters that have no gradient, or the metrics.
        """
        if capabilities.aims.metrics:
            raise SpecificationError(
                f"the searcher '{self.name}' needs a study of one objective and no constraints, got one that aims at "
                f"{', '.join(capabilities.aims.metrics)} too; use bayesian there"
            )
        discrete = [name for name, ok in zip(space.names, space.continuous, strict=True) if not ok]
        if discrete:
            raise SpecificationError(
                f"the searcher '{self.name}' needs floats only, got discrete {', '.join(discrete)}; "
                "use random, sobol or bayesian there"
            )
        if space.is_conditional:
            raise SpecificationError(
                f"the searcher '{self.name}' needs hyperparameters that are always active, got a conditional space; "
                "use random, sobol or bayesian there"
            )

    def ask(self, history: History, n: int, rng: Streams) -> list[Suggestion]:
        """The next points of the descent; draws from the space where it must wait for answers that are pending."""
        space, first = history.space, next_index(history)
        waiting = {s.info[_STEP] for s in history.pending if _STEP in s.info}
        missing = [(k, x) for k, x in self._missing(history, rng) if k not in waiting][:n]
        suggestions = [
            Suggestion(space.decode(x)[0], first + i, "gradient", self.needs_gradient, info={_STEP: k})
            for i, (k, x) in enumerate(missing)
        ]
        for index in range(first + len(suggestions), first + n):
            X = space.sample(1, rng.generator("random", index))
            suggestions.append(Suggestion(space.decode(X)[0], index, "exploration"))
        return suggestions

    def _missing(self, history: History, rng: Streams) -> list[tuple[int, np.ndarray]]:
        """Place and point of the evaluations that the conversation waits for."""
        answers = _answers(history)
        conversation = self._descents(history.space, rng)
        batch, place = next(conversation), 0
        while True:
            legal = history.space.legal(batch)
            places = place + np.cumsum(legal) - 1
            missing = [(int(k), x) for k, x, ok in zip(places, batch, legal, strict=True) if ok and k not in answers]
            if missing:
                return missing
            # Forbidden points are known to fail; no trial is spent on them.
            replies = [answers[k] if ok else FAILED for k, ok in zip(places, legal, strict=True)]
            batch, place = conversation.send(replies), place + int(legal.sum())

    def _descents(self, space: SearchSpace, rng: Streams) -> Conversation[None]:
        for start in _starts(space, rng):
            yield from descend(start, self.slope, self.tolerance)


def _starts(space: SearchSpace, rng: Streams) -> Iterator[np.ndarray]:
    given, n = 0, _FIRST_STARTS
    while True:
        yield from sobol_points(space, n, rng.generator("initial"))[given:]
        given, n = n, 2 * n


def _answers(history: History) -> dict[int, Answer]:
    """Answers on record by their place in the conversation."""
    answers = {}
    for trial, loss, gradient in zip(history.trials, history.losses, history.gradients, strict=True):
        if _STEP in trial.suggestion.info:
            known = np.isfinite(gradient).all()
            answers[trial.suggestion.info[_STEP]] = (
                FAILED if math.isnan(loss) else Answer(float(loss), gradient if known else None)
            )
    return answers
