r"""Validation loss of penalised logistic regression, with its exact hypergradient.

Inner problem, for weights :math:`w` and intercept :math:`b` on the standardised training half:

.. math:: w^*(\lambda) = \arg\min_{w, b} \frac1n \sum_i \log(1 + e^{-y_i (x_i'w + b)})
    + \frac12 \sum_g \lambda_g |w_g|^2

The value is the mean log loss :math:`V` of :math:`w^*` on the validation half. By the implicit function theorem
(Larsen, Hansen, Svarer and Ohlsson, 1996; Bengio, 2000; Pedregosa, 2016), with :math:`H` the inner Hessian at the
solution and :math:`q` the solution of :math:`H q = \nabla V(w^*)`,

.. math:: \frac{dV}{d \log \lambda_g} = -\lambda_g \, q_g' w^*_g
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from ConfigSpace.hyperparameters import UniformFloatHyperparameter
from scipy.linalg import solve
from scipy.special import expit

from bayeshpo.aims import Direction
from bayeshpo.problems.newton import Minimum, minimised
from bayeshpo.space import Configuration, as_space
from bayeshpo.trial import Outcome

# The order of the columns in the data: ten means, ten standard errors, ten worst values.
GROUPS = ("mean", "error", "worst")
LOWEST, HIGHEST = 1e-5, 10.0
_TOLERANCE = 1e-12


class LogisticBreastCancer:
    """Mean validation log loss (nats) of logistic regression on the breast cancer data; three penalties, minimised.

    ``penalty_mean``, ``penalty_error`` and ``penalty_worst`` are the L2 penalties of the three natural groups of
    features, searched in [1e-5, 10] on a log scale. Implements `Differentiable`. The evaluation does not depend on
    ``rng``. Work counts passes over the training data, each with loss, gradient and Hessian.
    """

    name = "logistic_breast_cancer"
    direction: Direction = "minimize"
    # The best of L-BFGS-B from 40 starts, the lowest of three local minima, at the upper bound of penalty_error.
    optimum: float | None = 0.0559226387888569
    work_unit = "pass over the training data"
    noisy = False

    def __init__(self) -> None:
        ranges = {f"penalty_{g}": (LOWEST, HIGHEST) for g in GROUPS}
        self.space = as_space({k: UniformFloatHyperparameter(k, *v, log=True) for k, v in ranges.items()})

    def evaluate(self, configuration: Configuration, *, rng: np.random.Generator) -> Outcome:
        """The validation loss."""
        fit = _fit(_penalties(configuration))
        loss, _ = _log_loss(_data().validation, fit.weights)
        return Outcome(loss, work=float(fit.passes))

    def evaluate_with_gradient(self, configuration: Configuration, *, rng: np.random.Generator) -> Outcome:
        """The validation loss and its derivative by unit-cube coordinate.

        The adjoint system reuses the last Hessian, so that the gradient costs no further pass.
        """
        penalties = _penalties(configuration)
        fit = _fit(penalties)
        loss, slope = _log_loss(_data().validation, fit.weights)
        adjoint = solve(fit.hessian, slope, assume_a="pos")
        by_log_penalty = -(penalties * adjoint * fit.weights)[:-1].reshape(len(GROUPS), -1).sum(axis=1)
        by_position = by_log_penalty * np.log(HIGHEST / LOWEST)
        gradient = {f"penalty_{g}": float(s) for g, s in zip(GROUPS, by_position, strict=True)}
        return Outcome(loss, work=float(fit.passes), gradient=gradient)


@dataclass(frozen=True)
class _Data:
    """Inputs (n, 31) of both halves, with a last column of ones, each row times its label of +1 or -1."""

    train: np.ndarray
    validation: np.ndarray


@cache
def _data() -> _Data:
    from sklearn.datasets import load_breast_cancer
    from sklearn.model_selection import train_test_split

    inputs, labels = load_breast_cancer(return_X_y=True)
    train, validation = train_test_split(np.arange(len(labels)), test_size=0.5, stratify=labels, random_state=0)
    centred = (inputs - inputs[train].mean(axis=0)) / inputs[train].std(axis=0)
    signed = np.column_stack([centred, np.ones(len(labels))]) * (2.0 * labels - 1.0)[:, None]
    return _Data(signed[train], signed[validation])


def _penalties(configuration: Configuration) -> np.ndarray:
    """Penalty of each weight (31,); the intercept's is zero."""
    by_group = [configuration[f"penalty_{g}"] for g in GROUPS]
    return np.append(np.repeat(by_group, 10), 0.0)


def _log_loss(signed: np.ndarray, weights: np.ndarray) -> tuple[float, np.ndarray]:
    """Mean log loss and its gradient (31,)."""
    margins = signed @ weights
    loss = float(np.logaddexp(0.0, -margins).mean())
    return loss, -(signed.T @ expit(-margins)) / len(margins)


def _fit(penalties: np.ndarray) -> Minimum:
    """The inner solution."""
    signed = _data().train

    def penalised(w: np.ndarray) -> tuple[float, np.ndarray]:
        loss, slope = _log_loss(signed, w)
        return loss + 0.5 * float(penalties @ w**2), slope + penalties * w

    def hessian(w: np.ndarray) -> np.ndarray:
        p = expit(signed @ w)
        return (signed.T * (p * (1 - p) / len(p))) @ signed + np.diag(penalties)

    return minimised(penalised, hessian, signed.shape[1], tolerance=_TOLERANCE)
