"""Heavy tails: now and then a value is far worse than it should be."""

from __future__ import annotations

import numpy as np

from bayeshpo.aims import sign_of
from bayeshpo.errors import SpecificationError
from bayeshpo.problem import Problem
from bayeshpo.problems.wrappers.base import Wrapper, moved
from bayeshpo.space import Configuration
from bayeshpo.trial import Outcome


class Outliers(Wrapper):
    """A share of the trials comes out worse by the absolute value of a Cauchy variable, which has no mean.

    The optimum is that of values without outliers, and so is a gradient.

    Parameters
    ----------
    problem
        What is wrapped.
    share
        Of outliers, in (0, 1).
    scale
        What half of the outliers are worse by at least, in the value's unit (> 0).

    Raises
    ------
    SpecificationError
        If the share or the scale is out of range.
    """

    def __init__(self, problem: Problem, share: float, scale: float) -> None:
        super().__init__(problem)
        if not (0.0 < share < 1.0 and scale > 0.0):
            raise SpecificationError(
                f"outliers: expected a share between 0 and 1 and a positive scale, got {share} and {scale}"
            )
        self.share, self.scale, self.noisy = share, scale, True
        self._worse = sign_of(problem.direction)

    def outward(self, outcome: Outcome, configuration: Configuration, rng: np.random.Generator) -> Outcome:
        """The outcome, and for a share of them one that is worse."""
        if rng.random() >= self.share:
            return outcome
        error = self._worse * self.scale * abs(rng.standard_cauchy())
        return moved(outcome, lambda value: value + error)
