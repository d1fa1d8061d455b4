"""Workers on a clock of their own, for studies whose trials are evaluated at once."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor, Future
from typing import Any

import numpy as np

from bayeshpo.trial import Suggestion


class Killed(BaseException):
    """What a kill is to a run: nothing is done after it."""


class Simulated(Executor):
    """Workers on a clock of their own: of what runs, that ends first which would; after so many, there is an end."""

    def __init__(self, seconds: Callable[[Suggestion], float], most: float = np.inf, end: type = Killed) -> None:
        self.seconds, self.most, self.end = seconds, most, end
        self.clock, self.running = 0.0, {}
        self.ended: dict[int, float] = {}

    def submit(self, fn: Any, /, *arguments: Any, **named: Any) -> Future[Any]:
        (task,) = arguments
        future: Future[Any] = Future()
        self.running[future] = self.clock + self.seconds(task.suggestion), fn, task
        return future

    def wait(self, futures: Any, return_when: Any) -> tuple[set[Any], set[Any]]:
        if len(self.ended) >= self.most:
            raise self.end
        first = min(futures, key=lambda future: self.running[future][0])
        self.clock, evaluate, task = self.running.pop(first)
        self.ended[task.suggestion.index] = self.clock
        first.set_result(evaluate(task))
        return {first}, set()


def drawn_seconds(suggestion: Suggestion) -> float:
    return float(np.random.default_rng(suggestion.index).uniform(0.1, 1.0))


def timeless(records: Any) -> list[dict[str, Any]]:
    clocks = ("seconds_ask", "seconds_evaluate")
    return [{key: value for key, value in record.items() if key not in clocks} for record in records]
