"""The sequential engine: a population of draws carried through the study instead of being sampled anew at each n.

Iterated batch importance sampling (Chopin 2002) with resample-move steps (Gilks and Berzuini 2001). New data multiply
the weights by the ratio of the joint densities; while the weights stay healthy the weighted draws are the posterior.
When they do not, the population is resampled and moved, over a bridge of intermediate densities if the step is long,
until the draws have forgotten where they came from.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace

import numpy as np
from scipy.special import logsumexp

from bayeshpo.inference.base import Engine
from bayeshpo.inference.compilation import COMPILATIONS
from bayeshpo.inference.density import LogDensity
from bayeshpo.inference.importance import effective_draws, pareto_smoothed
from bayeshpo.inference.moves import Moved, move
from bayeshpo.inference.posterior import Posterior, resample
from bayeshpo.inference.report import InferenceReport, with_convergence
from bayeshpo.surrogates.base import TrainingData

# Share of the population that a step of the bridge may cost, and the sweeps after each.
_BRIDGE_SHARE = 0.5
_BRIDGE_SWEEPS = 2


@dataclass(frozen=True)
class Sequential(Engine):
    """Population of draws in islands: reweighted, or resampled and moved, from trial to trial.

    The islands share what the mixture of `mixture.py` learns, so R-hat between them cannot see a part of the posterior
    that all of them missed; what the mixture's proposals do not reach is looked for apart (status "not_converged").

    Parameters
    ----------
    islands
        Number of independent populations (>= 4); they are the chains of R-hat.
    draws
        Draws of each island (>= 100, even).
    healthy
        Weights are kept while their effective size is at least this share of the population.
    memory
        Moves go on until no hyperparameter's rank correlation with its value before them is above this.
    sweeps
        Moves of each draw at most; a second attempt, if the checks fail, has twice as many.
    """

    islands: int = 8
    draws: int = 160
    healthy: float = 0.6
    memory: float = 0.2
    sweeps: int = 24
    name = "sequential"
    sequential = True

    def __post_init__(self) -> None:
        if self.islands < 4 or self.draws < 100 or self.draws % 2:
            raise ValueError(
                "expected islands >= 4 and an even number of draws >= 100, "
                f"got islands={self.islands}, draws={self.draws}"
            )

    def fit(
        self, density: LogDensity, data: TrainingData, *, rng: np.random.Generator, previous: Posterior | None = None
    ) -> Posterior:
        """The posterior carried on from ``previous``, or from exact draws of the prior.

        Actions: "reweighted"; "moved"; "retried" with more moves; "refitted" anew from the prior. A posterior that
        fails its checks after all of these is used with status "not_converged" and action "fell_back".
        """
        compiled_before = COMPILATIONS.seconds
        density.prepare()
        compiled = COMPILATIONS.seconds - compiled_before
        start = time.perf_counter()
        step = _Step.begin(density, data, previous, self.islands, self.draws, rng)
        evidence = step.evidence(step.log_ratio(1.0))
        report = InferenceReport(self.name, "reweighted", len(data.y), evidence_increment=evidence)
        possible = np.isfinite(step.after).any()
        posterior = self._reweighted(step, report) if previous is not None and possible else None
        if posterior is None:
            posterior = self._moved(step, report, rng)
        seconds = time.perf_counter() - start
        bulk = posterior.report.ess_bulk_min
        report = replace(
            posterior.report,
            seconds_compile=compiled,
            seconds_sample=seconds,
            ess_per_second=None if bulk is None else bulk / seconds,
        )
        return replace(posterior, report=report)

    def _reweighted(self, step: _Step, report: InferenceReport) -> Posterior | None:
        """The weighted population, unless its weights or its checks say that it must move."""
        weights = step.weights(1.0)
        importance = pareto_smoothed(weights.ravel())
        if importance is None or not importance.reliable or effective_draws(weights) < self.healthy * weights.size:
            return None
        report = with_convergence(replace(report, khat=importance.khat), resample(step.Q, weights), {})
        if report.status != "ok":
            return None
        return Posterior(step.density, step.data, step.Q, report, weights)

    def _moved(self, step: _Step, report: InferenceReport, rng: np.random.Generator) -> Posterior:
        """Resampled and moved until the checks pass; then anew from the prior; then as it is, and said so."""
        Q, logp, log_ratio = step.cross_bridge(rng)
        report = replace(report, evidence_increment=step.evidence(log_ratio))
        posterior = self._attempt(step, Q, logp, replace(report, action="moved"), self.sweeps, rng)
        if posterior.report.status == "not_converged":
            Q, logp = posterior.unconstrained, posterior.sample_stats["lp"]
            posterior = self._attempt(step, Q, logp, replace(report, action="retried"), 2 * self.sweeps, rng)
        if posterior.report.status == "not_converged":
            anew = _Step.begin(step.density, step.data, None, self.islands, self.draws, rng)
            Q, logp, _ = anew.cross_bridge(rng)
            posterior = self._attempt(step, Q, logp, replace(report, action="refitted"), 2 * self.sweeps, rng)
        if posterior.report.status != "ok":
            posterior = replace(posterior, report=replace(posterior.report, action="fell_back"))
        return posterior

    def _attempt(
        self, step: _Step, Q: np.ndarray, logp: np.ndarray, report: InferenceReport, most: int,
        rng: np.random.Generator,
    ) -> Posterior:  # fmt: skip
        if not np.isfinite(logp).any():
            failed = replace(report, status="failed", reason="no draw has a finite log density")
            return Posterior(step.density, step.data, Q, failed)
        moved = move(Q, logp, step.target(1.0), rng, least=4, most=most, memory=self.memory)
        report = with_convergence(report, moved.Q, {})
        if report.status == "ok" and not moved.reached:
            reason = f"proposals reach {moved.reach:.0%} of the posterior: its tails cannot be trusted; compare nuts"
            report = replace(report, status="not_converged", reason=reason)
        return Posterior(step.density, step.data, moved.Q, report, None, _statistics(moved))


@dataclass(frozen=True)
class _Step:
    """A population on its way from the old data to the new.

    Attributes
    ----------
    density, old, data
        The model, the data that the population knows, and the data that it is to know.
    Q, log_weights
        Draws (island, draw, Q) and normalised log weights (island, draw) under the old data.
    before, after
        Log densities (island, draw) given the old data and given the new.
    """

    density: LogDensity
    old: TrainingData | None
    data: TrainingData
    Q: np.ndarray
    log_weights: np.ndarray
    before: np.ndarray
    after: np.ndarray

    @classmethod
    def begin(
        cls, density: LogDensity, data: TrainingData, previous: Posterior | None, islands: int, draws: int,
        rng: np.random.Generator,
    ) -> _Step:  # fmt: skip
        """From a posterior's draws, or from the prior where there is none to go on from."""
        if previous is None or previous.report.status == "failed":
            Q, weights, old = density.prior_draws(islands * draws, rng), None, None
        else:
            Q, weights, old = previous.draws, previous.log_weights, previous.data
        Q = Q.reshape(islands, draws, -1)
        weights = np.full((islands, draws), -np.log(islands * draws)) if weights is None else weights
        step = cls(density, old, data, Q, weights, np.empty(0), np.empty(0))
        return replace(step, before=step._log_density(Q, old), after=step._log_density(Q, data))

    def log_ratio(self, share: float) -> float:
        """Log of how much the density's integral changes over a share of the way, as the draws estimate it."""
        return _log_sum(self.log_weights + share * self._increment())

    def evidence(self, log_ratio: float) -> float:
        """Log predictive density of the new outcomes given the old ones, in units of the loss, from the whole ratio."""
        known = 0.0 if self.old is None else len(self.old.y) * np.log(self.old.scale)
        return float(log_ratio - len(self.data.y) * np.log(self.data.scale) + known)

    def weights(self, share: float) -> np.ndarray:
        """Normalised log weights (island, draw) after a share of the way to the new density."""
        weights = self.log_weights + share * self._increment()
        return weights - _log_sum(weights)

    def target(self, share: float) -> _Bridge:
        """Log density after a share of the way, as a function of points (m, Q)."""
        return _Bridge(self, share)

    def cross_bridge(self, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, float]:
        """Draws (island, draw, Q) resampled for the new data, log densities (island, draw), and the log ratio."""
        step, share, log_ratio = self, 0.0, 0.0
        while share < 1.0:
            stride = _longest_stride(step, 1.0 - share)
            if stride is None:
                return step.Q, step.after, -np.inf
            log_ratio += step.log_ratio(stride)
            share = min(1.0, share + stride)
            Q = resample(step.Q, step.weights(stride))
            if share < 1.0:
                target = self.target(share)
                logp = target(Q.reshape(-1, Q.shape[2])).reshape(Q.shape[:2])
                Q = move(Q, logp, target, rng, least=_BRIDGE_SWEEPS, most=_BRIDGE_SWEEPS, memory=0.0).Q
            step = replace(
                step,
                Q=Q,
                log_weights=np.full(Q.shape[:2], -np.log(Q.shape[0] * Q.shape[1])),
                before=self._log_density(Q, self.old),
                after=self._log_density(Q, self.data),
            )
        return step.Q, step.after, log_ratio

    def _increment(self) -> np.ndarray:
        return np.where(np.isfinite(self.after), self.after - self.before, -np.inf)

    def _log_density(self, Q: np.ndarray, data: TrainingData | None) -> np.ndarray:
        X = self.data.X[:0] if data is None else data.X
        y = self.data.y[:0] if data is None else data.y
        return self.density.batch(Q.reshape(-1, Q.shape[2]), X, y).reshape(Q.shape[:2])


