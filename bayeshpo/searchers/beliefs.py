"""What a Bayesian searcher believes given a history: posteriors of all that it models, and what follows from them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from bayeshpo.aims import LIKELY
from bayeshpo.history import History
from bayeshpo.maximizers import Maximizer
from bayeshpo.pareto import lowest
from bayeshpo.randomness import Streams
from bayeshpo.searchers.base import best_observed, next_index
from bayeshpo.searchers.fits import Fits, unforeseen
from bayeshpo.searchers.objectives import CHOICE_DRAWS, AcquisitionOverDraws
from bayeshpo.searchers.parts import Parts
from bayeshpo.trial import Trial

if TYPE_CHECKING:
    from bayeshpo.acquisitions.base import Acquisition
    from bayeshpo.acquisitions.constraints import Constraints
    from bayeshpo.acquisitions.cost import Cost
    from bayeshpo.acquisitions.feasibility import Feasibility
    from bayeshpo.acquisitions.outlook import Evidence
    from bayeshpo.acquisitions.remaining import Remaining
    from bayeshpo.inference.posterior import Posterior

# Posterior means that are nearer to each other than this, in standardised losses, differ by rounding.
_EQUAL = 1e-9
# Draws of the hyperparameters that functions are drawn under, and how many under each, to see how low f may be.
_DRAWS, _FUNCTIONS = 128, 16


class Beliefs:
    """Functions of a history and its streams; what is kept between calls only saves time.

    Parameters
    ----------
    parts
        Surrogates, acquisition and engine.
    maximizer
        Whose pool of points minima are looked for in.
    """

    def __init__(self, parts: Parts, maximizer: Maximizer) -> None:
        self._parts, self._maximizer = parts, maximizer
        # Of the value (None) and of metrics.
        self._fits: dict[str | None, Fits] = {}
        # What follows from the newest posterior of the value, by what it is.
        self._beside: dict[str, tuple[Posterior, Any]] = {}

    def posterior(self, history: History, rng: Streams, metric: str | None = None) -> Posterior:
        """Of the value's surrogate, or of a metric's, given all trials."""
        if metric not in self._fits:
            self._fits[metric] = Fits(self._parts.surrogate, self._parts.engine, metric)
        return self._fits[metric].posterior(history, rng)

    def foresight(self, history: History, rng: Streams) -> dict[str, Any]:
        """What the fit before said of the trials since; entries of the row of the first fit that has seen them.

        Of the newest, and where several were told, of those before it as "ahead_earlier", with the same entries; of
        each metric the same under its name.

        To be asked for before `posterior`: a run that goes on from its records fits anew what is asked for.
        """
        found = unforeseen(history)
        if found is None:
            return {}
        earlier, new = found
        row = _foreseen(self.posterior(earlier, rng), history, new)
        for metric in history.aims.metrics:
            said = _foreseen(self.posterior(earlier, rng, metric), history.of(metric), new)
            row |= {f"{metric}_{name}": value for name, value in said.items()}
        return row

    def objectives(self, history: History, rng: Streams) -> Any:
        """The posterior of the value, or where there are further objectives of all of them, `ObjectivesPosterior`."""
        posterior = self.posterior(history, rng)
        if not history.aims.objectives:
            return posterior
        from bayeshpo.inference.objectives import ObjectivesPosterior

        def joined() -> ObjectivesPosterior:
            metrics = (self.posterior(history, rng, metric) for metric in history.aims.objectives)
            return ObjectivesPosterior((posterior, *metrics))

        return self._once("objectives", posterior, joined)

    def evidence(self, history: History, rng: Streams) -> Evidence:
        """What is known when the next configuration is chosen."""
        from bayeshpo.acquisitions.outlook import Evidence

        functions = rng.generator("functions", next_index(history))
        pool = self._maximizer.pool(history.space, best_points(history), functions)
        posterior = self.objectives(history, rng)
        return Evidence.of(
            predictive_under(posterior), posterior, pending_points(history), CHOICE_DRAWS,
            self._feasibility(history, rng), constraints=self._constraints(history, rng), cost=self._cost(history, rng),
            pool=pool, seed=int(functions.integers(2**32)), draws_pending=self.acquisition(history).draws_pending,
        )  # fmt: skip

    def acquisition(self, history: History) -> Acquisition:
        """Of the next proposal."""
        acquisition = self._parts.acquisition(history.aims)
        return acquisition.when_pending(self._parts.surrogate(history)) if history.pending else acquisition

    def objective(self, history: History, rng: Streams) -> AcquisitionOverDraws:
        """What the next proposal maximises."""
        from bayeshpo.acquisitions.compiled import compiled_acquisition

        posterior = self.objectives(history, rng)
        compiled = compiled_acquisition(self.acquisition(history), predictive_under(posterior))
        return AcquisitionOverDraws(compiled, posterior, self.evidence(history, rng))

    def best(self, history: History, rng: Streams, known: np.ndarray | None = None) -> list[Trial]:
        """The finished trials of lowest posterior mean, one unless there are several objectives.

        Of those that are probably within all limits, or of the likeliest where none is. The means (n,) or (n, K) may be
        known already; they are of the f that acquisitions are about, so that of one whose scale is learnt they stand
        for medians. Where values are the true ones, those observed as best: a mean is off where the model is.
        """
        if history.knows_best:
            observed = best_observed(history)
            return observed if history.aims.objectives else observed[:1]
        posterior = self.objectives(history, rng)

        def found() -> list[Trial]:
            mean = predictive_under(posterior).normal.fitted(posterior, CHOICE_DRAWS) if known is None else known
            chance = self._constraints(history, rng).log_probability(posterior.data.X)
            within = np.flatnonzero(chance >= min(LIKELY, chance.max()))
            finished = [t for t in history.trials if t.finished]
            return [finished[within[i]] for i in lowest(mean[within], _EQUAL)]

        return self._once("best", self.posterior(history, rng), found)

    def remaining(self, history: History, rng: Streams) -> Remaining | None:
        """Where the optimum may be, how good, and how far the recommendation is from it, in the problem's own units.

        None where a surrogate does not say how f at one point belongs together with f at another (`is_joint`), and
        while no trial is probably within all limits: there is no regret then.
        """
        from bayeshpo.acquisitions.outlook import Outlook
        from bayeshpo.acquisitions.remaining import remaining
        from bayeshpo.inference.joint import JointPredictive

        posterior = self.posterior(history, rng)
        if not posterior.density.surrogate.is_joint:
            return None

        def found() -> Remaining | None:
            evidence, of = self.evidence(history, rng), predictive_under(posterior)
            if not evidence.eligible.any():
                return None
            # The trials' posterior: what is believed of pending and failed ones is for the next proposal alone.
            draws = of.normal.condition(posterior.thinned(_DRAWS), posterior.data)
            functions = rng.generator("remaining regret", len(history))
            outlook = Outlook(JointPredictive(of.normal, noise=False), draws, evidence, functions)
            best = history.space.encode([self.best(history, rng)[0].configuration])[0]
            standardised, data = remaining(of, outlook, best, _FUNCTIONS), posterior.data
            value = history.sign * (data.location + data.scale * standardised.value)
            return replace(standardised, value=value, regret=data.scale * standardised.regret)

        return self._once("remaining", posterior, found)

    def _constraints(self, history: History, rng: Streams) -> Constraints:
        """Which configurations keep to the limits."""
        from bayeshpo.acquisitions.constraints import Constraint, Constraints

        def fitted() -> Constraints:
            limited = history.aims.constraints.items()
            return Constraints(
                [Constraint(self.posterior(history, rng, m), limits, history.of(m).sign) for m, limits in limited]
            )

        return self._once("constraints", self.posterior(history, rng), fitted)

    def _cost(self, history: History, rng: Streams) -> Cost | None:
        """What trials cost, for an acquisition that asks."""
        if not self._parts.acquisition(history.aims).per_second:
            return None
        from bayeshpo.acquisitions.cost import Cost

        def fitted() -> Cost:
            return Cost.of(history, rng.generator("cost", len(history)))

        return self._once("cost", self.posterior(history, rng), fitted)

    def _feasibility(self, history: History, rng: Streams) -> Feasibility:
        """Which configurations finish."""
        from bayeshpo.acquisitions.feasibility import Feasibility

        posterior = self.posterior(history, rng)

        def fitted() -> Feasibility:
            return Feasibility.of(posterior.data, posterior.density.columns, rng.generator("feasibility", len(history)))

        return self._once("feasibility", posterior, fitted)

    def _once(self, about: str, posterior: Posterior, make: Callable[[], Any]) -> Any:
        """What follows from a posterior, made once for its trials however many proposals it makes."""
        if about not in self._beside or self._beside[about][0] is not posterior:
            self._beside[about] = posterior, make()
        return self._beside[about][1]


def _foreseen(before: Posterior, history: History, new: np.ndarray) -> dict[str, Any]:
    """What a posterior said of new trials, given by their places among all, that have a value."""
    from bayeshpo.inference.foresight import foresee

    new = new[history.finished[new]]
    if before.report.status == "failed" or not len(new):
        return {}
    said = foresee(before, history.X[new], history.losses[new], history.standard_errors[new])
    if said is None:
        return {}
    rows = [
        {"ahead_trial": history.trials[i].suggestion.index, **one.to_row()} for i, one in zip(new, said, strict=True)
    ]
    return rows[-1] | ({"ahead_earlier": rows[:-1]} if len(rows) > 1 else {})


def predictive_under(posterior: Any) -> Any:
    """The predictive of what a posterior is of."""
    from bayeshpo.inference.predictive import predictive

    return predictive(posterior.density)


def best_points(history: History) -> np.ndarray:
    """Up to five finished trials of lowest loss (k, D); of several objectives, spread over the observed Pareto set."""
    if history.aims.objectives and history.pareto_set:
        front = history.space.encode(t.configuration for t in history.pareto_set)
        return front[np.unique(np.linspace(0, len(front) - 1, 5).astype(int))]
    order = np.argsort(np.where(history.finished, history.losses, np.inf), kind="stable")
    return history.X[order[: min(5, int(history.finished.sum()))]]


def pending_points(history: History) -> np.ndarray:
    """Pending points (n, D)."""
    return history.space.encode(s.configuration for s in history.pending)
