"""A function on a tree of conditions, with a known optimum."""

from __future__ import annotations

import numpy as np
from ConfigSpace import ConfigurationSpace
from ConfigSpace.conditions import EqualsCondition
from ConfigSpace.hyperparameters import CategoricalHyperparameter, UniformFloatHyperparameter

from bayeshpo.aims import Direction
from bayeshpo.space import Configuration, SearchSpace
from bayeshpo.trial import Outcome

# Choices on the way to a leaf, the leaf's own number, the number that it shares with its sibling, and its level.
_LEAVES = (
    (("left", "left"), "x1", "r_left", 0.1),
    (("left", "right"), "x2", "r_left", 0.2),
    (("right", "left"), "x3", "r_right", 0.3),
    (("right", "right"), "x4", "r_right", 0.4),
)


class Tree:
    """x_leaf^2 + r_branch + level: four parabolas at the leaves of a binary tree; minimised (Jenatton et al., 2017).

    Two choices lead to a leaf. Active are its own ``x``, in [-1, 1], and the ``r`` of its branch, in [0, 1]; the levels
    are 0.1, 0.2, 0.3 and 0.4. Nine hyperparameters, four of them active at a time.
    """

    name = "tree"
    direction: Direction = "minimize"
    optimum: float | None = 0.1
    optimisers = ({"branch": "left", "leaf_left": "left", "x1": 0.0, "r_left": 0.0},)
    work_unit = "evaluation"
    noisy = False

    def __init__(self) -> None:
        self.space = SearchSpace(_space())

    def true_value(self, configuration: Configuration) -> float:
        """The value at a configuration."""
        branch = configuration["branch"]
        path = branch, configuration[f"leaf_{branch}"]
        [(x, r, level)] = [(x, r, level) for leaf, x, r, level in _LEAVES if leaf == path]
        return configuration[x] ** 2 + configuration[r] + level

    def evaluate(self, configuration: Configuration, *, rng: np.random.Generator) -> Outcome:
        """The value at a configuration; ``rng`` is not used."""
        return Outcome(self.true_value(configuration))


def _space() -> ConfigurationSpace:
    space = ConfigurationSpace()
    branch = CategoricalHyperparameter("branch", ("left", "right"))
    leaves = {side: CategoricalHyperparameter(f"leaf_{side}", ("left", "right")) for side in branch.choices}
    shared = {side: UniformFloatHyperparameter(f"r_{side}", 0.0, 1.0) for side in branch.choices}
    space.add(branch, *leaves.values(), *shared.values())
    for side in branch.choices:
        space.add(EqualsCondition(leaves[side], branch, side), EqualsCondition(shared[side], branch, side))
    for (side, leaf), x, _, _ in _LEAVES:
        own = UniformFloatHyperparameter(x, -1.0, 1.0)
        space.add(own)
        space.add(EqualsCondition(own, leaves[side], leaf))
    return space
