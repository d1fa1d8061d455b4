"""Values on one scale for all problems."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from bayeshpo.errors import SpecificationError
from bayeshpo.problem import Problem, TrueValue
from bayeshpo.problems.wrappers.base import Wrapper, moved
from bayeshpo.space import Configuration
from bayeshpo.trial import Outcome

_DRAWS = 1000
# What stands for an optimum that is not known: this share of random configurations is better.
_BEST = 0.01


class Normalisation(Wrapper):
    """Losses of which 1 is the median of random search and 0 the optimum; minimised, whatever the problem's direction.

    (value - best) / (median - best), of the true values of 1,000 random configurations. Where the optimum is not known,
    0 is what one in a hundred of them reaches, and the optimum is still unknown.

    Parameters
    ----------
    problem
        What is wrapped: one that knows its true values.

    Raises
    ------
    SpecificationError
        If the problem does not know its true values, or half of the configurations are as good as the best.
    """

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem)
        if not isinstance(problem, TrueValue):
            raise SpecificationError(
                f"normalisation: expected a problem that knows its true values, which '{problem.name}' does not"
            )
        X = problem.space.sample(_DRAWS, np.random.default_rng(0))
        values = [v for v in map(problem.true_value, problem.space.decode(X)) if v is not None]
        share = _BEST if problem.direction == "minimize" else 1.0 - _BEST
        self._best = float(np.quantile(values, share)) if problem.optimum is None else problem.optimum
        self._scale = float(np.median(values)) - self._best
        if self._scale == 0.0:
            raise SpecificationError(f"normalisation: half of the values of '{problem.name}' are as good as the best")
        self.direction, self.optimum = "minimize", None if problem.optimum is None else 0.0

    def outward(self, outcome: Outcome, configuration: Configuration, rng: np.random.Generator) -> Outcome:
        """The outcome in the new unit."""
        error = None if outcome.standard_error is None else outcome.standard_error / abs(self._scale)
        slopes = None if outcome.gradient is None else {n: s / self._scale for n, s in outcome.gradient.items()}
        return replace(moved(outcome, self._normalised), standard_error=error, gradient=slopes)

    def truth(self, value: float, configuration: Configuration) -> float | None:
        """The true value in the new unit."""
        return self._normalised(value)

    def _normalised(self, value: float) -> float:
        return (value - self._best) / self._scale
