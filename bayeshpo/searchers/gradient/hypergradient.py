"""Gradient search with the problem's own gradient."""

from __future__ import annotations

import numpy as np

from bayeshpo.errors import SpecificationError
from bayeshpo.problem import Capabilities
from bayeshpo.searchers.gradient.base import GradientSearcher
from bayeshpo.searchers.gradient.descent import Answer, Conversation, Slope
from bayeshpo.space import SearchSpace


class HypergradientSearcher(GradientSearcher):
    """Projected quasi-Newton descents on the gradient that each trial brings, restarted from new Sobol points.

    A trial without a value, or with a value and no gradient, shortens the step or ends the descent.

    Parameters
    ----------
    tolerance
        A descent ends, and the next one starts, when its moves fall below this part of the unit interval.
    """

    name = "hypergradient"
    needs_gradient = True

    def __init__(self, tolerance: float = 1e-5) -> None:
        super().__init__(tolerance)

    def check(self, space: SearchSpace, capabilities: Capabilities) -> None:
        """Refuse a problem without gradients, or a space that is not all floats.

        Raises
        ------
        SpecificationError
            Saying what is needed.
        """
        if not capabilities.gradient:
            raise SpecificationError(
                "the searcher 'hypergradient' needs a problem that gives gradients (bayeshpo.problem.Differentiable), "
                "such as logistic_breast_cancer; use finite_difference for black boxes"
            )
        super().check(space, capabilities)

    def slope(self, x: np.ndarray, answer: Answer) -> Conversation[Slope | None]:
        """The gradient (D,) that came with the answer."""
        yield from ()
        return None if answer.gradient is None else Slope(answer.gradient)
