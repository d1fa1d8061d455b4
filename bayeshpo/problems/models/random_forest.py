"""Random forests (Breiman, 2001)."""

from __future__ import annotations

from typing import Any

from ConfigSpace import ConfigurationSpace
from ConfigSpace.hyperparameters import (
    CategoricalHyperparameter,
    UniformFloatHyperparameter,
    UniformIntegerHyperparameter,
)

from bayeshpo.problems.models.cross_validation import CrossValidated, conditional
from bayeshpo.space import Configuration, SearchSpace

_TREES = 20


class RandomForest(CrossValidated):
    """Twenty trees: how deep they grow, what splits choose from, and on how large a sample of the cases, if any."""

    family = "random_forest"
    noisy = True

    def _space(self) -> SearchSpace:
        space = ConfigurationSpace()
        bootstrap = CategoricalHyperparameter("bootstrap", ("yes", "no"))
        space.add(
            bootstrap,
            UniformFloatHyperparameter("max_features", 0.05, 1.0),
            UniformIntegerHyperparameter("max_depth", 1, 20, log=True),
            UniformIntegerHyperparameter("min_samples_leaf", 1, 30, log=True),
        )
        if self.classifies:
            space.add(CategoricalHyperparameter("criterion", ("gini", "entropy")))
        conditional(space, UniformFloatHyperparameter("max_samples", 0.1, 1.0), bootstrap, "yes")
        return SearchSpace(space)

    def _model(self, configuration: Configuration, seed: int) -> Any:
        from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor

        arguments = configuration | {"bootstrap": configuration["bootstrap"] == "yes"}
        kind = RandomForestClassifier if self.classifies else RandomForestRegressor
        return kind(n_estimators=_TREES, random_state=seed, **arguments)
