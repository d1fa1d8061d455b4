"""Recorded study histories, the posteriors that they should have, and a comparison in units of Monte Carlo error."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from arviz_stats.base.array import array_stats
from scipy import stats
from surrogate_cases import training_data

from bayeshpo.inference.density import LogDensity, log_density
from bayeshpo.inference.posterior import Posterior
from bayeshpo.inference.predictive import predictive
from bayeshpo.surrogates.base import TrainingData
from bayeshpo.surrogates.columns import Columns
from bayeshpo.surrogates.gp import GaussianProcess

FOLDER = Path(__file__).parent / "recorded_histories"
PROBABILITIES = (0.05, 0.25, 0.5, 0.75, 0.95)
# Its annotations are unions that no caller can narrow.
_diagnostics: Any = array_stats


@dataclass(frozen=True, eq=False)
class Reference:
    """Moments of the posterior after n trials, from long runs.

    Attributes
    ----------
    n
        Number of trials told, failed ones among them.
    names
        Hyperparameters on the unconstrained scale (K,), then values of the latent function at five points.
    mean, sd
        Of each quantity (K + 5,).
    quantiles
        Of each hyperparameter (K, 5), at `PROBABILITIES`.
    error
        Monte Carlo standard errors of the expectations (7 K + 10,), in the order of `expected`.
    log_density
        At the hyperparameters' means: tells another model from another posterior.
    log_evidence, log_evidence_error
        Log density of all losses, in their own unit, and its Monte Carlo error.
    """

    n: int
    names: tuple[str, ...]
    mean: np.ndarray
    sd: np.ndarray
    quantiles: np.ndarray
    error: np.ndarray
    log_density: float
    log_evidence: float
    log_evidence_error: float

    @property
    def expected(self) -> np.ndarray:
        """Means, variances and probabilities below the quantiles of hyperparameters; means and variances of f."""
        K = len(self.quantiles)
        probabilities = np.tile(PROBABILITIES, (K, 1))
        return np.concatenate([self.mean, self.sd**2, probabilities.ravel()])

    @property
    def labels(self) -> list[str]:
        """What each expectation is of."""
        below = [
            f"{name} below its {p:.0%} quantile" for name in self.names[: len(self.quantiles)] for p in PROBABILITIES
        ]
        return [*(f"mean of {n}" for n in self.names), *(f"variance of {n}" for n in self.names), *below]

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> Reference:
        """The inverse of what `make_recorded_histories.py` writes."""
        rows: dict[str, Any] = record["quantities"]
        mean, sd = (np.array([row[k] for row in rows.values()]) for k in ("mean", "sd"))
        mean_error, sd_error = (np.array([row[k] for row in rows.values()]) for k in ("mean_error", "sd_error"))
        with_quantiles = [row for row in rows.values() if "quantiles" in row]
        below = np.array([row["probability_errors"] for row in with_quantiles])
        return cls(
            record["n"],
            tuple(rows),
            mean,
            sd,
            np.array([row["quantiles"] for row in with_quantiles]),
            np.concatenate([mean_error, 2.0 * sd * sd_error, below.ravel()]),
            record["log_density_at_mean"],
            record.get("log_evidence", np.nan),
            record.get("log_evidence_error", np.nan),
        )


@dataclass(frozen=True, eq=False)
class Recording:
    """What a searcher tried and what came back.

    Attributes
    ----------
    X, losses
        Points in the unit cube (n, D) and losses (n,), NaN where a trial failed.
    choices
        Centres of unordered choices by column, as in `Columns`.
    fits
        Numbers of trials at which the searcher fitted its surrogate.
    points
        Where predictions are compared (5, D).
    references
        What the posterior is, by number of trials.
    """

    X: np.ndarray
    losses: np.ndarray
    choices: tuple[tuple[int, tuple[float, ...]], ...]
    fits: tuple[int, ...]
    points: np.ndarray
    references: dict[int, Reference]

    @classmethod
    def load(cls, name: str) -> Recording:
        """The recording of this name."""
        record = json.loads((FOLDER / f"{name}.json").read_text())
        return cls.from_record(record)

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> Recording:
        """A recording from JSON values."""
        trials = np.array(record["trials"], dtype=float)
        references = [Reference.from_record(r) for r in record.get("references", [])]
        return cls(
            trials[:, :-1],
            trials[:, -1],
            tuple((j, tuple(centres)) for j, centres in record["choices"]),
            tuple(record["fits"]),
            np.array(record["points"]),
            {r.n: r for r in references},
        )

    @property
    def density(self) -> LogDensity:
        """The default surrogate's density; names are those of other tests' plane, so that code is compiled once."""
        D = self.X.shape[1]
        names = ("x", "z") if D == 2 else tuple(f"x{j}" for j in range(D))
        return log_density(GaussianProcess(), Columns(names, self.choices))

    def data(self, n: int) -> TrainingData:
        """What the surrogate is fitted to after n trials."""
        X, losses = self.X[:n], self.losses[:n]
        kept = np.isfinite(losses)
        return training_data(X[kept], losses[kept], X[~kept])

    def carried(self, engine: Any, seed: int) -> dict[int, Posterior]:
        """The engine's posteriors by number of trials, carried through the fits that the searcher made."""
        rng, posterior, path = np.random.default_rng(seed), None, {}
        for n in sorted({n for n in self.fits if n <= max(self.references)} | set(self.references)):
            posterior = engine.fit(self.density, self.data(n), rng=rng, previous=posterior)
            path[n] = posterior
        return path


