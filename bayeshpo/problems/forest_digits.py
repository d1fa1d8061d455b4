"""A random forest on the digits data: its error, and how large it is."""

from __future__ import annotations

import math

import numpy as np

from bayeshpo.aims import Direction
from bayeshpo.space import Configuration, as_space
from bayeshpo.trial import Outcome


class ForestDigits:
    """Share of digits that a forest gets wrong in 3-fold cross-validation, and its size, metric ``log10_nodes``.

    Notes
    -----
    1,797 images of 8 x 8 pixels, shipped with scikit-learn. One evaluation grows three forests: 0.1 to 1 s.
    """

    name = "forest_digits"
    direction: Direction = "minimize"
    optimum = None
    work_unit = "tree"
    objectives: dict[str, Direction] = {"log10_nodes": "minimize"}  # noqa: RUF012 - a constant, never changed

    def __init__(self) -> None:
        from ConfigSpace import CategoricalHyperparameter, ConfigurationSpace, Float, Integer

        space = ConfigurationSpace()
        space.add(
            Integer("trees", (1, 64), log=True),
            Integer("max_depth", (2, 16)),
            Integer("min_samples_leaf", (1, 20), log=True),
            Float("max_features", (0.02, 1.0), log=True),
            CategoricalHyperparameter("criterion", ["gini", "entropy"]),
        )
        self.space = as_space(space)

    def evaluate(self, configuration: Configuration, *, rng: np.random.Generator) -> Outcome:
        """The error, with the mean number of nodes; folds and trees are drawn by ``rng``."""
        from sklearn.datasets import load_digits
        from sklearn.ensemble import RandomForestClassifier
        from sklearn.model_selection import StratifiedKFold, cross_validate

        X, y = load_digits(return_X_y=True)
        settings = {name: value for name, value in configuration.items() if name != "trees"}
        forest = RandomForestClassifier(
            configuration["trees"], random_state=int(rng.integers(2**31)), n_jobs=1, **settings
        )
        folds = StratifiedKFold(3, shuffle=True, random_state=int(rng.integers(2**31)))
        found = cross_validate(forest, X, y, cv=folds, return_estimator=True)
        nodes = np.mean([sum(tree.tree_.node_count for tree in f.estimators_) for f in found["estimator"]])
        error = 1.0 - float(found["test_score"].mean())
        return Outcome(error, work=3.0 * configuration["trees"], metrics={"log10_nodes": math.log10(nodes)})
