"""Names that mean something else."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from bayeshpo.encoding import Encoding
from bayeshpo.errors import SpecificationError
from bayeshpo.problem import Problem
from bayeshpo.problems.wrappers.base import Wrapper, free
from bayeshpo.space import Configuration
from bayeshpo.trial import Outcome


class Permutation(Wrapper):
    """Floats in each other's place in the cube, and each categorical's choices in each other's.

    A one-to-one map of the space: the optimum stays what it is, and a searcher that counts on the order of names or of
    choices is found out. What conditions are about stays, and so do choices that are not equally likely.

    Parameters
    ----------
    problem
        What is wrapped; without forbidden clauses.
    seed
        Which permutation.

    Raises
    ------
    SpecificationError
        If there are forbidden clauses, or nothing can be permuted.
    """

    def __init__(self, problem: Problem, seed: int = 0) -> None:
        super().__init__(problem)
        rng, space = np.random.default_rng(seed), problem.space
        floats = [space.names[j] for j in free(space, "continuous", "permutation")]
        choices = [j for j in free(space, "categorical", "permutation") if _equally_likely(space.encodings[j])]
        if len(floats) < 2 and not choices:
            raise SpecificationError(
                "permutation: expected two floats or a categorical that conditions are not about, got none"
            )
        self._encodings = dict(zip(space.names, space.encodings, strict=True))
        # By the problem's own float or choice, what stands for it.
        self._floats = dict(zip(floats, rng.permutation(floats).tolist(), strict=True))
        self._choices = {space.names[j]: _permuted(space.encodings[j], rng) for j in choices}
        self.optimisers = tuple(map(self._outside, self.optimisers))

    def inward(self, configuration: Configuration) -> Configuration:
        """The problem's configuration."""
        floats = {own: self._carried(configuration, other, own) for own, other in self._floats.items()}
        choices = {name: _inverse(by)[configuration[name]] for name, by in self._choices.items()}
        return configuration | floats | choices

    def outward(self, outcome: Outcome, configuration: Configuration, rng: np.random.Generator) -> Outcome:
        """The outcome, with each slope under the name that stands for its own."""
        if outcome.gradient is None:
            return outcome
        return replace(outcome, gradient={self._floats.get(n, n): slope for n, slope in outcome.gradient.items()})

    def _outside(self, configuration: Configuration) -> Configuration:
        """What stands for one of the problem's configurations."""
        floats = {other: self._carried(configuration, own, other) for own, other in self._floats.items()}
        choices = {name: by[configuration[name]] for name, by in self._choices.items()}
        return configuration | floats | choices

    def _carried(self, configuration: Configuration, source: str, target: str) -> float:
        """One float's position in its range as a value of another one."""
        u = self._encodings[source].encode(configuration[source], source)
        return self._encodings[target].decode(np.array([u]))[0]


def _equally_likely(encoding: Encoding) -> bool:
    points = encoding.points()
    return bool(np.allclose(points, (np.arange(len(points)) + 0.5) / len(points)))


def _permuted(encoding: Encoding, rng: np.random.Generator) -> dict[Any, Any]:
    values = encoding.decode(encoding.points()).tolist()
    return {value: values[k] for value, k in zip(values, rng.permutation(len(values)), strict=True)}


def _inverse(by: dict[Any, Any]) -> dict[Any, Any]:
    return {there: here for here, there in by.items()}
