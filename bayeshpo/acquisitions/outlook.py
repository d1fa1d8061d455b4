"""What an acquisition may look at before any candidate: the trials, the draws, and where each draw's minimum may be."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from bayeshpo.acquisitions.constraints import Constraints
from bayeshpo.acquisitions.cost import Cost
from bayeshpo.acquisitions.feasibility import Feasibility
from bayeshpo.aims import LIKELY
from bayeshpo.inference.joint import JointPredictive
from bayeshpo.inference.joint_objectives import JointObjectives
from bayeshpo.inference.posterior import Posterior
from bayeshpo.inference.predictive import Predictive
from bayeshpo.inference.stacked_posterior import StackedPosterior
from bayeshpo.inference.stacked_predictive import StackedData
from bayeshpo.surrogates.base import TrainingData

# Points at which a draw's function is drawn jointly to see where its minimum is: those of the pool that may be lowest.
_MAY_BE_LOWEST = 192
# How far below its mean, in standard deviations, a point is held to be possible.
_POSSIBLE = 2.0


@dataclass(frozen=True, eq=False)
class Evidence:
    """What is known of the problem when the next configuration is chosen.

    Attributes
    ----------
    data
        Finished trials with their standardised losses, and failed ones.
    believed_X, believed_y
        Points without a loss, where a further trial would tell nothing new, and what the surrogate expects there
        (m, D), (m,) or of several objectives (m, K): the draws are conditioned on them too.
    feasibility, constraints, cost
        Which configurations finish, and keep to their limits, and what they cost.
    hoped
        How many of these points, the last of them, are pending: their trials may still become the best. Failed ones
        are never incumbents.
    pending
        Points (p, D) of trials whose outcome is not believed to be anything: functions are drawn there.
    pool
        Legal points (c, D) among which the minimum of the function is looked for; beside the finished trials.
    seed
        Of what is drawn of the latent function: the same for all candidates.
    """

    data: TrainingData
    believed_X: np.ndarray
    believed_y: np.ndarray
    feasibility: Feasibility = field(default_factory=Feasibility)
    constraints: Constraints = field(default_factory=Constraints)
    cost: Cost = field(default_factory=Cost)
    pending: np.ndarray | None = None
    pool: np.ndarray | None = None
    seed: int = 0
    hoped: int = 0

    @classmethod
    def of(
        cls,
        predictive: Predictive,
        posterior: Posterior | StackedPosterior,
        pending: np.ndarray,
        draws: int,
        feasibility: Feasibility,
        constraints: Constraints | None = None,
        cost: Cost | None = None,
        draws_pending: bool = False,
        pool: np.ndarray | None = None,
        seed: int = 0,
    ) -> Evidence:
        """The trials of a posterior; failed points are believed to come out at their mean.

        So are pending ones (p, D), unless functions are to be drawn there.
        """
        data = posterior.data
        points = data.failed if draws_pending else np.concatenate([data.failed, pending])
        none = np.empty((0, *predictive.objectives))
        values = predictive.at(posterior, points, draws)[0].mean(axis=0) if len(points) else none
        apart, hoped = (pending, 0) if draws_pending else (None, len(pending))
        return cls(
            data, points, values, feasibility, constraints or Constraints(), cost or Cost(), apart, pool, seed, hoped
        )

    @cached_property
    def eligible(self) -> np.ndarray:
        """Which finished trials are more likely than not within all limits (n,)."""
        return self.constraints.log_probability(self.data.X) >= LIKELY

    @property
    def counting(self) -> np.ndarray:
        """Those (n,); all while none is."""
        return self.eligible if self.eligible.any() else np.ones_like(self.eligible)

    @cached_property
    def candidates(self) -> np.ndarray:
        """Points (c, D) that the minimum may be at: tried ones and the pool's, that probably finish within limits."""
        points = self.data.X if self.pool is None else np.concatenate([self.data.X, self.pool])
        points = np.unique(points, axis=0)
        likely = points[self.log_probability(points) >= LIKELY]
        return likely if len(likely) else points

    def incumbents(self, fitted: np.ndarray) -> np.ndarray:
        """Of means at all that draws were conditioned on, those at finished trials and at pending ones (S, n + p)."""
        return np.concatenate([fitted[:, : len(self.data.y)], fitted[:, fitted.shape[1] - self.hoped :]], axis=1)

    def conditions(self, of: Predictive) -> Any:
        """What draws are conditioned on, the same for all: the trials and what is believed."""
        return of.believing(self.data, self.believed_X, self.believed_y)

    def log_probability(self, Z: np.ndarray) -> np.ndarray:
        """log probability (m,) that a trial at Z (m, D) finishes, within all limits."""
        return self.feasibility.log_probability(Z) + self.constraints.log_probability(Z)

    def log_factor(self, Z: np.ndarray) -> np.ndarray:
        """log (m,) of what an acquisition's value at Z (m, D) is multiplied by."""
        return self.log_probability(Z) - self.cost.log_cost(Z)

    def log_factor_with_gradient(self, Z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The same with its gradient (m, D)."""
        finishes, by_finishing = self.feasibility.with_gradient(Z)
        within, by_within = self.constraints.with_gradient(Z)
        cost, by_cost = self.cost.with_gradient(Z)
        return finishes + within - cost, by_finishing + by_within - by_cost

    def to_row(self) -> dict[str, Any]:
        """The fits behind it, as entries of a row of inference."""
        return self.feasibility.to_row() | self.cost.to_row()


@dataclass(frozen=True, eq=False)
class Minima:
    """Where functions that were drawn are lowest, and how low: R of each draw of the hyperparameters.

    Attributes
    ----------
    place, value
        (S, R, D), (S, R).
    paths
        Values (S, R, R) of each function at the places of all functions of its draw.
    """

    place: np.ndarray
    value: np.ndarray
    paths: np.ndarray


@dataclass(frozen=True, eq=False)
class Outlook:
    """Draws of the hyperparameters, conditioned on the evidence.

    Attributes
    ----------
    joint, draws, evidence
        What says of f, the conditioned draws, and what they are conditioned on.
    rng
        Of what is drawn of the latent function.
    drawn
        What the draws say of f at the finished trials and at pending ones (S, n + p), where functions were drawn at the
        latter; of several objectives (S, n + p, K).
    """

    joint: JointPredictive | JointObjectives
    draws: Any
    evidence: Evidence
    rng: np.random.Generator
    drawn: np.ndarray | None = None

    @property
    def tried(self) -> np.ndarray:
        """Mean (S, n) of f at the finished trials under each draw; of several objectives (S, n, K)."""
        return self.draws.fitted[:, : len(self.evidence.data.y)]

    @property
    def incumbents(self) -> np.ndarray:
        """The same at all that may be the best trial: finished ones, and pending ones (S, n + p).

        Without the latter the next one would be proposed beside them, for what they bring.
        """
        return self.evidence.incumbents(self.draws.fitted) if self.drawn is None else self.drawn

    @property
    def within(self) -> np.ndarray:
        """Which of these are more likely than not within all limits (n + p,); pending ones are held to be."""
        eligible = self.evidence.eligible
        return np.append(eligible, np.ones(self.incumbents.shape[1] - len(eligible), dtype=bool))

    def incumbent(self, values: np.ndarray) -> np.ndarray:
        """Lowest of the incumbents' values (S, n + p) within all limits (S,).

        While no finished trial is, that of the worst one and a standard deviation of the losses more: anything within
        is better.
        """
        eligible = self.evidence.eligible
        return values[:, self.within].min(axis=1) if eligible.any() else values[:, : len(eligible)].max(axis=1) + 1.0

    @property
    def observed(self) -> np.ndarray:
        """Standardised losses (n, K) of all objectives, of the finished trials within all limits; of all if none is."""
        data = self.evidence.data
        losses = np.column_stack([member.y for member in (data.members if isinstance(data, StackedData) else (data,))])
        return losses[self.evidence.counting]

    def anchored(self, anchors: np.ndarray) -> Any:
        """The draws with anchors (S, a, D)."""
        return self.joint.anchored(self.draws, anchors)

    def possible(self, points: np.ndarray, count: int) -> np.ndarray:
        """Those points (S, count, D) that may be lowest, under each draw, by mean less two standard deviations.

        The first is the one that is surest to be low, by its mean and two standard deviations: where little is known
        many others may be lower, and the lowest of these alone could come out above what has been seen.
        """
        mean, variance = self.joint.predictive(self.draws, points)
        reach = _POSSIBLE * np.sqrt(variance)
        lower = mean - reach
        np.put_along_axis(lower, (mean + reach).argmin(axis=1)[:, None], -np.inf, axis=1)
        return points[np.argsort(lower, axis=1)[:, :count]]

    @property
    def no_anchors(self) -> np.ndarray:
        """(S, 0, D)."""
        return np.empty((len(self.draws.fitted), 0, self.evidence.data.X.shape[1]))

    @property
    def pending(self) -> np.ndarray:
        """Points (S, p, D) of trials at which functions are to be drawn, for each draw."""
        pending = self.evidence.pending
        return self.no_anchors if pending is None else np.tile(pending, (len(self.draws.fitted), 1, 1))

    def where_finishing(self, f: np.ndarray) -> np.ndarray:
        """Functions at the pending trials (S, R, p), infinite where one is drawn to fail or to be beyond a limit.

        As often as that is likely: it is nothing to improve on then. Of several objectives (S, R, p, K).
        """
        chance = np.exp(self.evidence.log_probability(self.pending[0]))
        finishing = self.rng.random(f.shape[:3]) < chance
        return np.where(finishing.reshape(*finishing.shape, *(1,) * (f.ndim - 3)), f, np.inf)

    @property
    def may_be_lowest(self) -> np.ndarray:
        """Candidates (S, a, D) that may be lowest."""
        return self.possible(self.evidence.candidates, _MAY_BE_LOWEST)

    def minima(self, count: int) -> Minima:
        """Exact joint draws of f at the points that may be lowest, and where they are so; ``count`` of each draw."""
        anchored = self.anchored(self.may_be_lowest)
        paths = anchored.paths(count, self.rng)
        lowest = paths.argmin(axis=2)
        there = np.take_along_axis(paths, lowest[:, None, :], axis=2)
        place = np.take_along_axis(anchored.anchors, lowest[:, :, None], axis=1)
        return Minima(place, np.diagonal(there, axis1=1, axis2=2), there)
