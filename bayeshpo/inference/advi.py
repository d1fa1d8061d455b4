"""Automatic differentiation variational inference with a fixed sample (Giordano, Ingram and Broderick 2024, DADVI).

The Gaussian closest to the posterior in Kullback-Leibler divergence, approximation to target, minimises
-E_z log p(mean + factor z) - log |factor| over mean and factor, z ~ N(0, I) (Kucukelbir et al. 2017, eq. 5). Here the
expectation is over points z that are drawn once, so that the objective is a plain function with an exact gradient: no
step sizes, and convergence can be seen.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.optimize import minimize
from scipy.special import ndtri
from scipy.stats import qmc

from bayeshpo.inference.approximation import Gaussian, audited_gaussian, not_found
from bayeshpo.inference.base import Engine
from bayeshpo.inference.compilation import Stopwatch
from bayeshpo.inference.density import LogDensity
from bayeshpo.inference.laplace import laplace_approximation
from bayeshpo.inference.optimization import Target, descent, starting_points
from bayeshpo.inference.posterior import Posterior
from bayeshpo.inference.report import InferenceReport
from bayeshpo.surrogates.base import TrainingData

_STARTS = 8
_ITERATIONS = 300


@dataclass(frozen=True)
class ADVI(Engine):
    """The closest Gaussian on the unconstrained scale, from Laplace's approximation on.

    The k-hat of the draws' importance weights against the true density says whether it covers the posterior (Yao,
    Vehtari, Simpson and Gelman 2018): within `khat_limit` averages over the weighted draws can be trusted, and status
    "ok" also asks for more than 400 effective draws. Convergence of the optimiser is a separate check; neither sees a
    second mode far away. A mean-field Gaussian is too narrow wherever hyperparameters are correlated, a full-rank one
    where tails are heavy; the weights correct both as far as k-hat allows.

    Parameters
    ----------
    full_rank
        Whether the Gaussian has correlations, or independent coordinates (mean field).
    chains, draws
        The sample is given as so many chains (>= 1) of so many draws (>= 25); they are independent.
    points
        Points that the expectation is taken over (>= 8, a power of two); full rank takes more where the number of
        hyperparameters asks for them.
    weigh
        Whether the draws carry importance weights, and a quarter of them heavier tails for the weights to see by, where
        k-hat is good. Otherwise, and where it is not, they are the Gaussian's own.
    """

    full_rank: bool = False
    chains: int = 4
    draws: int = 1000
    points: int = 64
    weigh: bool = True
    name = "advi"

    def __post_init__(self) -> None:
        if self.chains < 1 or self.draws < 25 or self.points < 8 or self.points & (self.points - 1):
            raise ValueError(
                "expected chains >= 1, draws >= 25 and points a power of two >= 8, "
                f"got chains={self.chains}, draws={self.draws}, points={self.points}"
            )

    def fit(
        self, density: LogDensity, data: TrainingData, *, rng: np.random.Generator, previous: Posterior | None = None
    ) -> Posterior:
        """Draws from the Gaussian, weighed and audited; "failed" if no start has a finite density."""
        watch = Stopwatch()
        report = InferenceReport(self.name, "sampled", len(data.y))
        target = density.value_and_gradient(data)
        starts = starting_points(density, data, _STARTS, rng)
        begun = laplace_approximation(target, starts)
        if begun is None:
            return not_found(density, data, starts, replace(report, **watch.seconds()))
        points = _points(self._number_of_points(density.dimension), density.dimension, rng)
        gaussian, doubt = closest_gaussian(target, begun[0], points, full_rank=self.full_rank)
        shape = (self.chains, self.draws)
        return audited_gaussian(density, data, gaussian, shape, report, watch, rng, weigh=self.weigh, doubt=doubt)

    def _number_of_points(self, dimension: int) -> int:
        """At least twice the dimension (four times at full rank), else the fixed sample leaves directions unseen."""
        least = (4 if self.full_rank else 2) * dimension
        return max(self.points, 2 ** int(np.ceil(np.log2(least))))


def closest_gaussian(
    target: Target, start: Gaussian, points: np.ndarray, *, full_rank: bool
) -> tuple[Gaussian, str | None]:
    """The Gaussian that maximises the evidence lower bound over fixed points (S, Q), and a doubt where that failed.

    Mean and factor are written in the coordinates of the start, in which the problem is close to round:
    mean = start.mean + C m, factor = C L with C the start's factor (its diagonal scale for a mean field).
    """
    size = len(start.mean)
    C = start.factor if full_rank else np.diag(1.0 / np.sqrt(np.diag(_inverse(start.factor))))
    rows, columns = np.tril_indices(size) if full_rank else (np.arange(size), np.arange(size))
    diagonal = rows == columns
    loss_at = descent(target)

    def unpack(theta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        L = np.zeros((size, size))
        L[rows, columns] = np.where(diagonal, np.exp(np.where(diagonal, theta[size:], 0.0)), theta[size:])
        return theta[:size], L

    def negative_bound(theta: np.ndarray) -> tuple[float, np.ndarray]:
        m, L = unpack(theta)
        u = m + points @ L.T
        evaluated = [loss_at(start.mean + C @ v) for v in u]
        slopes = np.array([slope for _, slope in evaluated]) @ C / len(points)
        dL = (slopes.T @ points)[rows, columns]
        d_theta = np.where(diagonal, dL * L[rows, columns] - 1.0, dL)
        value = np.mean([value for value, _ in evaluated]) - theta[size:][diagonal].sum()
        return float(value), np.concatenate([slopes.sum(axis=0), d_theta])

    found = minimize(
        negative_bound, np.zeros(size + len(rows)), jac=True, method="L-BFGS-B", options={"maxiter": _ITERATIONS}
    )
    m, L = unpack(found.x)
    stationary = bool(np.abs(found.jac).max() < 1e-2)
    doubt = None if stationary else "the evidence lower bound was not maximised"
    return Gaussian(start.mean + C @ m, C @ L), doubt


def _points(n: int, size: int, rng: np.random.Generator) -> np.ndarray:
    """Scrambled Sobol points (n, Q) of N(0, I), shifted and whitened to its exact mean and covariance.

    With those two moments exact, the result is exact wherever the log density is quadratic.
    """
    z = ndtri(np.clip(qmc.Sobol(size, rng=rng).random(n), 1e-12, 1.0 - 1e-12))
    z = z - z.mean(axis=0)
    return np.linalg.solve(np.linalg.cholesky(z.T @ z / n), z.T).T


def _inverse(factor: np.ndarray) -> np.ndarray:
    """(factor factor')^-1."""
    M = np.linalg.inv(factor)
    return M.T @ M
