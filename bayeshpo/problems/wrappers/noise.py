"""Noise."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from bayeshpo.errors import SpecificationError
from bayeshpo.problem import Problem
from bayeshpo.problems.wrappers.base import Wrapper, moved
from bayeshpo.space import Configuration
from bayeshpo.trial import Outcome


class Noise(Wrapper):
    """Values with independent normal noise; the whole of a learning curve is moved with its end.

    The optimum is that of values without noise. A gradient is exact, as noise does not depend on the configuration.

    Parameters
    ----------
    problem
        What is wrapped.
    scale
        Standard deviation in the value's unit (> 0).

    Raises
    ------
    SpecificationError
        If the scale is not positive.
    """

    def __init__(self, problem: Problem, scale: float) -> None:
        super().__init__(problem)
        if not scale > 0.0:
            raise SpecificationError(f"noise: expected a positive scale, got {scale}")
        self.scale, self.noisy = scale, True

    def outward(self, outcome: Outcome, configuration: Configuration, rng: np.random.Generator) -> Outcome:
        """The outcome, moved by one draw; a known standard error grows by the noise."""
        error = self.scale * rng.standard_normal()
        known = None if outcome.standard_error is None else math.hypot(outcome.standard_error, self.scale)
        return replace(moved(outcome, lambda value: value + error), standard_error=known)
