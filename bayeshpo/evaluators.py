"""Where the trials of one study are evaluated: in turn in this process, or several at once in others."""

from __future__ import annotations

import signal
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, CancelledError, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from functools import lru_cache, partial
from multiprocessing.connection import Connection
from typing import Any, Protocol

import numpy as np

from bayeshpo.errors import BayeshpoError, SpecificationError, told
from bayeshpo.parallel import one_blas_thread
from bayeshpo.problem import Problem, evaluate
from bayeshpo.processes import Died, WorkerProcess, end_with_parent, wait_for
from bayeshpo.trial import Outcome, Status, Suggestion

# A trial that has brought down so many workers has failed: the first may have been ended by somebody else.
_MOST_DEATHS = 2


@dataclass(frozen=True, eq=False)
class Task:
    """All that the evaluation of a suggestion needs beside the problem.

    Attributes
    ----------
    suggestion
        What is evaluated.
    rng
        For its noise.
    stopped
        What the training has brought that it takes up; None where it begins a new one.
    """

    suggestion: Suggestion
    rng: np.random.Generator
    stopped: Outcome | None

    def evaluate(self, problem: Problem) -> Outcome:
        """What comes of it; an exception is a failed outcome with its reason."""
        suggestion = self.suggestion
        return evaluate(
            problem, suggestion.configuration, rng=self.rng, gradient=suggestion.needs_gradient,
            fidelity=suggestion.fidelity, stopped=self.stopped,
        )  # fmt: skip


class Evaluator(Protocol):
    """Takes tasks, and gives back each with its outcome when that is there.

    Attributes
    ----------
    at_once
        How many tasks it takes before it gives one back.
    """

    at_once: int

    def submit(self, task: Task) -> None:
        """Begin with an evaluation."""
        ...

    def finished(self) -> tuple[Suggestion, Outcome]:
        """Wait for the next evaluation that ends."""
        ...

    def close(self) -> None:
        """Give up what has not ended."""
        ...


def several(problem: Problem, workers: int, executor: Any = None) -> Evaluator:
    """Several trials at once.

    Parameters
    ----------
    problem
        What is evaluated.
    workers
        How many at once.
    executor
        A `concurrent.futures.Executor`, or what has a method ``get_executor`` as a Dask ``Client``; processes of this
        machine by default.

    Raises
    ------
    SpecificationError
        If it is no executor, or the problem cannot be sent to other processes.
    """
    if isinstance(executor, ThreadPoolExecutor):
        return Futures(partial(_here, problem), workers, executor)
    return elsewhere(partial(_itself, problem), workers, executor)


def elsewhere(make: Callable[[], Problem], workers: int, executor: Any = None) -> Evaluator:
    """Several trials at once, in processes each of which makes the problem for itself.

    Parameters
    ----------
    make
        Gives the problem; sent as cloudpickle sends it, so that a function of a script, a lambda and a closure will do.
    workers, executor
        As `several` takes them.
    """
    import cloudpickle

    executor = _submitting(executor)
    try:
        sent = Sent(cloudpickle.dumps(make))
    except Exception as error:
        raise SpecificationError(
            f"workers: expected an objective that can be sent to other processes, got one with {told(error)}; let it "
            "make for itself what cannot be sent, or give executor=concurrent.futures.ThreadPoolExecutor()"
        ) from error
    return Processes(sent, workers) if executor is None else Futures(sent, workers, executor)


class InTurn:
    """One trial at a time, in this process, when its outcome is asked for.

    Parameters
    ----------
    problem
        What is evaluated.
    """

    at_once = 1

    def __init__(self, problem: Problem) -> None:
        self._problem = problem
        self._waiting: list[Task] = []

    def submit(self, task: Task) -> None:
        """Keep it until its outcome is asked for."""
        self._waiting.append(task)

    def finished(self) -> tuple[Suggestion, Outcome]:
        """Evaluate."""
        task = self._waiting.pop()
        return task.suggestion, task.evaluate(self._problem)

    def close(self) -> None:
        """Nothing is left."""


