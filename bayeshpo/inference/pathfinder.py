"""Multi-path Pathfinder (Zhang, Carpenter, Gelman and Vehtari 2022): Gaussians along quasi-Newton ascents."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.optimize import minimize

from bayeshpo.inference.approximation import Affine, audited, not_found
from bayeshpo.inference.base import Engine
from bayeshpo.inference.compilation import Stopwatch
from bayeshpo.inference.density import LogDensity
from bayeshpo.inference.log_sum_exp import log_sum_exp
from bayeshpo.inference.optimization import Target, descent, starting_points
from bayeshpo.inference.posterior import Posterior
from bayeshpo.inference.report import InferenceReport
from bayeshpo.surrogates.base import TrainingData

# Updates that an estimate of the curvature remembers, and draws that each evidence lower bound is taken over.
_HISTORY = 6
_BOUND_DRAWS = 10
_ITERATIONS = 200
# Steps whose curvature is below this share of their gradient's change are left out (Zhang et al. 2022, section 2.3).
_CURVATURE = 1e-12


@dataclass(frozen=True)
class Pathfinder(Engine):
    """Of the Gaussians that L-BFGS implies along its way to a mode, the one of the best evidence bound; several ways.

    Draws of all paths, a quarter of them with heavier tails for the weights to see by, are pooled and weighed by
    importance; their proposal is the mixture of the paths' Gaussians (the balance heuristic of Veach and Guibas 1995;
    the paper weighs each draw by its own path's Gaussian, with more variance). The k-hat of these weights says whether
    the paths together cover the posterior: within `khat_limit` averages over the weighted draws can be trusted, and
    status "ok" also asks for more than 400 effective draws. A mode that no path reached goes unnoticed.

    Parameters
    ----------
    paths
        Ascents (>= 1), from prior draws resampled by their flattened likelihood.
    chains, draws
        The pooled sample is given as so many chains (>= 1) of so many draws (>= 25), each with draws of every path.
    """

    paths: int = 20
    chains: int = 4
    draws: int = 1000
    name = "pathfinder"

    def __post_init__(self) -> None:
        if self.paths < 1 or self.chains < 1 or self.draws < max(25, self.paths):
            raise ValueError(
                "expected paths >= 1, chains >= 1 and draws >= 25 and >= paths, "
                f"got paths={self.paths}, chains={self.chains}, draws={self.draws}"
            )

    def fit(
        self, density: LogDensity, data: TrainingData, *, rng: np.random.Generator, previous: Posterior | None = None
    ) -> Posterior:
        """Weighted draws of all paths; "failed" if no path has a Gaussian of finite evidence bound."""
        watch = Stopwatch()
        report = InferenceReport(self.name, "sampled", len(data.y))
        starts = starting_points(density, data, self.paths, rng)
        target = density.value_and_gradient(data)
        ways = [_best_on_path(density, data, target, start, rng) for start in starts]
        found = [way for way in ways if way is not None]
        if not found:
            return not_found(density, data, starts, replace(report, **watch.seconds()))
        # Draw by draw from one path after the other, so that every chain has its share of each.
        n = self.chains * self.draws
        each = [way.draws(-(-n // len(found)), rng, tails=True) for way in found]
        Q = np.stack(each, axis=1).reshape(-1, density.dimension)[:n]
        mixture = log_sum_exp(np.array([way.log_density(Q, tails=True) for way in found]), axis=0) - np.log(len(found))
        shape = (self.chains, self.draws)
        return audited(density, data, Q.reshape(*shape, -1), np.asarray(mixture).reshape(shape), report, watch)


@dataclass(frozen=True)
class CompactGaussian(Affine):
    """N(mean, diag(scale^2) + low rank), drawn from and evaluated at a cost linear in the dimension.

    The covariance is diag(scale) (I + basis (inner inner' - I) basis') diag(scale) with orthonormal columns in basis
    (Q, r) and a lower triangular inner (r, r) (Zhang et al. 2022, algorithm 4).
    """

    mean: np.ndarray
    scale: np.ndarray
    basis: np.ndarray
    inner: np.ndarray

    def place(self, z: np.ndarray) -> np.ndarray:
        """mean + scale (z + basis (inner - I) basis' z)."""
        along = z @ self.basis
        return self.mean + self.scale * (z + (along @ self.inner.T - along) @ self.basis.T)

    def square(self, Q: np.ndarray) -> np.ndarray:
        """Squared Mahalanobis distances."""
        z = (Q - self.mean) / self.scale
        along = z @ self.basis
        inside = np.linalg.solve(self.inner, along.T).T
        return (z**2).sum(axis=1) - (along**2).sum(axis=1) + (inside**2).sum(axis=1)

    @property
    def log_det(self) -> float:
        """Half the log determinant of the covariance."""
        return float(np.log(self.scale).sum() + np.log(np.diag(self.inner)).sum())


def gaussians_on_path(points: np.ndarray, slopes: np.ndarray) -> list[CompactGaussian]:
    """The Gaussian that L-BFGS implies at each point but the first of an ascent.

    Parameters
    ----------
    points, slopes
        Points (L, Q) of the ascent and gradients (L, Q) of the negative log density there.
    """
    found = []
    alpha = np.ones(points.shape[1])
    S: list[np.ndarray] = []
    Y: list[np.ndarray] = []
    for before, after, g0, g1 in zip(points[:-1], points[1:], slopes[:-1], slopes[1:], strict=True):
        s, y = after - before, g1 - g0
        if s @ y > _CURVATURE * (y @ y):
            alpha = _updated_diagonal(alpha, s, y)
            S, Y = [*S, s][-_HISTORY:], [*Y, y][-_HISTORY:]
        gaussian = _gaussian_at(after, g1, alpha, np.array(S).T, np.array(Y).T) if S else None
        if gaussian is not None:
            found.append(gaussian)
    return found


def _updated_diagonal(alpha: np.ndarray, s: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Diagonal (Q,) of the initial inverse Hessian after a step (Gilbert and Lemarechal 1989, eq. 4.9)."""
    a, b, c = y @ (alpha * y), y @ s, s @ (s / alpha)
    return 1.0 / (a / (b * alpha) + y**2 / b - a * s**2 / (b * c * alpha**2))


def _gaussian_at(
    q: np.ndarray, slope: np.ndarray, alpha: np.ndarray, S: np.ndarray, Y: np.ndarray
) -> CompactGaussian | None:
    """N(q - H slope, H), H estimated from steps S and gradient changes Y, (Q, J) each (Byrd et al. 1994, eq. 3.1).

    None where the estimate has lost its positive definiteness to rounding.
    """
    if not (alpha > 0).all():
        return None
    E = np.triu(S.T @ Y)
    inverse = np.linalg.solve(E, np.eye(len(E)))
    corner = inverse.T @ (np.diag(np.diag(E)) + Y.T @ (alpha[:, None] * Y)) @ inverse
    low_rank = np.block([[np.zeros_like(E), -inverse], [-inverse.T, corner]])
    scale = np.sqrt(alpha)
    basis, R = np.linalg.qr(np.hstack([alpha[:, None] * Y, S]) / scale[:, None])
    values, vectors = np.linalg.eigh(np.eye(len(R)) + R @ low_rank @ R.T)
    if not values.min() > 0:
        return None
    inner = np.linalg.cholesky((vectors * values) @ vectors.T)
    gaussian = CompactGaussian(q, scale, basis, inner)
    direction = scale * slope
    along = direction @ basis
    step = scale * (direction + basis @ (inner @ (inner.T @ along) - along))
    return replace(gaussian, mean=q - step)


def _best_on_path(
    density: LogDensity, data: TrainingData, target: Target, start: np.ndarray, rng: np.random.Generator
) -> CompactGaussian | None:
    """The Gaussian of the highest evidence lower bound along one ascent; None if none of them is finite."""
    gaussians = gaussians_on_path(*_ascent(target, start))
    if not gaussians:
        return None
    Q = np.stack([g.draws(_BOUND_DRAWS, rng) for g in gaussians])
    logp = density.batch(Q.reshape(-1, Q.shape[2]), data).reshape(Q.shape[:2])
    entropy = -np.stack([g.log_density(q) for g, q in zip(gaussians, Q, strict=True)])
    bound = (logp + entropy).mean(axis=1)
    bound = np.where(np.isfinite(bound), bound, -np.inf)
    best = int(np.argmax(bound))
    return gaussians[best] if np.isfinite(bound[best]) else None


def _ascent(target: Target, start: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Points (L, Q) that L-BFGS accepts from a start, and gradients (L, Q) of the negative log density there."""
    slopes: dict[bytes, np.ndarray] = {}
    loss_at = descent(target)

    def loss(q: np.ndarray) -> tuple[float, np.ndarray]:
        value, slope = loss_at(q)
        slopes[q.tobytes()] = slope
        return value, slope

    points = [start.copy()]
    loss(points[0])
    minimize(
        loss, start, jac=True, method="L-BFGS-B", callback=lambda q: points.append(q.copy()),
        options={"maxiter": _ITERATIONS, "maxcor": _HISTORY},
    )  # fmt: skip
    return np.array(points), np.array([slopes[q.tobytes()] for q in points])
