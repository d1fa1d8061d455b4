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
from typing import Any

import numpy as np
from ConfigSpace.hyperparameters import UniformFloatHyperparameter
from scipy.linalg import cho_factor, cho_solve
from scipy.special import log_softmax

from bayeshpo.aims import Direction
from bayeshpo.space import Configuration, as_space
from bayeshpo.trial import Outcome

CLASSES = 10
LOWEST, HIGHEST = 1e-5, 1.0
# Of the intercepts, which all classes could share otherwise.
_RIDGE = 1e-9
_TOLERANCE = 1e-10
_MOST_STEPS = 100


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
        return Outcome(_log_loss(*_data().validation, fit.weights)[0], work=float(fit.passes))

    def evaluate_with_gradient(self, configuration: Configuration, *, rng: np.random.Generator) -> Outcome:
        """The validation loss and its derivative by unit-cube coordinate.

        The adjoint system reuses the last Hessian, so that the gradient costs no further pass.
        """
        penalties = _penalties(configuration)
        fit = _fit(penalties)
        loss, slope = _log_loss(*_data().validation, fit.weights)
        adjoint = cho_solve(fit.factor, slope.ravel()).reshape(slope.shape)
        by_log_penalty = -penalties * (adjoint * fit.weights)[:, :-1].sum(axis=1)
        by_position = by_log_penalty * np.log(HIGHEST / LOWEST)
        gradient = {f"penalty_{c}": float(s) for c, s in enumerate(by_position)}
        return Outcome(loss, work=float(fit.passes), gradient=gradient)


@dataclass(frozen=True)
class _Data:
    """Inputs (n, 65), the last column of ones, and labels (n,), of both halves."""

    train: tuple[np.ndarray, np.ndarray]
    validation: tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True)
class _Fit:
    """The inner solution (10, 65), the Cholesky factor of the Hessian (650, 650) there, and the passes it took."""

    weights: np.ndarray
    factor: Any
    passes: int


@cache
def _data() -> _Data:
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    pixels, classes = load_digits(return_X_y=True)
    labels = np.asarray(classes)
    inputs = np.column_stack([pixels / 16.0, np.ones(len(labels))])
    train, validation = train_test_split(np.arange(len(labels)), test_size=0.5, stratify=labels, random_state=0)
    return _Data((inputs[train], labels[train]), (inputs[validation], labels[validation]))


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


def _fit(penalties: np.ndarray) -> _Fit:
    """Damped Newton from zero, until the Newton decrement is small."""
    inputs, labels = _data().train
    weights = np.zeros((CLASSES, inputs.shape[1]))
    ridge = np.column_stack([np.repeat(penalties[:, None], inputs.shape[1] - 1, axis=1), np.full(CLASSES, _RIDGE)])

    def penalised(w: np.ndarray) -> tuple[float, np.ndarray]:
        loss, slope = _log_loss(inputs, labels, w)
        return loss + 0.5 * float((ridge * w**2).sum()), slope + ridge * w

    loss, slope = penalised(weights)
    passes = 1
    for _ in range(_MOST_STEPS):
        factor = cho_factor(_hessian(inputs, weights) + np.diag(ridge.ravel()))
        step = cho_solve(factor, slope.ravel()).reshape(slope.shape)
        decrement = float((slope * step).sum())
        if decrement <= _TOLERANCE**2:
            return _Fit(weights, factor, passes)
        size = 1.0
        while True:
            new_loss, new_slope = penalised(weights - size * step)
            passes += 1
            # The slack lets the last steps through, whose gain is below the rounding error of the loss.
            if new_loss <= loss - 0.25 * size * decrement + 1e-15:
                break
            size /= 2
        weights, loss, slope = weights - size * step, new_loss, new_slope
    raise ArithmeticError(f"expected Newton to converge within {_MOST_STEPS} steps for the penalties {penalties}")
