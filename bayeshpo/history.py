"""History: all of a study so far, with the arrays that searchers use. Frozen."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

from bayeshpo.aims import Aims, Direction, sign_of
from bayeshpo.elapsed import elapsed
from bayeshpo.pareto import non_dominated
from bayeshpo.space import SearchSpace
from bayeshpo.trial import Suggestion, Trial


@dataclass(frozen=True)
class History:
    """All trials of a study so far, with the arrays that searchers use. Losses are always minimised.

    Attributes
    ----------
    space, direction
        The search space, and the direction of the trials' values. It is turned here, once.
    trials
        Finished, stopped, censored and failed trials, in the order in which they were told.
    pending
        Suggestions that were asked for and not yet told.
    aims
        What the study aims at beside the value.
    noisy
        Whether values may differ from the true ones; if not, the best observed trial is the best one.
    """

    space: SearchSpace
    direction: Direction = "minimize"
    trials: tuple[Trial, ...] = ()
    pending: tuple[Suggestion, ...] = ()
    aims: Aims = field(default_factory=Aims)
    noisy: bool = True

    def __len__(self) -> int:
        return len(self.trials)

    @property
    def sign(self) -> float:
        """Loss = sign x value."""
        return sign_of(self.direction)

    def add(self, trial: Trial) -> History:
        """A new history with one trial more; its suggestion is no longer pending."""
        pending = tuple(s for s in self.pending if s.index != trial.suggestion.index)
        longer = replace(self, trials=(*self.trials, trial), pending=pending)
        # In a long study, what is known of the trials before is not found out anew for each.
        alone = replace(self, trials=(trial,), pending=())
        for name in ("losses", "finished", "failed", "within"):
            if name in vars(self):
                vars(longer)[name] = np.append(vars(self)[name], getattr(alone, name))
        return longer

    def with_pending(self, suggestions: Iterable[Suggestion]) -> History:
        """A new history with suggestions more that are pending, and all that is known of the trials."""
        longer = replace(self, pending=(*self.pending, *suggestions))
        vars(longer).update({name: known for name, known in vars(self).items() if name not in vars(longer)})
        return longer

    def after(self, n: int) -> History:
        """As it was as soon as the first n trials had been told, with what was pending then."""
        pending = tuple(s for s in self.suggestions[n:] if s.known < n)
        return replace(self, trials=self.trials[:n], pending=pending)

    @property
    def suggestions(self) -> tuple[Suggestion, ...]:
        """Those of all trials, and after them those that are pending."""
        return (*(t.suggestion for t in self.trials), *self.pending)

    @cached_property
    def X(self) -> np.ndarray:
        """Points of all trials (n, D)."""
        return self.space.encode(t.configuration for t in self.trials)

    @cached_property
    def losses(self) -> np.ndarray:
        """Losses of all trials (n,); NaN where a trial has no value."""
        return np.array([np.nan if t.value is None else self.sign * t.value for t in self.trials])

    @cached_property
    def finished(self) -> np.ndarray:
        """Which trials have a value (n,)."""
        return np.array([t.finished for t in self.trials], dtype=bool)

    @cached_property
    def failed(self) -> np.ndarray:
        """Which trials failed (n,); those that were stopped or are censored did not."""
        return np.array([t.failed for t in self.trials], dtype=bool)

    @cached_property
    def taken_up(self) -> np.ndarray:
        """Which trials were stopped and their trainings taken up by later trials, which say all that is known (n,)."""
        continued = {t.suggestion.continues for t in self.trials}
        return np.array([t.suggestion.index in continued for t in self.trials], dtype=bool)

    @cached_property
    def stopped(self) -> np.ndarray:
        """Which trials were stopped, and nobody has taken up their trainings (n,)."""
        return np.array([t.stopped for t in self.trials], dtype=bool) & ~self.taken_up

    @property
    def awaiting(self) -> list[Trial]:
        """The stopped trials of trainings that nobody is about to take up either."""
        awaited = {s.continues for s in self.pending}
        stopped = (self.trials[i] for i in np.flatnonzero(self.stopped))
        return [t for t in stopped if t.suggestion.index not in awaited]

    @cached_property
    def shares(self) -> np.ndarray:
        """Which share of a training each trial has done (n,)."""
        reached = [_reached(t) for t in self.trials]
        place = {t.suggestion.index: i for i, t in enumerate(self.trials)}
        begun = [0.0 if t.suggestion.continues is None else reached[place[t.suggestion.continues]] for t in self.trials]
        return np.array(reached) - np.array(begun)

    @cached_property
    def bounds(self) -> np.ndarray:
        """What the losses of censored trials are at least (n,); NaN where a trial carries no bound."""
        bounds = (t.outcome.bound for t in self.trials)
        return np.array([np.nan if b is None else self.sign * b for b in bounds])

    @cached_property
    def curves(self) -> tuple[np.ndarray, ...]:
        """Fidelities and losses along each trial's training (n arrays (k, 2)), without what came at its very end."""
        turn = np.array([1.0, self.sign])
        points = ([p for p in t.outcome.curve if p[0] < 1.0] for t in self.trials)
        return tuple(np.array(p, dtype=float).reshape(-1, 2) * turn for p in points)

    @cached_property
    def gradients(self) -> np.ndarray:
        """Derivatives of the losses by unit-cube coordinate (n, D); NaN where a trial carries none."""
        G = np.full((len(self.trials), self.space.dimension), np.nan)
        for i, trial in enumerate(self.trials):
            for name, slope in (trial.outcome.gradient or {}).items():
                G[i, self.space.names.index(name)] = self.sign * slope
        return G

    @cached_property
    def standard_errors(self) -> np.ndarray:
        """Standard errors of the losses (n,); NaN where a trial carries none."""
        errors = (t.outcome.standard_error for t in self.trials)
        return np.array([np.nan if e is None else e for e in errors])

    @property
    def work(self) -> float:
        """What all trials cost, in the problem's own unit."""
        return sum(t.outcome.work for t in self.trials)

    @property
    def seconds(self) -> float:
        """What all trials took: proposing and evaluating them, by the clock (`bayeshpo.elapsed`)."""
        suggestions = [t.suggestion for t in self.trials]
        ended = elapsed(
            [s.index for s in suggestions], [s.told for s in suggestions], [s.seconds for s in suggestions],
            [t.outcome.seconds for t in self.trials],
        )  # fmt: skip
        return float(ended[-1]) if len(ended) else 0.0

    def of(self, metric: str) -> History:
        """The history that a study of a metric alone would have, in the metric's own direction."""
        trials = tuple(Trial(t.suggestion, t.outcome.of_metric(metric)) for t in self.trials)
        return replace(self, direction=self.aims.objectives.get(metric, "minimize"), trials=trials, aims=Aims())

    @cached_property
    def within(self) -> np.ndarray:
        """Which trials have a value, and metrics within all limits (n,)."""
        within = self.finished.copy()
        for metric, limits in self.aims.constraints.items():
            within &= limits.allow(np.array([t.outcome.metrics.get(metric, np.nan) for t in self.trials]))
        return within

    @cached_property
    def objectives(self) -> np.ndarray:
        """Losses of all objectives (n, K), the value's first; NaN where a trial has none."""
        return np.column_stack([self.losses, *(self.of(metric).losses for metric in self.aims.objectives)])

    @property
    def incumbent(self) -> Trial | None:
        """The best observed trial within all limits; the first of equals."""
        if not self.within.any():
            return None
        return self.trials[int(np.nanargmin(np.where(self.within, self.losses, np.nan)))]

    @property
    def knows_best(self) -> bool:
        """Whether the trials alone say which of them is best: values are the true ones, and some are within limits."""
        return not self.noisy and bool(self.within.any())

    @property
    def pareto_set(self) -> tuple[Trial, ...]:
        """The observed trials within all limits that none of these is better than in all objectives."""
        within = np.flatnonzero(self.within)
        return tuple(self.trials[i] for i in within[non_dominated(self.objectives[within])])


def _reached(trial: Trial) -> float:
    """Share of its training after which a trial ended; of one without an end, that which was asked for."""
    if trial.finished:
        return 1.0
    return trial.outcome.curve[-1][0] if trial.stopped else trial.suggestion.fidelity
