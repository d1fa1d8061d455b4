"""What the families share: data sets, folds and scores."""

from __future__ import annotations

import warnings
from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from bayeshpo.aims import Direction
from bayeshpo.errors import SpecificationError, unknown_name
from bayeshpo.space import Configuration, SearchSpace
from bayeshpo.trial import Outcome

CLASSIFICATION = ("breast_cancer", "iris", "wine")
REGRESSION = ("diabetes",)
_FOLDS = 5


class CrossValidated(ABC):
    """The mean loss of a model over 5 shuffled, fixed folds; minimised.

    Of classifiers it is the Brier score, the mean over test cases of sum_k (p_k - [class is k])^2, in [0, 2] (Brier,
    1950): it is proper, and finite for a model that is sure of what is wrong. Of regressions it is the root mean square
    error in standard deviations of the target: 1 is what the mean would do. Inputs are standardised by each fold's
    training part. A model that draws random numbers takes its seeds from ``rng``.

    Parameters
    ----------
    data
        A data set of scikit-learn: "breast_cancer", "iris" or "wine" to classify, "diabetes" for regression.

    Raises
    ------
    SpecificationError
        If the family has no model for such data, or there is no such data set.
    """

    family: str
    suited: tuple[str, ...] = (*CLASSIFICATION, *REGRESSION)
    noisy = False
    direction: Direction = "minimize"
    optimum: float | None = None
    work_unit = "5-fold cross-validation"

    def __init__(self, data: str) -> None:
        if data not in self.suited:
            raise SpecificationError(unknown_name("data set", data, self.suited))
        self.data, self.classifies = data, data in CLASSIFICATION
        self.name = f"{self.family}_{data}"
        self.space = self._space()

    @abstractmethod
    def _space(self) -> SearchSpace:
        """The model's hyperparameters."""

    @abstractmethod
    def _model(self, configuration: Configuration, seed: int) -> Any:
        """A new model of scikit-learn; ``seed`` is for those that draw random numbers."""

    def evaluate(self, configuration: Configuration, *, rng: np.random.Generator) -> Outcome:
        """Mean loss over the folds, with the loss of each in the outcome's info."""
        from sklearn.exceptions import ConvergenceWarning
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler

        content, losses = _content(self.data), []
        for train, test in content.folds:
            model = make_pipeline(StandardScaler(), self._model(configuration, int(rng.integers(2**31))))
            with warnings.catch_warnings():
                # Steps are limited on purpose.
                warnings.simplefilter("ignore", ConvergenceWarning)
                model.fit(content.inputs[train], content.targets[train])
            losses.append(_loss(model, content.inputs[test], content.targets[test], self.classifies))
        return Outcome(float(np.mean(losses)), info={"fold_losses": losses})


@dataclass(frozen=True)
class _Content:
    inputs: np.ndarray
    targets: np.ndarray
    folds: list[tuple[np.ndarray, np.ndarray]]


@cache
def _content(data: str) -> _Content:
    from sklearn import datasets
    from sklearn.model_selection import KFold, StratifiedKFold

    inputs, targets = getattr(datasets, f"load_{data}")(return_X_y=True)
    if data in REGRESSION:
        targets = (targets - targets.mean()) / targets.std()
    kind = KFold if data in REGRESSION else StratifiedKFold
    return _Content(inputs, targets, list(kind(_FOLDS, shuffle=True, random_state=0).split(inputs, targets)))


def _loss(model: Any, inputs: np.ndarray, targets: np.ndarray, classifies: bool) -> float:
    if not classifies:
        return float(np.sqrt(np.mean((model.predict(inputs) - targets) ** 2)))
    right = targets[:, None] == model.classes_
    return float(((model.predict_proba(inputs) - right) ** 2).sum(axis=1).mean())


def conditional(space: Any, child: Any, parent: Any, *values: Any) -> None:
    """Add a hyperparameter that is active where another one has one of these values."""
    from ConfigSpace.conditions import InCondition

    space.add(child)
    space.add(InCondition(child, parent, list(values)))
