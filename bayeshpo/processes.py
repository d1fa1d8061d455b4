"""Worker processes of this machine, each at the other end of a connection."""

from __future__ import annotations

import multiprocessing
import os
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.util import Finalize
from types import ModuleType
from typing import Any

from bayeshpo.parallel import worker_environment


@dataclass(frozen=True)
class Died:
    """In place of a message: the process is gone.

    Attributes
    ----------
    exit_code
        As of `multiprocessing.Process`: below 0, the signal that ended it.
    """

    exit_code: int | None

    def __str__(self) -> str:
        return f"its worker process died with exit code {self.exit_code}"


class WorkerProcess:
    """A process that serves a connection, with one thread of linear algebra; it ends with this one at the latest.

    Parameters
    ----------
    serve
        A function of a module, called there with the other end of the connection and the arguments; it begins with
        `end_with_parent`.
    arguments
        What is sent to it.
    cores
        How many of them it may use.
    """

    def __init__(self, serve: Callable[..., None], *arguments: Any, cores: int) -> None:
        context = multiprocessing.get_context("spawn")
        self.connection, theirs = context.Pipe()
        # No daemon: it may have workers of its own.
        self._process = context.Process(target=serve, args=(theirs, *arguments))
        with worker_environment(cores), _without_script():
            self._process.start()
        theirs.close()
        self.end = Finalize(self, _end, (self._process, self.connection), exitpriority=0)

    @property
    def alive(self) -> bool:
        """Whether it runs."""
        return self._process.is_alive()

    @property
    def handles(self) -> tuple[Any, ...]:
        """What `wait` waits for."""
        return self.connection, self._process.sentinel

    def send(self, message: Any) -> None:
        """Give it something to do."""
        # One that has died meanwhile is found when it is listened to.
        with suppress(BrokenPipeError, ConnectionResetError):
            self.connection.send(message)

    def receive(self) -> Any:
        """Its next message, `Died`, or None if there is no news of it."""
        try:
            if self.connection.poll():
                return self.connection.recv()
        except (EOFError, ConnectionResetError):
            self._process.join()
        return None if self._process.is_alive() else Died(self._process.exitcode)


def wait_for(workers: Iterable[WorkerProcess]) -> None:
    """Until there is news of one of them."""
    wait([handle for worker in workers for handle in worker.handles])


def end_with_parent() -> None:
    """Leave nothing running when the process that started this one is killed."""
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)


def _end(process: Any, connection: Connection) -> None:
    process.kill()
    process.join()
    connection.close()


@contextmanager
def _without_script() -> Iterator[None]:
    """Processes started meanwhile do not run the user's script once more: they are sent all that they need."""
    script = sys.modules["__main__"]
    sys.modules["__main__"] = ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = script
