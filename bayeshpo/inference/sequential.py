"""The sequential engine: a population of draws carried through the study instead of being sampled anew at each n.

Iterated batch importance sampling (Chopin 2002) with resample-move steps (Gilks and Berzuini 2001). New data multiply
the weights by the ratio of the joint densities; while the weights stay healthy the weighted draws are the posterior.
When they do not, the population is resampled and moved, over a bridge of intermediate densities if the step is long,
until the draws have forgotten where they came from.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace

import numpy as np

from bayeshpo.inference.base import Engine
from bayeshpo.inference.compilation import COMPILATIONS
from bayeshpo.inference.density import LogDensity
from bayeshpo.inference.entry import draws_near_mode
from bayeshpo.inference.hamiltonian import Trajectories
from bayeshpo.inference.importance import effective_draws, pareto_smoothed
from bayeshpo.inference.log_sum_exp import log_sum_exp
from bayeshpo.inference.moves import OFFERS, Moved, move
from bayeshpo.inference.posterior import Posterior, resample
from bayeshpo.inference.report import InferenceReport, with_convergence
from bayeshpo.surrogates.base import TrainingData

# Share of the population that a step of the bridge may cost, the sweeps after each, and those at the end at least.
_BRIDGE_SHARE = 0.5
_BRIDGE_SWEEPS = 2
_LEAST_SWEEPS = 3
# How much more a population that comes from the prior is moved: its tails have not been looked for yet. With 10 offers
# instead of 2 the upper tail of posteriordb's Poisson process came out right. Many trials leave few tails.
_CARE = 5
# A population moves, whatever its weights say, when the trials have grown by this factor.
_GROWTH = 1.25
# Draws of each island that set out from the prior anew, and how they go: for every move while trials are few, and the
# way is short; for those moves later.
_SCOUTS = 48
_FEW = 40
_SCOUT_SHARE = 0.25
_SCOUT_SWEEPS = 1
# A population of which the weights leave less than this share is nearer to the prior than to where it has to go.
_FAR_SHARE = 0.01
# With more hyperparameters than these, moves go along the density's gradient.
_MANY_HYPERPARAMETERS = 12


@dataclass(frozen=True)
class Sequential(Engine):
    """Population of draws in islands: reweighted, or resampled and moved, from trial to trial.

    The islands share what moves learn, so R-hat between them cannot see a part of the posterior that all of them
    missed. What the mixture's proposals do not reach is looked for apart (status "not_converged"); with more than
    twelve hyperparameters draws move along the gradient, and count as having been everywhere once they have forgotten
    their start.

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
        Moves of each draw at most, five times as many where it comes from the prior to fewer than ``many`` trials; a
        second attempt, if the checks fail, has twice as many.
    many
        From so many trials on, a study without a posterior to go on from, or with one that is far from the next, is
        entered by draws of a Gaussian at the mode, weighed and then moved, where k-hat says that it covers the
        posterior; else, as with fewer trials, by way of intermediate densities from what there is.
    """

    islands: int = 4
    draws: int = 288
    healthy: float = 0.6
    memory: float = 0.2
    sweeps: int = 24
    many: int = 100
    name = "sequential"
    sequential = True

    def __post_init__(self) -> None:
        if self.islands < 4 or self.draws < 100 or self.draws % 2:
            raise ValueError(
                "expected islands >= 4 and an even number of draws >= 100, "
                f"got islands={self.islands}, draws={self.draws}"
            )

    def prepare(self, density: LogDensity) -> None:
        """Compile now what moves need."""
        density.prepare()
        if density.dimension > _MANY_HYPERPARAMETERS:
            density.prepare_gradient()

    def fit(
        self, density: LogDensity, data: TrainingData, *, rng: np.random.Generator, previous: Posterior | None = None
    ) -> Posterior:
        """The posterior carried on from ``previous``, or entered anew.

        Actions: "reweighted"; "moved"; "retried" with more moves; "refitted" anew from the prior. A posterior that
        fails its checks after all of these is used with status "not_converged" and action "fell_back".
        """
        compiled_before = COMPILATIONS.seconds
        self.prepare(density)
        compiled = COMPILATIONS.seconds - compiled_before
        start = time.perf_counter()
        step = self._begun(density, data, previous, rng)
        evidence = step.evidence(step.log_ratio(1.0))
        report = InferenceReport(self.name, "reweighted", len(data.y), evidence_increment=evidence)
        possible = np.isfinite(step.after).any()
        keep = previous is not None and step.old is previous.data and possible and not step.is_due
        posterior = self._reweighted(step, report) if keep else None
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

    def _begun(
        self, density: LogDensity, data: TrainingData, previous: Posterior | None, rng: np.random.Generator
    ) -> _Step:
        step = _Step.begin(density, data, previous, self.islands, self.draws, rng)
        if len(data.y) < self.many or not (step.old is None or step.is_far):
            return step
        return self._near_mode(step, rng) or step

    def _near_mode(self, step: _Step, rng: np.random.Generator) -> _Step | None:
        """The step begun by draws of a Gaussian at the mode of its end, which owe nothing to the population."""
        known = 0.0
        if step.old is not None:
            before = draws_near_mode(step.former, step.old, self.islands * self.draws, rng)
            if before is None:
                return None
            _, known = before
        after = draws_near_mode(step.density, step.data, self.islands * self.draws, rng)
        if after is None:
            return None
        Q, evidence = after
        return _Step.of_draws(step.density, step.data, Q.reshape(self.islands, self.draws, -1), evidence - known)

    def _reweighted(self, step: _Step, report: InferenceReport) -> Posterior | None:
        """The weighted population, unless its weights or its checks say that it must move."""
        weights = step.weights(1.0)
        importance = pareto_smoothed(weights.ravel())
        if importance is None or not importance.reliable or effective_draws(weights) < self.healthy * weights.size:
            return None
        report = with_convergence(replace(report, khat=importance.khat), resample(step.Q, weights), {})
        if report.status != "ok":
            return None
        return Posterior(step.density, step.data, step.Q, report, weights, {"lp": step.after})

    def _moved(self, step: _Step, report: InferenceReport, rng: np.random.Generator) -> Posterior:
        """Resampled and moved until the checks pass; then anew from the prior; then as it is, and said so."""
        Q, logp, log_ratio = step.cross_bridge(rng)
        report = replace(report, evidence_increment=step.evidence(log_ratio))
        scouts = self._scouts(step, rng) if step.wants_scouts else None
        care = _CARE if step.old is None and len(step.data.y) < self.many else 1
        most, offers = care * self.sweeps, care * OFFERS
        moved, retried, refitted = (replace(report, action=action) for action in ("moved", "retried", "refitted"))
        posterior, offered = self._attempt(step, Q, logp, moved, most, offers, scouts, rng)
        if posterior.report.status == "not_converged":
            Q, logp = posterior.unconstrained, posterior.sample_stats["lp"]
            lacking = offers - offered
            posterior, offered = self._attempt(step, Q, logp, retried, 2 * most, lacking, scouts, rng)
            # More of the same is no help where proposals reach too little.
            if posterior.report.status == "not_converged" and offered >= lacking:
                anew = _Step.begin(step.density, step.data, None, self.islands, self.draws, rng)
                Q, logp, _ = anew.cross_bridge(rng)
                posterior, _ = self._attempt(
                    step, Q, logp, refitted, 2 * _CARE * self.sweeps, _CARE * OFFERS, scouts, rng
                )
        if posterior.report.status != "ok":
            posterior = replace(posterior, report=replace(posterior.report, action="fell_back"))
        return posterior

    def _scouts(self, step: _Step, rng: np.random.Generator) -> np.ndarray:
        """A few draws (k, Q) for the new data that owe nothing to the population: they may know a mode that it lost."""
        sent = _Step.begin(step.density, step.data, None, self.islands, _SCOUTS, rng)
        Q, _, _ = sent.cross_bridge(rng, _SCOUT_SWEEPS, _SCOUT_SHARE)
        return Q.reshape(-1, Q.shape[2])

    def _attempt(
        self, step: _Step, Q: np.ndarray, logp: np.ndarray, report: InferenceReport, most: int, offers: float,
        scouts: np.ndarray | None, rng: np.random.Generator,
    ) -> tuple[Posterior, float]:  # fmt: skip
        """The population moved and checked, and how often its moves have offered all of the posterior."""
        if not np.isfinite(logp).any():
            failed = replace(report, status="failed", reason="no draw has a finite log density")
            return Posterior(step.density, step.data, Q, failed), 0.0
        moved = move(
            Q, logp, step.target(1.0), step.density.marginals, rng, least=_LEAST_SWEEPS, most=most, memory=self.memory,
            offers=offers, scouts=scouts, trajectories=step.trajectories,
        )  # fmt: skip
        report = with_convergence(report, moved.Q, {})
        if report.status == "ok" and moved.offered < offers:
            reach = f"{moved.offered / moved.sweeps:.1%}"
            reason = f"proposals reach {reach} of the posterior a sweep: its tails cannot be trusted; compare nuts"
            report = replace(report, status="not_converged", reason=reason)
        return Posterior(step.density, step.data, moved.Q, report, None, _statistics(moved)), moved.offered


@dataclass(frozen=True)
class _Step:
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
    pace: Trajectories = field(default_factory=Trajectories)

    @classmethod
    def of_draws(cls, density: LogDensity, data: TrainingData, Q: np.ndarray, evidence: float) -> _Step:
        """From equally weighted draws (island, draw, Q) that know the data already, and the data's log evidence."""
        weights, logp = np.full(Q.shape[:2], -np.log(Q.shape[0] * Q.shape[1])), _log_density(density, Q, data)
        return cls(density, data, density, data, Q, weights, logp, logp, evidence)

    @classmethod
    def begin(
        cls, density: LogDensity, data: TrainingData, previous: Posterior | None, islands: int, draws: int,
        rng: np.random.Generator,
    ) -> _Step:  # fmt: skip
        """From a posterior's draws, or from the prior where there is none to go on from."""
        if previous is None or previous.report.status == "failed" or previous.density.blocks != density.blocks:
            Q, weights, former, old = density.prior_draws(islands * draws, rng), None, density, None
        else:
            Q, weights, former, old = previous.draws, previous.log_weights, previous.density, previous.data
        Q = Q.reshape(islands, draws, -1)
        weights = np.full((islands, draws), -np.log(islands * draws)) if weights is None else weights
        step = cls(density, data, former, old, Q, weights, np.empty(0), np.empty(0))
        known = None if old is None or previous is None else previous.sample_stats.get("lp")
        return replace(step, before=step._before(Q) if known is None else known, after=step._after(Q))

    @property
    def known(self) -> TrainingData:
        """The data that the population knows: none where it comes from the prior."""
        return self.former.no_data if self.old is None else self.old

    @property
    def trajectories(self) -> Trajectories | None:
        """Moves along the gradient, where hyperparameters are many."""
        return self.pace if self.density.dimension > _MANY_HYPERPARAMETERS else None

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

    def target(self, share: float) -> _Bridge:
        """Log density after a share of the way, as a function of points (m, Q)."""
        return _Bridge(self, share)

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
class _Bridge:
    """Geometric path between the densities given the old and the new data."""

    step: _Step
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


def _longest_stride(step: _Step, rest: float, share: float) -> float | None:
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


def _statistics(moved: Moved) -> dict[str, np.ndarray]:
    return {
        "lp": moved.logp,
        "n_steps": np.full(moved.logp.shape, moved.sweeps),
    }
