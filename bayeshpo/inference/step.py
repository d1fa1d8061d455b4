"""A population of draws on its way from the data that it knows to those that it is to know."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TypeGuard

import numpy as np

from bayeshpo.inference.density import LogDensity
from bayeshpo.inference.hamiltonian import Trajectories
from bayeshpo.inference.importance import effective_draws
from bayeshpo.inference.log_sum_exp import log_sum_exp
from bayeshpo.inference.moves import move
from bayeshpo.inference.posterior import Posterior, resample
from bayeshpo.surrogates.base import TrainingData

# Share of the population that a stride over the bridge may cost, and the sweeps after each.
_BRIDGE_SHARE = 0.3
_BRIDGE_SWEEPS = 2
# A population moves, whatever its weights say, when the trials have grown by this factor.
_GROWTH = 1.25
# With so few trials the way from the prior is short: a look from there is due with every move.
_FEW = 40
# A population of which the weights leave less than this share is nearer to the prior than to where it has to go.
_FAR_SHARE = 0.01
# With more hyperparameters than these, some moves go along the density's gradient.
_MANY_HYPERPARAMETERS = 12


def uses_gradient(density: LogDensity) -> bool:
    """Whether some moves go along the density's gradient."""
    return density.dimension > _MANY_HYPERPARAMETERS


def goes_on(previous: Posterior | None, density: LogDensity) -> TypeGuard[Posterior]:
    """Whether there is a posterior to go on from: one of the same hyperparameters that did not fail."""
    return previous is not None and previous.report.status != "failed" and previous.density.blocks == density.blocks


@dataclass(frozen=True)
class Step:
    """A population on its way from the old data to the new.

    Attributes
    ----------
    density, data
        The model, and the data that the population is to know.
    former, old
        The model and the data that it knows: the same model, or another one of the same hyperparameters.
    Q, log_weights
        Draws (island, draw, Q) and normalised log weights (island, draw) under the old data.
    before, after
        Log densities (island, draw) given the old data and given the new.
    entered
        What the log evidence has grown by, of data that have just entered with the draws.
    known_evidence
        Log evidence in units of the loss of the data that the study knew before, where it is known.
    pace
        Moves along the gradient, with the step size that they have come to.
    """

    density: LogDensity
    data: TrainingData
    former: LogDensity
    old: TrainingData | None
    Q: np.ndarray
    log_weights: np.ndarray
    before: np.ndarray
    after: np.ndarray
    entered: float = 0.0
    known_evidence: float | None = 0.0
    pace: Trajectories = field(default_factory=Trajectories)

    @classmethod
    def of_draws(cls, density: LogDensity, data: TrainingData, Q: np.ndarray, evidence: float) -> Step:
        """From equally weighted draws (island, draw, Q) that know the data already, and the data's log evidence."""
        weights, logp = np.full(Q.shape[:2], -np.log(Q.shape[0] * Q.shape[1])), _log_density(density, Q, data)
        return cls(density, data, density, data, Q, weights, logp, logp, evidence)

    @classmethod
    def begin(
        cls, density: LogDensity, data: TrainingData, previous: Posterior | None, islands: int, draws: int,
        rng: np.random.Generator,
    ) -> Step:  # fmt: skip
        """From a posterior's draws, or from the prior where there is none to go on from."""
        if goes_on(previous, density):
            Q, weights, former, old = previous.draws, previous.log_weights, previous.density, previous.data
        else:
            Q, weights, former, old = density.prior_draws(islands * draws, rng), None, density, None
        Q = Q.reshape(islands, draws, -1)
        weights = np.full((islands, draws), -np.log(islands * draws)) if weights is None else weights
        evidence = previous.log_evidence if goes_on(previous, density) else 0.0
        step = cls(density, data, former, old, Q, weights, np.empty(0), np.empty(0), known_evidence=evidence)
        known = previous.sample_stats.get("lp") if goes_on(previous, density) else None
        return replace(step, before=step._before(Q) if known is None else known, after=step._after(Q))

    @property
    def known(self) -> TrainingData:
        """The data that the population knows: none where it comes from the prior."""
        return self.former.no_data if self.old is None else self.old

    @property
    def trajectories(self) -> Trajectories | None:
        """Moves along the gradient, where hyperparameters are many."""
        return self.pace if uses_gradient(self.density) else None

    @property
    def wants_scouts(self) -> bool:
        """Whether a look from the prior is due; not where the population comes from there."""
        if self.old is None or self.old is self.data:
            return False
        return self.is_due or len(self.data.y) <= _FEW

    @property
    def is_due(self) -> bool:
        """Whether the population should move by now: weights do not see what no draw has seen."""
        if self.old is None:
            return True
        before, after = (np.floor(np.log(max(len(d.y), 1)) / np.log(_GROWTH)) for d in (self.old, self.data))
        return bool(after > before)

    @property
    def is_far(self) -> bool:
        """Whether the weights leave next to nothing of the population, as where inducing points were exchanged."""
        return effective_draws(self.weights(1.0)) < _FAR_SHARE * self.log_weights.size

    @property
    def has_news(self) -> bool:
        """Whether the way is one: not where there are no data, nor where the draws know them already."""
        return not np.array_equal(self.before, self.after)

    def log_ratio(self, share: float) -> float:
        """Log of how much the density's integral changes over a share of the way, as the draws estimate it."""
        return log_sum_exp(self.log_weights + share * self._increment())

    def evidence(self, log_ratio: float) -> float:
        """Log predictive density of the new outcomes given the old ones, in units of the loss, from the whole ratio."""
        known = 0.0 if self.old is None else self.old.log_unit
        return float(self.entered + log_ratio - self.data.log_unit + known)

    def weights(self, share: float) -> np.ndarray:
        """Normalised log weights (island, draw) after a share of the way to the new density."""
        weights = self.log_weights + share * self._increment()
        return weights - log_sum_exp(weights)

    def target(self, share: float) -> Bridge:
        """Log density after a share of the way, as a function of points (m, Q)."""
        return Bridge(self, share)

    def cross_bridge(
        self, rng: np.random.Generator, sweeps: int = _BRIDGE_SWEEPS, least: float = _BRIDGE_SHARE
    ) -> tuple[np.ndarray, np.ndarray, float]:
        """Draws (island, draw, Q) resampled for the new data, log densities (island, draw), and the log ratio.

        Each stride leaves weights with ``least`` of the population's effective size, and is followed by ``sweeps``.
        """
        step, share, log_ratio = self, 0.0, 0.0
        while share < 1.0:
            stride = _longest_stride(step, 1.0 - share, least)
            if stride is None:
                return step.Q, step.after, -np.inf
            log_ratio += step.log_ratio(stride)
            share = min(1.0, share + stride)
            columns = resample(np.dstack([step.Q, step.before, step.after]), step.weights(stride))
            Q, before, after = np.ascontiguousarray(columns[..., :-2]), columns[..., -2], columns[..., -1]
            if share < 1.0:
                target, prior = self.target(share), self.density.marginals
                logp = target.between(before, after)
                Q = move(
                    Q,
                    logp,
                    target,
                    prior,
                    rng,
                    least=sweeps,
                    most=sweeps,
                    memory=0.0,
                    offers=0.0,
                    trajectories=self.trajectories,
                ).Q
                before, after = self._before(Q), self._after(Q)
            equal = np.full(Q.shape[:2], -np.log(Q.shape[0] * Q.shape[1]))
            step = replace(step, Q=Q, log_weights=equal, before=before, after=after)
        return step.Q, step.after, log_ratio

    def _increment(self) -> np.ndarray:
        return np.where(np.isfinite(self.after), self.after - self.before, -np.inf)

    def _before(self, Q: np.ndarray) -> np.ndarray:
        return _log_density(self.former, Q, self.known)

    def _after(self, Q: np.ndarray) -> np.ndarray:
        return _log_density(self.density, Q, self.data)


