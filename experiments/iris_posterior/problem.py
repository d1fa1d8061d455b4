r"""The prior scale of softmax regression on iris, tuned by the cross-validated log loss of its mode.

Softmax regression with priors alpha, beta ~ Normal(0, s), its weights w, has its mode at

.. math:: w^*(s) = \arg\min_w \; -\sum_i \log p(y_i \mid x_i, w) + \tfrac{1}{2 s^2} |w|^2,

a ridge-penalised multinomial regression. With :math:`H` the Hessian there, :math:`V` the log loss of the fold left out
and :math:`q` the solution of :math:`H q = \nabla V(w^*)`, the implicit function theorem gives

.. math:: \frac{dV}{d \log s} = \frac{2}{s^2} \, q' w^*
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from ConfigSpace.hyperparameters import UniformFloatHyperparameter
from scipy.linalg import solve
from scipy.special import log_softmax, softmax

from bayeshpo.aims import Direction
from bayeshpo.space import Configuration, as_space
from bayeshpo.trial import Outcome

LOWEST, HIGHEST = 0.01, 100.0
FEATURES = ("sepal length", "sepal width", "petal length", "petal width")
SPECIES = ("setosa", "versicolor", "virginica")
_CLASSES = len(SPECIES)
_TOLERANCE = 1e-20
_MOST_STEPS = 200


class SoftmaxIris:
    """Log loss (nats) of the mode over 5 stratified folds, by the scale s in [0.01, 100] on a log scale; minimised.

    Implements `bayeshpo.problem.Differentiable`. Work counts Newton steps, each with a loss, a gradient and a Hessian.
    """

    name = "softmax_iris"
    direction: Direction = "minimize"
    optimum: float | None = None
    work_unit = "Newton step"
    noisy = False

    def __init__(self) -> None:
        self.space = as_space({"scale": UniformFloatHyperparameter("scale", LOWEST, HIGHEST, log=True)})

    def evaluate(self, configuration: Configuration, *, rng: np.random.Generator) -> Outcome:
        """The cross-validated loss."""
        outcome = self.evaluate_with_gradient(configuration, rng=rng)
        return Outcome(outcome.value, work=outcome.work)

    def evaluate_with_gradient(self, configuration: Configuration, *, rng: np.random.Generator) -> Outcome:
        """The loss and its derivative by the scale's place in the unit cube; the last Hessians are used again."""
        scale = configuration["scale"]
        losses, slopes, steps = [], [], 0
        for fold in folds():
            found = mode(fold.X, fold.y, scale)
            loss, slope = log_loss(fold.X_left_out, fold.y_left_out, found.weights)
            adjoint = solve(found.hessian, slope.ravel(), assume_a="pos").reshape(slope.shape)
            losses.append(loss)
            slopes.append(2.0 / scale**2 * np.sum(adjoint * found.weights))
            steps += found.steps
        gradient = {"scale": float(np.mean(slopes) * np.log(HIGHEST / LOWEST))}
        return Outcome(float(np.mean(losses)), work=float(steps), gradient=gradient)


@dataclass(frozen=True)
class Fold:
    """Inputs with a first column of ones (n, 5) and classes (n,) of a fold's training part, and of what it leaves out.

    Features are standardised by the training part.
    """

    X: np.ndarray
    y: np.ndarray
    X_left_out: np.ndarray
    y_left_out: np.ndarray


@dataclass(frozen=True)
class Mode:
    """Weights (5, 3), intercepts first, the Hessian (15, 15) there, and the Newton steps it took."""

    weights: np.ndarray
    hessian: np.ndarray
    steps: int


@cache
def folds() -> tuple[Fold, ...]:
    """Five stratified folds, always the same."""
    from sklearn.datasets import load_iris
    from sklearn.model_selection import StratifiedKFold

    X, y = load_iris(return_X_y=True)
    parts = StratifiedKFold(5, shuffle=True, random_state=0).split(X, y)
    return tuple(Fold(inputs(X[a], X[a]), y[a], inputs(X[b], X[a]), y[b]) for a, b in parts)


@cache
def everything() -> Fold:
    """All of the data, nothing left out."""
    from sklearn.datasets import load_iris

    X, y = load_iris(return_X_y=True)
    return Fold(inputs(X, X), y, inputs(X[:0], X), y[:0])


def inputs(X: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """A column of ones, and features (n, 4) standardised by those of the reference."""
    return np.column_stack([np.ones(len(X)), (X - reference.mean(axis=0)) / reference.std(axis=0)])


def log_loss(X: np.ndarray, y: np.ndarray, weights: np.ndarray) -> tuple[float, np.ndarray]:
    """Mean log loss and its gradient (5, 3)."""
    scores = X @ weights
    residual = softmax(scores, axis=1)
    residual[np.arange(len(y)), y] -= 1.0
    return float(-log_softmax(scores, axis=1)[np.arange(len(y)), y].mean()), X.T @ residual / len(y)


def mode(X: np.ndarray, y: np.ndarray, scale: float) -> Mode:
    """The mode of the posterior, by damped Newton from zero until the decrement is at rounding error."""

    def penalised(w: np.ndarray) -> tuple[float, np.ndarray]:
        loss, slope = log_loss(X, y, w)
        return len(y) * loss + 0.5 * float(np.sum((w / scale) ** 2)), len(y) * slope + w / scale**2

    weights = np.zeros((X.shape[1], _CLASSES))
    loss, slope = penalised(weights)
    for steps in range(1, _MOST_STEPS):
        hessian = _hessian(X, weights) + np.eye(weights.size) / scale**2
        step = solve(hessian, slope.ravel(), assume_a="pos").reshape(weights.shape)
        decrement = float(np.sum(slope * step))
        if decrement <= _TOLERANCE * max(1.0, loss):
            return Mode(weights, hessian, steps)
        size = 1.0
        # The slack lets the last steps through, whose gain is below the rounding error of the loss.
        while (new := penalised(weights - size * step))[0] > loss - 0.25 * size * decrement + 1e-12:
            size /= 2
        weights, (loss, slope) = weights - size * step, new
    raise ArithmeticError(f"expected Newton to converge within {_MOST_STEPS} steps for the scale {scale:g}")


def _hessian(X: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Of the summed log loss (15, 15), in the order of the weights' rows."""
    p = softmax(X @ weights, axis=1)
    inner = np.eye(_CLASSES) * p[:, :, None] - p[:, :, None] * p[:, None, :]
    n = weights.size
    return np.einsum("ni,nj,nkl->ikjl", X, X, inner).reshape(n, n)
