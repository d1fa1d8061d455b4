"""k nearest neighbours (Fix and Hodges, 1951)."""

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


class Neighbours(CrossValidated):
    """How many neighbours, by which distance, and whether near ones count for more."""

    family = "neighbours"

    def _space(self) -> SearchSpace:
        space = ConfigurationSpace()
        metric = CategoricalHyperparameter("metric", ("minkowski", "chebyshev", "canberra"))
        space.add(
            metric,
            CategoricalHyperparameter("weights", ("uniform", "distance")),
            UniformIntegerHyperparameter("n_neighbors", 1, 100, log=True),
        )
        conditional(space, UniformFloatHyperparameter("p", 1.0, 5.0, log=True), metric, "minkowski")
        return SearchSpace(space)

    def _model(self, configuration: Configuration, seed: int) -> Any:
        from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor

        # A tree is searched by one thread, so that ties do not depend on how many there are.
        return (KNeighborsClassifier if self.classifies else KNeighborsRegressor)(
            algorithm="ball_tree", **configuration
        )
