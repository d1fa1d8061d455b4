"""Work that a searcher does while objectives are evaluated."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import suppress


class Background:
    """Take the steps of an iterator in a thread of its own.

    Parameters
    ----------
    steps
        What is worth having done beforehand. A step that raises ends the work: what could not be done here is done,
        and fails visibly, where it is needed.
    """

    def __init__(self, steps: Iterator[None]) -> None:
        self._thread = threading.Thread(target=_take, args=(steps,), name="bayeshpo-background")
        self._thread.start()

    def wait(self) -> float:
        """Let the work finish; the seconds that this took."""
        start = time.perf_counter()
        self._thread.join()
        return time.perf_counter() - start


def _take(steps: Iterator[None]) -> None:
    with suppress(Exception):
        # An interpreter that is about to end waits for one step, not for all.
        while threading.main_thread().is_alive():
            next(steps)