def latent(posterior: Posterior, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and variance of f at points, each (5, chain, draw), for all draws and without their weights."""
    unweighted = replace(posterior, log_weights=None)
    shape = (len(points), *posterior.unconstrained.shape[:2])
    mean, variance = predictive(posterior.density).at(unweighted, points, posterior.size)
    return mean.T.reshape(shape), variance.T.reshape(shape)


def expectations(posterior: Posterior, points: np.ndarray, centre: np.ndarray, quantiles: np.ndarray) -> np.ndarray:
    """What is averaged over draws (7 K + 10, chain, draw), in the order of `Reference.expected`."""
    Q = np.moveaxis(posterior.unconstrained, 2, 0)
    K, (f, variance) = len(Q), latent(posterior, points)
    spread = (np.concatenate([Q, f]) - centre[:, None, None]) ** 2
    # By total variance: what a draw does not know of f counts.
    spread[K:] += variance
    below = Q[:, None] <= quantiles[:, :, None, None]
    return np.concatenate([Q, f, spread, below.reshape(-1, *Q.shape[1:]).astype(float)])


def weighted_means(posterior: Posterior, values: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Means (E,) of values (E, chain, draw) under a posterior's weights, their Monte Carlo errors and effective sizes.

    The errors are those that ArviZ finds in the draws' linearised contributions: weights and autocorrelation count.
    """
    shares = np.ones(values.shape[1:])
    if posterior.log_weights is not None:
        shares = posterior.size * np.exp(posterior.log_weights)
    mean = (shares * values).mean(axis=(1, 2))
    centred = values - mean[:, None, None]
    error = _diagnostics.mcse(shares * centred, chain_axis=1, draw_axis=2, method="mean")
    variance = (shares * centred**2).mean(axis=(1, 2))
    # What is the same for all draws has no error.
    return mean, error, np.divide(variance, error**2, out=np.full_like(error, np.inf), where=error > 0.0)


def z_scores(recording: Recording, reference: Reference, posterior: Posterior) -> np.ndarray:
    """Differences (E,) between a posterior and the reference in units of their joint Monte Carlo error."""
    values = expectations(posterior, recording.points, reference.mean, reference.quantiles)
    mean, error, _ = weighted_means(posterior, values)
    return (mean - reference.expected) / np.hypot(error, reference.error)


def limit(comparisons: int, level: float = 1e-4) -> float:
    """What the largest of so many standard normal numbers, in absolute value, exceeds at this level at most."""
    return float(stats.norm.isf(level / 2.0 / comparisons))


def assert_agrees(recording: Recording, reference: Reference, posterior: Posterior) -> None:
    """All means, variances and quantiles of a posterior are the reference's within the joint Monte Carlo error."""
    z = z_scores(recording, reference, posterior)
    worst = int(np.argmax(np.abs(z)))
    assert np.abs(z).max() < limit(len(z)), f"{reference.n} trials: {reference.labels[worst]} is off by {z[worst]:.1f}"
