"""Trials that fail."""

from __future__ import annotations

import numpy as np

from bayeshpo.errors import SpecificationError
from bayeshpo.problem import Problem
from bayeshpo.problems.wrappers.base import Wrapper
from bayeshpo.problems.wrappers.ramp import Ramp
from bayeshpo.space import Configuration
from bayeshpo.trial import Outcome, Status


class Failures(Wrapper):
    """A share of the trials fails by chance, and all those in a region of the space: behind a plane through the cube.

    They cost what they would have cost otherwise. Where the problem names its optimisers and none is outside the
    region, or names none at all, the optimum is no longer known.

    Parameters
    ----------
    problem
        What is wrapped.
    share
        Of trials that fail by chance, in [0, 1).
    region
        Share of the space where all fail, in [0, 1); the optimum need not be outside.
    seed
        Which region.

    Raises
    ------
    SpecificationError
        If a share is out of range, or both are 0.
    """

    def __init__(self, problem: Problem, share: float = 0.0, region: float = 0.0, seed: int = 0) -> None:
        super().__init__(problem)
        if not (0.0 <= share < 1.0 and 0.0 <= region < 1.0 and share + region > 0.0):
            raise SpecificationError(
                f"failures: expected share and region in [0, 1), not both 0, got share={share} and region={region}"
            )
        self.share = share
        self._ramp = Ramp(problem.space, seed)
        self._limit = np.inf if region == 0.0 else self._ramp.quantile(1.0 - region)
        self.optimisers = tuple(c for c in self.optimisers if not self._fails(c))
        if region > 0.0 and not self.optimisers:
            self.optimum = None

    def outward(self, outcome: Outcome, configuration: Configuration, rng: np.random.Generator) -> Outcome:
        """The outcome, or a failed one that took as long."""
        by_chance = rng.random() < self.share
        if not (by_chance or self._fails(configuration)):
            return outcome
        reason = "failed by chance" if by_chance else "failed, as all do in this region"
        return Outcome(
            None, Status.RAISED, f"the wrapper 'failures': {reason}", outcome.seconds, outcome.work, info=outcome.info
        )

    def truth(self, value: float, configuration: Configuration) -> float | None:
        """The true value, unless all trials fail there."""
        return None if self._fails(configuration) else value

    def _fails(self, configuration: Configuration) -> bool:
        return bool(self._ramp(configuration) > self._limit)
