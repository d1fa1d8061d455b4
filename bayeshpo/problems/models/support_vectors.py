"""Support vector regression (Drucker, Burges, Kaufman, Smola and Vapnik, 1996)."""

from __future__ import annotations

from typing import Any

from ConfigSpace import ConfigurationSpace
from ConfigSpace.hyperparameters import (
    CategoricalHyperparameter,
    UniformFloatHyperparameter,
    UniformIntegerHyperparameter,
)

from bayeshpo.problems.models.cross_validation import REGRESSION, CrossValidated, conditional
from bayeshpo.space import Configuration, SearchSpace


class SupportVectors(CrossValidated):
    """Support vector regression with one of three kernels, each with its own hyperparameters.

    `svc_digits` is its counterpart for classification.
    """

    family = "support_vectors"
    suited = REGRESSION

    def _space(self) -> SearchSpace:
        space = ConfigurationSpace()
        kernel = CategoricalHyperparameter("kernel", ("linear", "rbf", "poly"))
        space.add(
            kernel,
            UniformFloatHyperparameter("C", 1e-3, 1e2, log=True),
            UniformFloatHyperparameter("epsilon", 1e-3, 1.0, log=True),
        )
        conditional(space, UniformFloatHyperparameter("gamma", 1e-4, 1.0, log=True), kernel, "rbf", "poly")
        conditional(space, UniformIntegerHyperparameter("degree", 2, 4), kernel, "poly")
        conditional(space, UniformFloatHyperparameter("coef0", 0.0, 1.0), kernel, "poly")
        return SearchSpace(space)

    def _model(self, configuration: Configuration, seed: int) -> Any:
        from sklearn.svm import SVR

        # Polynomials of large C would take for ever.
        return SVR(max_iter=20_000, **configuration)