class Processes:
    """Processes of this machine, begun when they are needed, one trial at a time in each.

    A trial whose process dies is evaluated once more in another; then it has failed.

    Parameters
    ----------
    sent
        What evaluates.
    at_once
        Number of processes.
    """

    def __init__(self, sent: Sent, at_once: int) -> None:
        self.at_once = at_once
        self._sent = sent
        self._idle: list[WorkerProcess] = []
        self._busy: dict[WorkerProcess, tuple[Task, float]] = {}
        self._deaths: Counter[int] = Counter()

    def submit(self, task: Task) -> None:
        """Give it to an idle process, or to a new one."""
        worker = self._idle.pop() if self._idle else WorkerProcess(_serve, self._sent, cores=1)
        self._busy[worker] = task, time.perf_counter()
        worker.send(task)

    def finished(self) -> tuple[Suggestion, Outcome]:
        """The next outcome that a process sends, or a failed one of a trial that ends its processes."""
        while True:
            wait_for(self._busy)
            for worker in list(self._busy):
                outcome = self._heard(worker)
                if outcome is not None:
                    return outcome

    def close(self) -> None:
        """End all processes."""
        for worker in (*self._idle, *self._busy):
            worker.end()

    def _heard(self, worker: WorkerProcess) -> tuple[Suggestion, Outcome] | None:
        message = worker.receive()
        if message is None:
            return None
        task, begun = self._busy.pop(worker)
        if not isinstance(message, Died):
            self._idle.append(worker)
            return task.suggestion, _checked(message)
        worker.end()
        index = task.suggestion.index
        self._deaths[index] += 1
        if self._deaths[index] < _MOST_DEATHS:
            self.submit(task)
            return None
        reason = f"{message}, and so did another one before"
        return task.suggestion, Outcome(None, Status.RAISED, reason, time.perf_counter() - begun)


class Futures:
    """The workers of an executor, which is left as it is in the end.

    What its own machinery makes of a task, as Dask does where workers die again and again, is a failed trial; where the
    executor itself is broken, that is raised.

    Parameters
    ----------
    evaluate
        What is submitted with each task.
    at_once
        Number of tasks.
    executor
        As `concurrent.futures` has them.
    """

    def __init__(self, evaluate: Callable[[Task], Outcome], at_once: int, executor: Any) -> None:
        self.at_once = at_once
        self._evaluate, self._executor = evaluate, executor
        self._running: dict[Future[Outcome], tuple[Suggestion, float]] = {}

    def submit(self, task: Task) -> None:
        """Submit it."""
        self._running[self._executor.submit(self._evaluate, task)] = task.suggestion, time.perf_counter()

    def finished(self) -> tuple[Suggestion, Outcome]:
        """The next outcome; of several, that of the trial that was submitted first."""
        done, _ = wait(self._running, return_when=FIRST_COMPLETED)
        future = next(f for f in self._running if f in done)
        suggestion, begun = self._running.pop(future)
        try:
            return suggestion, future.result()
        except (BrokenExecutor, CancelledError, BayeshpoError):
            raise
        except Exception as error:
            return suggestion, Outcome.raised(error, seconds=time.perf_counter() - begun)

    def close(self) -> None:
        """Cancel what has not begun; what comes of the rest is not waited for."""
        for future in self._running:
            future.cancel()


@dataclass(frozen=True)
class Sent:
    """A problem on its way to other processes, each of which makes it once.

    Attributes
    ----------
    content
        What gives the problem, pickled.
    """

    content: bytes

    def __call__(self, task: Task) -> Outcome:
        """Evaluate, with one thread of linear algebra.

        Raises
        ------
        SpecificationError
            If the problem cannot be made here.
        """
        try:
            problem = _made(self.content)
        except Exception as error:
            raise SpecificationError(f"the objective cannot be had in a worker: {told(error)}") from error
        with one_blas_thread():
            return task.evaluate(problem)


@lru_cache(maxsize=2)
def _made(content: bytes) -> Problem:
    import cloudpickle

    return cloudpickle.loads(content)()


def _submitting(executor: Any) -> Any:
    if hasattr(executor, "get_executor"):
        return executor.get_executor()
    if executor is None or hasattr(executor, "submit"):
        return executor
    raise SpecificationError(
        f"executor: expected a concurrent.futures.Executor or a Dask Client, got {type(executor).__name__}"
    )


def _itself(problem: Problem) -> Problem:
    return problem


def _here(problem: Problem, task: Task) -> Outcome:
    return task.evaluate(problem)


def _checked(message: Any) -> Outcome:
    """What a process has sent: an outcome, or why there can be none."""
    if isinstance(message, Exception):
        raise message
    return message


def _serve(connection: Connection, sent: Sent) -> None:
    """Evaluate the tasks that come over a connection."""
    # Ctrl-C reaches every process of the terminal; the parent decides.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    end_with_parent()
    while True:
        try:
            task: Task = connection.recv()
        except EOFError:
            return
        try:
            connection.send(sent(task))
        except BayeshpoError as error:
            connection.send(error)
        except Exception as error:
            # An outcome that cannot be sent.
            connection.send(Outcome.raised(error))
