"""Cross-validated cross-entropy of a small neural network on the iris data."""

from __future__ import annotations

import warnings
from functools import cache

import numpy as np

from bayeshpo.aims import Direction
from bayeshpo.space import Configuration, SearchSpace, as_space
from bayeshpo.trial import Outcome

LEARNING_RATES = [0.001, 0.01, 0.1, 0.2, 0.3]
BATCH_SIZES = [10, 20, 40, 60, 80, 100]


class MLPIris:
    """Mean cross-entropy (nats) over 5 stratified, fixed folds of a softmax network with 10 ReLU units; minimised.

    The network has one output for each of the three species and is trained on their cross-entropy by Adam. Inputs are
    standardised inside each fold, by its training part. Weights and the order of the batches are drawn from ``rng``,
    so that the value is noisy.

    Parameters
    ----------
    discrete
        False: the learning rate is a log float in [1e-4, 1] and the batch size a log integer in [8, 120]. True: the
        classic grid of 5 learning rates and 6 batch sizes.
    epochs
        Passes over the training data.
    """

    direction: Direction = "minimize"
    optimum: float | None = None
    work_unit = "epoch"
    noisy = True

    def __init__(self, discrete: bool = False, epochs: int = 50) -> None:
        self.name = "mlp_iris_grid" if discrete else "mlp_iris"
        self.epochs = epochs
        self.space = as_space({"learning_rate": LEARNING_RATES, "batch_size": BATCH_SIZES}) if discrete else _space()

    def evaluate(self, configuration: Configuration, *, rng: np.random.Generator) -> Outcome:
        """Mean cross-entropy over the folds, with the mean accuracy in the outcome's info."""
        from sklearn.exceptions import ConvergenceWarning
        from sklearn.metrics import log_loss
        from sklearn.neural_network import MLPClassifier
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler

        inputs, species, folds = _iris()
        losses, accuracies = [], []
        for train, test in folds:
            network = MLPClassifier(
                hidden_layer_sizes=(10,),
                activation="relu",
                solver="adam",
                alpha=0.0,
                learning_rate_init=configuration["learning_rate"],
                batch_size=configuration["batch_size"],
                max_iter=self.epochs,
                n_iter_no_change=self.epochs,
                random_state=int(rng.integers(2**31)),
            )
            model = make_pipeline(StandardScaler(), network)
            with warnings.catch_warnings():
                # The number of epochs is fixed on purpose.
                warnings.simplefilter("ignore", ConvergenceWarning)
                model.fit(inputs[train], species[train])
            probabilities = model.predict_proba(inputs[test])
            losses.append(log_loss(species[test], probabilities, labels=network.classes_))
            accuracies.append(np.mean(network.classes_[probabilities.argmax(axis=1)] == species[test]))
        work = float(self.epochs * len(folds))
        return Outcome(float(np.mean(losses)), work=work, info={"accuracy": float(np.mean(accuracies))})


@cache
def _iris() -> tuple[np.ndarray, np.ndarray, list[tuple[np.ndarray, np.ndarray]]]:
    from sklearn.datasets import load_iris
    from sklearn.model_selection import StratifiedKFold

    inputs, species = load_iris(return_X_y=True)
    inputs, species = np.asarray(inputs), np.asarray(species)
    return inputs, species, list(StratifiedKFold(5, shuffle=True, random_state=0).split(inputs, species))


def _space() -> SearchSpace:
    from ConfigSpace.hyperparameters import UniformFloatHyperparameter, UniformIntegerHyperparameter

    return as_space(
        {
            "learning_rate": UniformFloatHyperparameter("learning_rate", 1e-4, 1.0, log=True),
            "batch_size": UniformIntegerHyperparameter("batch_size", 8, 120, log=True),
        }
    )
