"""The sequential engine: a population of draws carried through the study instead of being sampled anew at each n.

Iterated batch importance sampling (Chopin 2002) with resample-move steps (Gilks and Berzuini 2001). New data multiply
the weights by the ratio of the joint densities; while the weights stay healthy the weighted draws are the posterior.
When they do not, the population is resampled and moved, over a bridge of intermediate densities if the step is long,
until the draws have forgotten where they came from.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from bayeshpo.inference.base import Engine
from bayeshpo.inference.compilation import Stopwatch
from bayeshpo.inference.density import LogDensity
from bayeshpo.inference.entry import draws_near_mode
from bayeshpo.inference.importance import effective_draws, pareto_smoothed
from bayeshpo.inference.moves import OFFERS, Moved, move
from bayeshpo.inference.posterior import Posterior, resample
from bayeshpo.inference.report import InferenceReport, checked, described
from bayeshpo.inference.step import Step, goes_on, uses_gradient
from bayeshpo.surrogates.base import TrainingData

# Sweeps at the end of a move at least.
_LEAST_SWEEPS = 3
# How much more a population that comes from the prior is moved: its tails have not been looked for yet. With 10 offers
# instead of 2 the upper tail of posteriordb's Poisson process came out right. Many trials leave few tails.
_CARE = 5
# Draws of each island that set out from the prior anew, and how they go.
_SCOUTS = 48
_SCOUT_SHARE = 0.25
_SCOUT_SWEEPS = 1


@dataclass(frozen=True)
class Sequential(Engine):
    """Population of draws in islands: reweighted, or resampled and moved, from trial to trial.

    The islands share what moves learn, so R-hat between them cannot see a part of the posterior that all of them
    missed. What the mixture's proposals do not reach is looked for apart (status "not_converged"); with more than
    twelve hyperparameters draws move along the gradient too, and count as having been everywhere once they have
    forgotten their start.

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
        Sweeps over all draws at most, five times as many where it comes from the prior to fewer than ``many`` trials; a
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
    has_evidence = True

    def __post_init__(self) -> None:
        if self.islands < 4 or self.draws < 100 or self.draws % 2:
            raise ValueError(
                "expected islands >= 4 and an even number of draws >= 100, "
                f"got islands={self.islands}, draws={self.draws}"
            )

    def prepare(self, density: LogDensity) -> None:
        """Compile now what moves need."""
        density.prepare()
        if uses_gradient(density):
            density.prepare_gradient()

    def fit(
        self, density: LogDensity, data: TrainingData, *, rng: np.random.Generator, previous: Posterior | None = None
    ) -> Posterior:
        """The posterior carried on from ``previous``, or entered anew.

        Actions: "reweighted"; "moved"; "retried" with more moves; "refitted" anew from the prior. A posterior that
        fails its checks after all of these is used with status "not_converged" and action "fell_back".
        """
        watch = Stopwatch()
        self.prepare(density)
        step = self._begun(density, data, previous, rng)
        evidence = step.evidence(step.log_ratio(1.0))
        report = InferenceReport(self.name, "reweighted", len(data.y), evidence_increment=evidence)
        possible = np.isfinite(step.after).any()
        keep = previous is not None and step.old is previous.data and possible and not step.is_due
        posterior = self._reweighted(step, report, watch) if keep else None
        if posterior is None:
            posterior = self._moved(step, report, watch, rng)
        report = posterior.report
        if report.status != "failed":
            with watch.diagnosing():
                report = described(report, posterior.equally_weighted)
        known, grown = step.known_evidence, report.evidence_increment
        if posterior.log_evidence is None and known is not None and grown is not None:
            posterior = replace(posterior, log_evidence=known + grown)
        return replace(posterior, report=replace(report, **watch.seconds()))

    def _begun(
        self, density: LogDensity, data: TrainingData, previous: Posterior | None, rng: np.random.Generator
    ) -> Step:
        many = len(data.y) >= self.many
        if many and not goes_on(previous, density):
            near = self._near_mode(density, data, 0.0, rng)
            if near is not None:
                return near
        step = Step.begin(density, data, previous, self.islands, self.draws, rng)
        if many and step.old is not None and step.is_far:
            before = draws_near_mode(step.former, step.old, self.islands * self.draws, rng)
            if before is not None:
                near = self._near_mode(density, data, before[1], rng)
                return step if near is None else replace(near, known_evidence=step.known_evidence)
        return step

    def _near_mode(
        self, density: LogDensity, data: TrainingData, known: float, rng: np.random.Generator
    ) -> Step | None:
        """Begun by draws of a Gaussian at the mode; ``known`` is the log evidence of data that are no news."""
        near = draws_near_mode(density, data, self.islands * self.draws, rng)
        if near is None:
            return None
        Q, evidence = near
        return Step.of_draws(density, data, Q.reshape(self.islands, self.draws, -1), evidence - known)

    def _reweighted(self, step: Step, report: InferenceReport, watch: Stopwatch) -> Posterior | None:
        """The weighted population, unless its weights or its checks say that it must move."""
        weights = step.weights(1.0)
        importance = pareto_smoothed(weights.ravel())
        if importance is None or not importance.reliable or effective_draws(weights) < self.healthy * weights.size:
            return None
        weighed = replace(report, khat=importance.khat, ess_importance=importance.effective)
        with watch.diagnosing():
            report = checked(weighed, resample(step.Q, weights), {})
        if report.status != "ok":
            return None
        return Posterior(step.density, step.data, step.Q, report, weights, {"lp": step.after})

    def _moved(self, step: Step, report: InferenceReport, watch: Stopwatch, rng: np.random.Generator) -> Posterior:
        """Resampled and moved until the checks pass; then anew from the prior; then as it is, and said so."""
        Q, logp, log_ratio = step.cross_bridge(rng)
        report = replace(report, evidence_increment=step.evidence(log_ratio))
        scouts = self._scouts(step, rng) if step.wants_scouts else None
        care = _CARE if step.old is None and len(step.data.y) < self.many else 1
        most, offers = care * self.sweeps, care * OFFERS
        moved, retried, refitted = (replace(report, action=action) for action in ("moved", "retried", "refitted"))
        posterior, offered = self._attempt(step, Q, logp, moved, most, offers, scouts, watch, rng)
        if posterior.report.status == "not_converged":
            Q, logp = posterior.unconstrained, posterior.sample_stats["lp"]
            lacking = offers - offered
            posterior, offered = self._attempt(step, Q, logp, retried, 2 * most, lacking, scouts, watch, rng)
            # More of the same is no help where proposals reach too little.
            if posterior.report.status == "not_converged" and offered >= lacking:
                anew = Step.begin(step.density, step.data, None, self.islands, self.draws, rng)
                Q, logp, _ = anew.cross_bridge(rng)
                posterior, _ = self._attempt(
                    step, Q, logp, refitted, 2 * _CARE * self.sweeps, _CARE * OFFERS, scouts, watch, rng
                )
        if posterior.report.status != "ok":
            posterior = replace(posterior, report=replace(posterior.report, action="fell_back"))
        return posterior

    def _scouts(self, step: Step, rng: np.random.Generator) -> np.ndarray:
        """A few draws (k, Q) for the new data that owe nothing to the population: they may know a mode that it lost."""
        sent = Step.begin(step.density, step.data, None, self.islands, _SCOUTS, rng)
        Q, _, _ = sent.cross_bridge(rng, _SCOUT_SWEEPS, _SCOUT_SHARE)
        return Q.reshape(-1, Q.shape[2])

    def _attempt(
        self, step: Step, Q: np.ndarray, logp: np.ndarray, report: InferenceReport, most: int, offers: float,
        scouts: np.ndarray | None, watch: Stopwatch, rng: np.random.Generator,
    ) -> tuple[Posterior, float]:  # fmt: skip
        """The population moved and checked, and how often its moves have offered all of the posterior."""
        if not np.isfinite(logp).any():
            failed = replace(report, status="failed", reason="no draw has a finite log density")
            return Posterior(step.density, step.data, Q, failed), 0.0
        moved = move(
            Q, logp, step.target(1.0), step.density.marginals, rng, least=_LEAST_SWEEPS, most=most, memory=self.memory,
            offers=offers, scouts=scouts, trajectories=step.trajectories,
        )  # fmt: skip
        with watch.diagnosing():
            report = checked(report, moved.Q, {})
        if report.status == "ok" and moved.offered < offers:
            reach = f"{moved.offered / moved.sweeps:.1%}"
            reason = f"proposals reach {reach} of the posterior a sweep: its tails cannot be trusted; compare nuts"
            report = replace(report, status="not_converged", reason=reason)
        integral = moved.log_integral if step.has_news else None
        whole = None if integral is None else integral - step.data.log_unit
        if whole is not None and step.known_evidence is not None:
            # What the bridge has cost is no evidence for it: its draws had not quite arrived at each of its piers.
            report = replace(report, evidence_increment=whole - step.known_evidence)
        return Posterior(step.density, step.data, moved.Q, report, None, _statistics(moved), whole), moved.offered


def _statistics(moved: Moved) -> dict[str, np.ndarray]:
    return {
        "lp": moved.logp,
        "n_steps": np.full(moved.logp.shape, moved.sweeps),
    }