@dataclass(frozen=True)
class Bridge:
    """Geometric path between the densities given the old and the new data."""

    step: Step
    share: float

    def __call__(self, Q: np.ndarray) -> np.ndarray:
        """Log density (m,) at points (m, Q)."""
        old = self.step._before(Q[None])[0] if self.share < 1.0 else np.zeros(len(Q))
        return self.between(old, self.step._after(Q[None])[0])

    def gradient(self, Q: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Log densities (m,) at points (m, Q), and their gradients (m, Q)."""
        step = self.step
        new, slope = step.density.batch_with_gradient(Q, step.data)
        if self.share == 1.0:
            return self.between(new, new), slope
        old, old_slope = step.former.batch_with_gradient(Q, step.known)
        return self.between(old, new), (1.0 - self.share) * old_slope + self.share * slope

    def between(self, old: np.ndarray, new: np.ndarray) -> np.ndarray:
        """Log densities on the way between those given the old data and the new, of one shape."""
        if self.share < 1.0:
            new = np.where(np.isfinite(new), (1.0 - self.share) * old + self.share * new, -np.inf)
        return np.where(np.isnan(new), -np.inf, new)


def _longest_stride(step: Step, rest: float, share: float) -> float | None:
    """How far to go so that the weights keep a share of the population; None if no draw can go on."""
    if not np.isfinite(step.after).any():
        return None
    enough = share * step.log_weights.size
    if effective_draws(step.weights(rest)) >= enough:
        return rest
    low, high = 0.0, rest
    for _ in range(30):
        middle = (low + high) / 2.0
        low, high = (middle, high) if effective_draws(step.weights(middle)) >= enough else (low, middle)
    return max(low, 1e-6)


def _log_density(density: LogDensity, Q: np.ndarray, data: TrainingData) -> np.ndarray:
    return density.batch(Q.reshape(-1, Q.shape[2]), data).reshape(Q.shape[:2])
