"""Cross-validated accuracy of a support vector machine on the digits data."""

from __future__ import annotations

from functools import cache

import numpy as np
from ConfigSpace import ConfigurationSpace
from ConfigSpace.conditions import EqualsCondition
from ConfigSpace.hyperparameters import CategoricalHyperparameter, OrdinalHyperparameter, UniformFloatHyperparameter

from bayeshpo.aims import Direction
from bayeshpo.space import Configuration, SearchSpace
from bayeshpo.trial import Outcome

KERNELS = ("linear", "rbf")
LOWEST, HIGHEST, GRID_SIZE = 1e-4, 1e4, 20


class SVCDigits:
    """Mean accuracy over 5 stratified, shuffled, fixed folds of scikit-learn's SVC on the 1,797 digits; maximised.

    ``C`` and ``gamma`` are searched in [1e-4, 1e4] on a log scale and ``kernel`` in linear, rbf, with the pixels as
    they are. The evaluation does not depend on ``rng``.

    Parameters
    ----------
    discrete
        False: ``C`` and ``gamma`` are floats, and ``gamma`` is active for the rbf kernel only. True: the classic
        example of randomised search, a grid of 20 values of ``C``, 20 of ``gamma`` and both kernels, where ``gamma``
        is searched whatever the kernel: 800 points, of which the linear ones differ in ``C`` alone.
    """

    direction: Direction = "maximize"
    work_unit = "5-fold cross-validation"
    noisy = False

    def __init__(self, discrete: bool = False) -> None:
        self.name = "svc_digits_grid" if discrete else "svc_digits"
        # The best of all 800 points; the continuous optimum is not known.
        self.optimum: float | None = 0.9905369854534201 if discrete else None
        self.space = SearchSpace(_grid() if discrete else _continuous())

    def evaluate(self, configuration: Configuration, *, rng: np.random.Generator) -> Outcome:
        """Mean accuracy over the folds, with the accuracy of each in the outcome's info."""
        from sklearn.svm import SVC

        data = _digits()
        rbf = configuration["kernel"] == "rbf"
        kernel = np.exp(-configuration["gamma"] * data.squared_distances) if rbf else data.products
        accuracies = []
        for train, test in data.folds:
            model = SVC(C=configuration["C"], kernel="precomputed")
            model.fit(kernel[np.ix_(train, train)], data.labels[train])
            predicted = model.predict(kernel[np.ix_(test, train)])
            accuracies.append(float(np.mean(predicted == data.labels[test])))
        return Outcome(float(np.mean(accuracies)), info={"fold_accuracies": accuracies})


class _Digits:
    """The data, their folds, and what every kernel matrix is made of."""

    def __init__(self) -> None:
        from sklearn.datasets import load_digits
        from sklearn.model_selection import StratifiedKFold

        pixels, self.labels = load_digits(return_X_y=True)
        self.pixels = pixels
        self.folds = list(StratifiedKFold(5, shuffle=True, random_state=0).split(pixels, self.labels))
        # Pixels are small integers, so that these are exact.
        self.products = pixels @ pixels.T
        squares = np.diag(self.products)
        self.squared_distances = squares[:, None] + squares[None, :] - 2 * self.products


@cache
def _digits() -> _Digits:
    # Once per process: a kernel matrix from stored distances costs a third of SVC's own at its slowest settings.
    return _Digits()


def _continuous() -> ConfigurationSpace:
    space = ConfigurationSpace()
    kernel = CategoricalHyperparameter("kernel", KERNELS)
    gamma = UniformFloatHyperparameter("gamma", LOWEST, HIGHEST, log=True)
    space.add(kernel, UniformFloatHyperparameter("C", LOWEST, HIGHEST, log=True), gamma)
    space.add(EqualsCondition(gamma, kernel, "rbf"))
    return space


def _grid() -> ConfigurationSpace:
    values = np.geomspace(LOWEST, HIGHEST, GRID_SIZE).tolist()
    space = ConfigurationSpace()
    space.add(
        CategoricalHyperparameter("kernel", KERNELS),
        OrdinalHyperparameter("C", values),
        OrdinalHyperparameter("gamma", values),
    )
    return space
