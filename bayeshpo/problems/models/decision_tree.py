"""A single decision tree (Breiman, Friedman, Olshen and Stone, 1984)."""

from __future__ import annotations

from typing import Any

from ConfigSpace import ConfigurationSpace
from ConfigSpace.hyperparameters import (
    CategoricalHyperparameter,
    OrdinalHyperparameter,
    UniformFloatHyperparameter,
    UniformIntegerHyperparameter,
)

from bayeshpo.problems.models.cross_validation import CrossValidated
from bayeshpo.space import Configuration, SearchSpace


class DecisionTree(CrossValidated):
    """How it is split, how deep, and how far it is pruned; ties between splits are broken by a fixed seed."""

    family = "decision_tree"

    def _space(self) -> SearchSpace:
        criteria = ("gini", "entropy") if self.classifies else ("squared_error", "absolute_error")
        space = ConfigurationSpace()
        space.add(
            CategoricalHyperparameter("criterion", criteria),
            OrdinalHyperparameter("max_depth", [1, 2, 3, 4, 6, 8, 12, 20]),
            UniformIntegerHyperparameter("min_samples_split", 2, 60, log=True),
            UniformIntegerHyperparameter("min_samples_leaf", 1, 30, log=True),
            UniformFloatHyperparameter("ccp_alpha", 1e-5, 0.1, log=True),
        )
        return SearchSpace(space)

    def _model(self, configuration: Configuration, seed: int) -> Any:
        from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

        return (DecisionTreeClassifier if self.classifies else DecisionTreeRegressor)(random_state=0, **configuration)
