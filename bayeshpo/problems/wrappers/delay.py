"""Evaluations that are said to take long."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from bayeshpo.errors import SpecificationError
from bayeshpo.problem import Problem
from bayeshpo.problems.wrappers.base import Wrapper
from bayeshpo.problems.wrappers.ramp import Ramp
from bayeshpo.space import Configuration
from bayeshpo.trial import Outcome


class Delay(Wrapper):
    """Every evaluation is on record with more seconds than it took. Nobody waits for them: they are pretended.

    Parameters
    ----------
    problem
        What is wrapped.
    seconds
        Of the configuration in the middle (> 0).
    fold
        How much longer the slowest configuration takes than the fastest one (>= 1), on a log scale along a random
        direction of the cube.
    seed
        Which direction.

    Raises
    ------
    SpecificationError
        If the seconds are not positive, or the fold is below 1.
    """

    def __init__(self, problem: Problem, seconds: float, fold: float = 1.0, seed: int = 0) -> None:
        super().__init__(problem)
        if not (seconds > 0.0 and fold >= 1.0):
            raise SpecificationError(
                f"delay: expected positive seconds and a fold of at least 1, got {seconds} and {fold}"
            )
        self.seconds, self.fold = seconds, fold
        self._ramp = Ramp(problem.space, seed)

    def outward(self, outcome: Outcome, configuration: Configuration, rng: np.random.Generator) -> Outcome:
        """The outcome with its seconds."""
        seconds = self.seconds * self.fold ** (self._ramp.rank(configuration) - 0.5)
        return replace(outcome, seconds=outcome.seconds + seconds)