@dataclass(frozen=True)
class _Bridge:
    """Geometric path between the densities given the old and the new data."""

    step: _Step
    share: float

    def __call__(self, Q: np.ndarray) -> np.ndarray:
        """Log density (m,) at points (m, Q)."""
        new = self.step._log_density(Q[None], self.step.data)[0]
        if self.share < 1.0:
            old = self.step._log_density(Q[None], self.step.old)[0]
            new = np.where(np.isfinite(new), (1.0 - self.share) * old + self.share * new, -np.inf)
        return np.where(np.isnan(new), -np.inf, new)


def _longest_stride(step: _Step, rest: float) -> float | None:
    """How far to go so that the weights keep half of the population; None if no draw can go on."""
    if not np.isfinite(step.after).any():
        return None
    enough = _BRIDGE_SHARE * step.log_weights.size
    if effective_draws(step.weights(rest)) >= enough:
        return rest
    low, high = 0.0, rest
    for _ in range(30):
        middle = (low + high) / 2.0
        low, high = (middle, high) if effective_draws(step.weights(middle)) >= enough else (low, middle)
    return max(low, 1e-6)


def _log_sum(log_weights: np.ndarray) -> float:
    return float(np.asarray(logsumexp(log_weights)))


def _statistics(moved: Moved) -> dict[str, np.ndarray]:
    return {
        "lp": moved.logp,
        "acceptance_rate": np.full(moved.logp.shape, moved.acceptance),
        "n_steps": np.full(moved.logp.shape, moved.sweeps),
    }
