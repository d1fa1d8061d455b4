"""Simulation-based calibration of a surrogate and an engine (Talts et al. 2018).

Hyperparameters are drawn from the prior, outcomes from the model given these, and the posterior is fitted to the
outcomes: the rank of a true value among independent posterior draws is then uniform. Ranked are every unconstrained
hyperparameter and the joint log density, which also sees data that were not used (Modrak et al. 2023).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import stats

from bayeshpo.inference.base import Engine
from bayeshpo.inference.density import LogDensity, log_density
from bayeshpo.space import SearchSpace
from bayeshpo.surrogates.base import Surrogate, TrainingData
from bayeshpo.surrogates.columns import Columns
from bayeshpo.surrogates.symbolic import UNCOMPILED, pm

# Posterior draws that a true value is ranked among: so few of a fit's 400 or more effective ones are independent.
DRAWS = 99
_BINS = 20
# About where the lowest of twenty standardised losses is.
_LOWEST = -1.5
# The quantity beside the hyperparameters.
JOINT = "joint log density"
# Chance that a calibrated surrogate with all of its quantities is called uncalibrated.
LEVEL = 0.01


@dataclass(frozen=True, eq=False)
class Calibration:
    """Ranks of true values.

    Attributes
    ----------
    names
        The quantities, K of them.
    ranks
        How many of 99 draws lie below the true value (simulations, K).
    statuses
        Of each simulation's fit.
    """

    names: tuple[str, ...]
    ranks: np.ndarray
    statuses: tuple[str, ...]

    @property
    def chi_square(self) -> np.ndarray:
        """p-values (K,) of equal counts in 20 bins."""
        counts = [np.bincount(r * _BINS // (DRAWS + 1), minlength=_BINS) for r in self.ranks.T]
        return np.array([stats.chisquare(c).pvalue for c in counts])

    @property
    def largest_deviation(self) -> np.ndarray:
        """p-values (K,) of the largest distance between the ranks' distribution function and the uniform one."""
        middle = (self.ranks + 0.5) / (DRAWS + 1)
        return np.array([stats.kstest(column, "uniform").pvalue for column in middle.T])

    @property
    def calibrated(self) -> bool:
        """Whether no p-value is below 1 % shared among all of them."""
        p = np.concatenate([self.chi_square, self.largest_deviation])
        return bool((p > LEVEL / len(p)).all())

    def to_record(self) -> dict[str, Any]:
        """The calibration as JSON values."""
        return {
            "quantities": list(self.names),
            "draws": DRAWS,
            "ranks": self.ranks.tolist(),
            "statuses": list(self.statuses),
            "chi_square": self.chi_square.tolist(),
            "largest_deviation": self.largest_deviation.tolist(),
            "calibrated": self.calibrated,
            "verdict": self.verdict,
        }

    @property
    def verdict(self) -> str:
        """A sentence: what was simulated, how many fits passed their checks, and whether ranks are uniform."""
        passed = sum(status == "ok" for status in self.statuses)
        p = min(self.chi_square.min(), self.largest_deviation.min())
        found = "uniform" if self.calibrated else "not uniform"
        return (
            f"{len(self.ranks)} simulations, {passed} fits passed their checks; ranks of {len(self.names)} quantities "
            f"are {found} (smallest p-value {p:.2g} of {2 * len(self.names)})"
        )


def calibrate(
    surrogate: Surrogate, space: SearchSpace, engine: Engine, *, trials: int, simulations: int, rng: np.random.Generator
) -> Iterator[Calibration]:
    """Simulate, fit and rank; yields the calibration so far after every simulation.

    Parameters
    ----------
    surrogate, space, engine
        What is to be calibrated, and where its points are.
    trials
        Number of points, drawn once from the space.
    simulations
        Number of draws of hyperparameters and outcomes.
    rng
        Source of everything.
    """
    density = log_density(surrogate, Columns.of(space))
    X = space.sample(trials, rng)
    # With slopes wherever there can be any, for a surrogate that is told them.
    slopes = np.where(space.continuous & space.active(X), 0.0, np.nan) if surrogate.uses_gradients else None
    # Standard errors up to half of an outcome's scale, for a surrogate that is told them.
    errors = np.linspace(0.0, 0.5, trials)
    # The lowest loss is one of the standardisation's constants, as location and scale are, of which densities are
    # conditional: it is fixed, wherever the simulated losses turn out to be.
    blank = TrainingData(X, np.zeros(trials), 0.0, 1.0, X[:0], _LOWEST, slopes=slopes, errors=errors)
    truths, outcomes = simulated(density, blank, simulations, rng)
    ranks: list[np.ndarray] = []
    statuses: list[str] = []
    for truth, data in zip(truths, outcomes, strict=True):
        data = surrogate.prepared(density.columns, data)
        posterior = engine.fit(density, data, rng=rng)
        draws = posterior.thinned(DRAWS)
        joint = density.batch(np.concatenate([truth[None], draws]), data)
        ranks.append(np.append((draws < truth).sum(axis=0), (joint[1:] < joint[0]).sum()))
        statuses.append(posterior.report.status)
        yield Calibration((*density.coordinates, JOINT), np.array(ranks), tuple(statuses))


def simulated(
    density: LogDensity, blank: TrainingData, simulations: int, rng: np.random.Generator
) -> tuple[np.ndarray, list[TrainingData]]:
    """Unconstrained hyperparameters (simulations, Q) from the prior, and data given them, one for each.

    ``blank`` has the points, and anything finite where losses and slopes belong.
    """
    surrogate, columns = density.surrogate, density.columns
    model: Any = surrogate.model(columns, blank.X, blank.y)
    pm.set_data(surrogate.prepared(columns, blank).named(), model)
    [outcome] = model.observed_RVs
    drawn = pm.draw([*model.free_RVs, outcome], draws=simulations, random_seed=rng, mode=UNCOMPILED)
    values = {rv.name: np.asarray(v) for rv, v in zip(model.free_RVs, drawn, strict=False)}
    data = [
        surrogate.simulated(columns, {name: v[s] for name, v in values.items()}, blank, np.asarray(found), rng)
        for s, found in enumerate(drawn[-1])
    ]
    return density.unconstrain(values), data
