"""The 24 noiseless functions of the black-box benchmark BBOB (Hansen, Finck, Ros and Auger, 2009), by ``ioh``."""

from __future__ import annotations

from typing import Any

import numpy as np

from bayeshpo.aims import Direction
from bayeshpo.problems.optional import optional
from bayeshpo.space import Configuration, as_space
from bayeshpo.trial import Outcome


class BBOB:
    """One instance of one function on [-5, 5]^d, minimised, with its known optimum.

    Parameters
    ----------
    function
        Its number, 1 to 24: separable up to 5, of moderate condition up to 9, of high condition and with one valley up
        to 14, with many valleys and a global structure up to 19, with a weak one up to 24.
    instance
        Its shift, rotation and offset, from 1.
    dimension
        Number of coordinates (>= 2).

    Raises
    ------
    SpecificationError
        If ``ioh`` is not installed.
    ValueError
        If a number is out of range.
    """

    direction: Direction = "minimize"
    work_unit = "evaluation"
    noisy = False

    def __init__(self, function: int = 1, instance: int = 1, dimension: int = 5) -> None:
        if not 1 <= function <= 24 or instance < 1 or dimension < 2:
            raise ValueError(
                "expected a function from 1 to 24, an instance of at least 1 and a dimension of at least 2, "
                f"got function={function}, instance={instance} and dimension={dimension}"
            )
        self._arguments = function, instance, dimension
        ioh = optional("ioh", "ioh", "bbob")
        self._problem = ioh.get_problem(function, instance, dimension, ioh.ProblemClass.BBOB)
        self.name = f"bbob_f{function}"
        # Names that sort as their numbers do: ConfigSpace orders them so.
        self._names = [f"x{j:0{len(str(dimension))}d}" for j in range(1, dimension + 1)]
        self.space = as_space(dict.fromkeys(self._names, (-5.0, 5.0)))
        best = self._problem.optimum
        self.optimum: float | None = float(best.y)
        self.optimisers = (dict(zip(self._names, map(float, best.x), strict=True)),)

    def __reduce__(self) -> tuple[Any, ...]:
        # The library's own object cannot be sent to another process; it is made there.
        return type(self), self._arguments

    def true_value(self, configuration: Configuration) -> float:
        """The value at a configuration."""
        return float(self._problem([configuration[name] for name in self._names]))

    def evaluate(self, configuration: Configuration, *, rng: np.random.Generator) -> Outcome:
        """The value at a configuration; ``rng`` is not used."""
        return Outcome(self.true_value(configuration))
