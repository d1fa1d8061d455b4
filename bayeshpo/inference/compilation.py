"""A clock for compilations: how many there were in this process, and how long they took."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from bayeshpo.surrogates.symbolic import strict_arithmetic


@dataclass
class CompilationLog:
    """What was compiled so far in this process: (what, seconds, in which thread)."""

    entries: list[tuple[str, float, int]] = field(default_factory=list)

    @property
    def seconds(self) -> float:
        """Total of this thread so far: what others compile meanwhile is no part of the time that passes here."""
        return sum(seconds for _, seconds, thread in self.entries if thread == threading.get_ident())


COMPILATIONS = CompilationLog()


@contextmanager
def compiling(what: str) -> Iterator[None]:
    """Log the block as one compilation, and compile so that results are the same in every process."""
    start = time.perf_counter()
    with strict_arithmetic():
        yield
    COMPILATIONS.entries.append((what, time.perf_counter() - start, threading.get_ident()))


class Stopwatch:
    """Wall time since it was made, compilations and diagnoses apart."""

    def __init__(self) -> None:
        self._start, self._compiled, self._diagnosed = time.perf_counter(), COMPILATIONS.seconds, 0.0

    @contextmanager
    def diagnosing(self) -> Iterator[None]:
        """Count the block, in which nothing is compiled, as a diagnosis of the fit."""
        start = time.perf_counter()
        yield
        self._diagnosed += time.perf_counter() - start

    def seconds(self) -> dict[str, float]:
        """Fields of a report: ``seconds_compile``, ``seconds_diagnose`` and, without these, ``seconds_sample``."""
        compiled = COMPILATIONS.seconds - self._compiled
        sampled = time.perf_counter() - self._start - compiled - self._diagnosed
        return {"seconds_compile": compiled, "seconds_sample": sampled, "seconds_diagnose": self._diagnosed}
