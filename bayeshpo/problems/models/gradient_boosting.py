"""Gradient boosting of trees (Friedman, 2001)."""

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


class GradientBoosting(CrossValidated):
    """Up to fifty trees, each on a sample of the cases; a regression's loss may be robust, with its quantile."""

    family = "gradient_boosting"
    noisy = True

    def _space(self) -> SearchSpace:
        space = ConfigurationSpace()
        space.add(
            UniformFloatHyperparameter("learning_rate", 1e-3, 1.0, log=True),
            UniformIntegerHyperparameter("n_estimators", 5, 50, log=True),
            UniformIntegerHyperparameter("max_depth", 1, 5),
            UniformFloatHyperparameter("subsample", 0.3, 1.0),
            UniformFloatHyperparameter("max_features", 0.1, 1.0),
        )
        if not self.classifies:
            loss = CategoricalHyperparameter("loss", ("squared_error", "absolute_error", "huber"))
            space.add(loss)
            conditional(space, UniformFloatHyperparameter("alpha", 0.5, 0.99), loss, "huber")
        return SearchSpace(space)

    def _model(self, configuration: Configuration, seed: int) -> Any:
        from sklearn.ensemble import GradientBoostingClassifier, GradientBoostingRegressor

        kind = GradientBoostingClassifier if self.classifies else GradientBoostingRegressor
        return kind(random_state=seed, **configuration)
