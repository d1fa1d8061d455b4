"""Linear models by stochastic gradient descent (Bottou, 1998; elastic net: Zou and Hastie, 2005)."""

from __future__ import annotations

from typing import Any

from ConfigSpace import ConfigurationSpace
from ConfigSpace.hyperparameters import CategoricalHyperparameter, UniformFloatHyperparameter

from bayeshpo.problems.models.cross_validation import CrossValidated, conditional
from bayeshpo.space import Configuration, SearchSpace

_EPOCHS = 30


class Linear(CrossValidated):
    """Thirty epochs of stochastic gradient descent: its penalty, its learning rate and how that falls.

    Log loss or modified Huber to classify; squared or Huber's loss, with its width, for regression.
    """

    family = "linear"
    noisy = True

    def _space(self) -> SearchSpace:
        space = ConfigurationSpace()
        penalty = CategoricalHyperparameter("penalty", ("l2", "l1", "elasticnet"))
        rate = CategoricalHyperparameter("learning_rate", ("optimal", "constant", "invscaling"))
        losses = ("log_loss", "modified_huber") if self.classifies else ("squared_error", "huber")
        loss = CategoricalHyperparameter("loss", losses)
        space.add(penalty, rate, loss, UniformFloatHyperparameter("alpha", 1e-6, 1.0, log=True))
        conditional(space, UniformFloatHyperparameter("l1_ratio", 0.01, 0.99), penalty, "elasticnet")
        conditional(space, UniformFloatHyperparameter("eta0", 1e-5, 0.1, log=True), rate, "constant", "invscaling")
        conditional(space, UniformFloatHyperparameter("power_t", 0.1, 0.9), rate, "invscaling")
        if not self.classifies:
            conditional(space, UniformFloatHyperparameter("epsilon", 1e-2, 1.0, log=True), loss, "huber")
        return SearchSpace(space)

    def _model(self, configuration: Configuration, seed: int) -> Any:
        from sklearn.linear_model import SGDClassifier, SGDRegressor

        kind: Any = SGDClassifier if self.classifies else SGDRegressor
        # Without a tolerance all epochs are run.
        return kind(max_iter=_EPOCHS, tol=None, random_state=seed, **configuration)
