"""Named random streams: the same (problem, seed, purpose, index) gives the same numbers in every process.

Initial designs and noise are keyed by the problem and the seed alone, never by the searcher, so that comparisons of
searchers are paired.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Streams:
    """Source of independent generators for one run.

    Parameters
    ----------
    problem
        Name of the problem that the run is about.
    seed
        The run's seed (>= 0).
    """

    problem: str = ""
    seed: int = 0

    def generator(self, purpose: str, index: int = 0) -> np.random.Generator:
        """A generator of its own for a purpose ("initial", "acquisition", "noise", ...) and a trial index."""
        key = hashlib.sha256(f"{self.problem}\x1f{purpose}".encode()).digest()
        words = np.frombuffer(key[:16], dtype=np.uint32)
        return np.random.default_rng(np.random.SeedSequence([*words.tolist(), self.seed, index]))

    def integer(self, purpose: str, index: int = 0) -> int:
        """A seed in [0, 2**31) for a library that takes one."""
        return int(self.generator(purpose, index).integers(2**31))
