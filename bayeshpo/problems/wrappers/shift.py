"""An optimum that is elsewhere."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from bayeshpo.errors import SpecificationError
from bayeshpo.problem import Problem
from bayeshpo.problems.wrappers.base import Wrapper, free
from bayeshpo.space import Configuration
from bayeshpo.trial import Outcome


class Shift(Wrapper):
    """Floats stand for those of a smaller box in the problem's cube: a searcher cannot count on centres or corners.

    u -> a_j + (1 - by) u in the unit cube, with a_j uniform in [0, by]: smooth, and without a seam, but what is outside
    of the box cannot be reached. If the problem names its optimisers and none is inside, or names none at all, the
    optimum is no longer known. Conditional floats, and those that conditions depend on, stay.

    Parameters
    ----------
    problem
        What is wrapped; without forbidden clauses.
    by
        Share of each range that is left out, in (0, 1).
    seed
        Which box.

    Raises
    ------
    SpecificationError
        If ``by`` is out of range, there are forbidden clauses, or no float can be moved.
    """

    def __init__(self, problem: Problem, by: float = 0.3, seed: int = 0) -> None:
        super().__init__(problem)
        if not 0.0 < by < 1.0:
            raise SpecificationError(f"shift: expected by between 0 and 1, got {by}")
        columns = free(problem.space, "continuous", "shift")
        if not columns:
            raise SpecificationError("shift: expected a float that is no part of a condition, got none")
        low = by * np.random.default_rng(seed).random(len(columns))
        self._kept = 1.0 - by
        names, encodings = problem.space.names, problem.space.encodings
        self._moved = [(names[j], encodings[j], a) for j, a in zip(columns, low.tolist(), strict=True)]
        outside = (self._outside(c) for c in self.optimisers)
        self.optimisers = tuple(c for c in outside if c is not None)
        if not self.optimisers:
            self.optimum = None

    def inward(self, configuration: Configuration) -> Configuration:
        """The configuration in the box."""
        inside = {
            name: encoding.decode(np.array([a + self._kept * encoding.encode(configuration[name], name)]))[0]
            for name, encoding, a in self._moved
        }
        return configuration | inside

    def outward(self, outcome: Outcome, configuration: Configuration, rng: np.random.Generator) -> Outcome:
        """The outcome, with slopes as small as the box."""
        if outcome.gradient is None:
            return outcome
        names = {name for name, _, _ in self._moved}
        slopes = {name: slope * (self._kept if name in names else 1.0) for name, slope in outcome.gradient.items()}
        return replace(outcome, gradient=slopes)

    def _outside(self, configuration: Configuration) -> Configuration | None:
        """What stands for one of the problem's configurations; None if it is not in the box."""
        found = dict(configuration)
        for name, encoding, a in self._moved:
            u = (encoding.encode(configuration[name], name) - a) / self._kept
            if not 0.0 <= u <= 1.0:
                return None
            found[name] = encoding.decode(np.array([u]))[0]
        return found
