r"""Validation loss of softmax regression on the digits, one penalty a class, with its exact hypergradient.

Inner problem, for weights :math:`W` (65 x 10) on the training half, with intercepts :math:`b` in the last row:

.. math:: W^*(\lambda) = \arg\min_W \frac1n \sum_i -\log p_{y_i}(x_i; W) + \frac12 \sum_c \lambda_c |w_c|^2
    + \frac{\epsilon}2 |b|^2, \qquad p(x; W) = \mathrm{softmax}(W'x)

The value is the mean log loss :math:`V` of :math:`W^*` on the validation half. With :math:`H` the inner Hessian at the
solution and :math:`Q` the solution of :math:`H Q = \nabla V(W^*)` (Larsen, Hansen, Svarer and Ohlsson, 1996; Pedregosa,
2016),

.. math:: \frac{dV}{d \log \lambda_c} = -\lambda_c \, q_c' w^*_c
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from ConfigSpace.hyperparameters import UniformFloatHyperparameter
from scipy.linalg import solve
from scipy.special import log_softmax

from bayeshpo.aims import Direction
from bayeshpo.problems.newton import Minimum, minimised
from bayeshpo.space import Configuration, as_space
from bayeshpo.trial import Outcome

CLASSES = 10
LOWEST, HIGHEST = 1e-5, 1.0
# Of the intercepts, which all classes could share otherwise.
_RIDGE = 1e-9
_TOLERANCE = 1e-10


class SoftmaxDigits:
    """Mean validation log loss (nats) of softmax regression on the digits; ten penalties, minimised.

    ``penalty_0`` to ``penalty_9`` are the L2 penalties of the classes' weights, searched in [1e-5, 1] on a log scale.
    Implements `Differentiable`. The evaluation does not depend on ``rng``. Work counts passes over the training data,
    each with loss, gradient and Hessian.
    """

    name = "softmax_digits"
    direction: Direction = "minimize"
    # L-BFGS-B from eight starts found this alone; four penalties are at their lower bound there.
    optimum: float | None = 0.10182763639644853
    work_unit = "pass over the training data"
    noisy = False

    def __init__(self) -> None:
        names = [f"penalty_{c}" for c in range(CLASSES)]
        self.space = as_space({n: UniformFloatHyperparameter(n, LOWEST, HIGHEST, log=True) for n in names})

    def evaluate(self, configuration: Configuration, *, rng: np.random.Generator) -> Outcome:
        """The validation loss."""
        fit = _fit(_penalties(configuration))
        loss, _ = _log_loss(*_data().validation, _by_class(fit.weights))
        return Outcome(loss, work=float(fit.passes))

    def evaluate_with_gradient(self, configuration: Configuration, *, rng: np.random.Generator) -> Outcome:
        """The validation loss and its derivative by unit-cube coordinate.

        The adjoint system reuses the last Hessian, so that the gradient costs no further pass.
        """
        penalties = _penalties(configuration)
        fit = _fit(penalties)
        loss, slope = _log_loss(*_data().validation, _by_class(fit.weights))
        adjoint = solve(fit.hessian, slope.ravel(), assume_a="pos")
        by_log_penalty = -penalties * _by_class(adjoint * fit.weights)[:, :-1].sum(axis=1)
        by_position = by_log_penalty * np.log(HIGHEST / LOWEST)
        gradient = {f"penalty_{c}": float(s) for c, s in enumerate(by_position)}
        return Outcome(loss, work=float(fit.passes), gradient=gradient)


@dataclass(frozen=True)
class _Data:
    """Inputs (n, 65), the last column of ones, and labels (n,), of both halves."""

    train: tuple[np.ndarray, np.ndarray]
    validation: tuple[np.ndarray, np.ndarray]


@cache
def _data() -> _Data:
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    pixels, classes = load_digits(return_X_y=True)
    labels = np.asarray(classes)
    inputs = np.column_stack([pixels / 16.0, np.ones(len(labels))])
    train, validation = train_test_split(np.arange(len(labels)), test_size=0.5, stratify=labels, random_state=0)
    return _Data((inputs[train], labels[train]), (inputs[validation], labels[validation]))


def _by_class(flat: np.ndarray) -> np.ndarray:
    """Weights (10, 65), the last of each row an intercept, from flat ones (650,)."""
    return flat.reshape(CLASSES, -1)


def _penalties(configuration: Configuration) -> np.ndarray:
    """Of the classes (10,)."""
    return np.array([configuration[f"penalty_{c}"] for c in range(CLASSES)])


def _log_loss(inputs: np.ndarray, labels: np.ndarray, weights: np.ndarray) -> tuple[float, np.ndarray]:
    """Mean log loss and its gradient (10, 65) by the weights (10, 65)."""
    log_share = log_softmax(inputs @ weights.T, axis=1)
    rows = np.arange(len(labels))
    excess = np.exp(log_share)
    excess[rows, labels] -= 1.0
    return -float(log_share[rows, labels].mean()), excess.T @ inputs / len(labels)


def _hessian(inputs: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Of the mean log loss, by the flat weights (650, 650)."""
    share = np.exp(log_softmax(inputs @ weights.T, axis=1))
    # Rows for each trial and class: p_c x. Outer products of these are all that classes have with each other.
    weighted = (share[:, :, None] * inputs[:, None, :]).reshape(len(inputs), -1)
    hessian = -(weighted.T @ weighted)
    size = inputs.shape[1]
    for c in range(CLASSES):
        own = slice(c * size, (c + 1) * size)
        hessian[own, own] += (inputs.T * share[:, c]) @ inputs
    return hessian / len(inputs)


def _fit(penalties: np.ndarray) -> Minimum:
    """The inner solution, its weights flat (650,)."""
    inputs, labels = _data().train
    size = inputs.shape[1]
    ridge = np.column_stack([np.repeat(penalties[:, None], size - 1, axis=1), np.full(CLASSES, _RIDGE)]).ravel()

    def penalised(w: np.ndarray) -> tuple[float, np.ndarray]:
        loss, slope = _log_loss(inputs, labels, _by_class(w))
        return loss + 0.5 * float(ridge @ w**2), slope.ravel() + ridge * w

    def hessian(w: np.ndarray) -> np.ndarray:
        return _hessian(inputs, _by_class(w)) + np.diag(ridge)

    return minimised(penalised, hessian, CLASSES * size, tolerance=_TOLERANCE)
