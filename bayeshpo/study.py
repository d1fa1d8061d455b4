"""The ask/tell loop of one run."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

from bayeshpo.aims import Aims, Direction
from bayeshpo.errors import SpaceExhausted, SpecificationError
from bayeshpo.evaluators import Evaluator, InTurn, Task, several
from bayeshpo.history import History
from bayeshpo.problem import Capabilities, FunctionProblem, Problem, aims, capabilities, is_noisy
from bayeshpo.progress import with_progress
from bayeshpo.randomness import Streams
from bayeshpo.searchers.base import Searcher
from bayeshpo.space import Configuration, as_space
from bayeshpo.stopping import Budget, StoppingRule
from bayeshpo.trial import Outcome, Suggestion, Trial

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

    from bayeshpo.searchers.optimum import Optimum

# Whoever evaluates by hand may tell whatever there is to tell.
_BY_HAND = Capabilities(gradient=True, fidelity=True)


@dataclass(frozen=True)
class Ending:
    """How a study's last run ended.

    Attributes
    ----------
    status
        "finished": its budget is spent; "stopped": by its stopping rule; "exhausted": its space.
    reason
        The same in words.
    """

    status: Literal["finished", "stopped", "exhausted"]
    reason: str


class Study:
    """A searcher at work on one search space, with all its trials.

    Parameters
    ----------
    space
        A ConfigSpace space, or a dict of ``(low, high)`` tuples, lists and scipy distributions.
    searcher
        What proposes configurations; a `BayesianSearcher` by default.
    direction
        "minimize" or "maximize".
    seed
        Equal seeds give equal trials.
    name
        Name of the problem; part of the key of all random streams.
    trials, pending
        Trials to begin with, as from the records of an earlier run, and what it had proposed and was not told.
    objectives
        Further objectives: directions of metrics, by name, as ``{"size": "minimize"}``; see `Outcome.metrics`.
    constraints
        What metrics have to be at least and at most, as ``{"memory": (None, 8.0)}``.
    noisy
        Whether another evaluation of a configuration may give another value. If not, the best observed trial is what is
        recommended; a `Problem` that `optimize` is given says so itself.

    Examples
    --------
    >>> import bayeshpo
    >>> study = bayeshpo.Study({"x": (0.0, 1.0)}, searcher=bayeshpo.RandomSearcher(), seed=1)
    >>> trial = study.optimize(lambda c: (c["x"] - 0.3) ** 2, budget=5, progress=False)
    >>> len(study.trials)
    5
    """

    def __init__(
        self,
        space: Any,
        searcher: Searcher | None = None,
        direction: Direction = "minimize",
        seed: int = 0,
        *,
        name: str = "",
        trials: Iterable[Trial] = (),
        pending: Iterable[Suggestion] = (),
        objectives: Mapping[str, Direction] | None = None,
        constraints: Mapping[str, Any] | None = None,
        noisy: bool = True,
    ) -> None:
        if direction not in ("minimize", "maximize"):
            raise SpecificationError(f"expected direction 'minimize' or 'maximize', got {direction!r}")
        if seed < 0:
            raise SpecificationError(f"expected a seed >= 0, got {seed}")
        if searcher is None:
            from bayeshpo.searchers.bayesian import BayesianSearcher

            searcher = BayesianSearcher()
        self.searcher = searcher
        aims = Aims.of(objectives, constraints)
        self.history = History(as_space(space), direction, tuple(trials), tuple(pending), aims, noisy)
        self.streams = Streams(name, seed)
        self.reports: list[dict[str, Any]] = []
        self.ending: Ending | None = None
        # Indices of suggestions that were asked for by hand, and are for the one who asked to evaluate.
        self._given: set[int] = set()

    def ask(self, n: int | None = None) -> Any:
        """Propose configurations to evaluate: one `Suggestion`, or a list of ``n``, or of as many as are left.

        Raises
        ------
        SpaceExhausted
            If every configuration of a finite space has been tried.
        SpecificationError
            If the searcher cannot work on this space, or is not for what the study aims at.
        """
        self.check(_BY_HAND)
        suggestions = self._ask(n or 1, time.perf_counter())
        self._given.update(s.index for s in suggestions)
        return suggestions if n is not None else suggestions[0]

    def tell(self, suggestion: Suggestion, value: Any) -> Trial:
        """Record what came back: a number or an `Outcome`; NaN, infinities, None and strings are failed trials.

        A learning curve comes in an `Outcome`, a training that was stopped as `Outcome.stopped(curve)`, and a trial of
        which no more is known than that its value is no better than a bound as `Outcome.censored(bound)`. Where the
        suggestion continues a stopped training, its curve may begin where that one's ended.

        Raises
        ------
        ValueError
            If the suggestion is not pending: it was told already, or comes from another study.
        """
        if all(s.index != suggestion.index for s in self.history.pending):
            waiting = [s.index for s in self.history.pending]
            raise ValueError(f"expected a pending suggestion {waiting}, got trial {suggestion.index}")
        outcome, stopped = Outcome.of(value).with_aims(self.history.aims), self.stopped(suggestion)
        trial = Trial(suggestion, outcome if stopped is None else outcome.after(stopped))
        self.history = self.history.add(trial)
        self._given.discard(suggestion.index)
        return trial

    def stopped(self, suggestion: Suggestion) -> Outcome | None:
        """What the trial has brought whose training a suggestion continues; None where that begins a new one."""
        if suggestion.continues is None:
            return None
        return next(t.outcome for t in self.history.trials if t.suggestion.index == suggestion.continues)

    def run(
        self, problem: Problem, budget: int, stop: StoppingRule | None = None, *, evaluator: Evaluator | None = None
    ) -> Iterator[Trial]:
        """Evaluate, yielding each trial, until the study has ``budget`` of them, a rule ends it or the space does.

        `ending` says afterwards which it was.
        """
        steps = self.steps(problem, budget, stop, evaluator=evaluator)
        return (step for step in steps if isinstance(step, Trial))

    def steps(
        self, problem: Problem, budget: int, stop: StoppingRule | None = None, *, evaluator: Evaluator | None = None
    ) -> Iterator[Suggestion | Trial]:
        """As `run`, yielding each suggestion too, before it is evaluated.

        With an evaluator of several trials at once, the next suggestion is asked for as soon as one of them is told,
        the others pending. The rule is asked before each; once it ends the study, or the space does, those under way
        are waited for. What an interrupted run has left pending is evaluated first.
        """
        self.ending = None
        rule = Budget(budget) if stop is None else Budget(budget) | stop
        evaluator = InTurn(problem) if evaluator is None else evaluator
        left = [s for s in self.history.pending if s.index not in self._given]
        running = 0
        try:
            while True:
                ending = None
                while ending is None and (running == 0 or running < min(evaluator.at_once, budget - len(self.history))):
                    if left and len(self.history) < budget:
                        suggestion = left.pop(0)
                    elif isinstance(suggestion := self._proposed(rule, budget), Ending):
                        ending = suggestion
                        continue
                    else:
                        yield suggestion
                    rng = self.streams.generator("noise", suggestion.index)
                    evaluator.submit(Task(suggestion, rng, self.stopped(suggestion)))
                    running += 1
                if running == 0:
                    self.ending = ending
                    return
                trial = self.tell(*evaluator.finished())
                running -= 1
                yield trial
        finally:
            evaluator.close()

    def _proposed(self, rule: StoppingRule, budget: int) -> Suggestion | Ending:
        """The next suggestion, or why there is none."""
        start = time.perf_counter()
        reason = rule.reason(self.history, self.searcher, self.streams)
        if reason is not None:
            return Ending("finished" if len(self.history) >= budget else "stopped", reason)
        try:
            (suggestion,) = self._ask(1, start)
        except SpaceExhausted as error:
            return Ending("exhausted", str(error))
        return suggestion

    def optimize(
        self,
        objective: Callable[[Configuration], Any],
        budget: int,
        *,
        stop: StoppingRule | None = None,
        workers: int = 1,
        executor: Any = None,
        progress: bool = True,
    ) -> Trial:
        """Spend a budget on a function of a dict, or on a `Problem`, and return the best trial.

        With several objectives that is the one of best value; `pareto_set` has all of them.

        A call that raises, or returns no finite number, is a failed trial with its reason; the study goes on. Called
        again with a larger budget, it goes on from where it was.

        Parameters
        ----------
        objective
            What is evaluated.
        budget
            Number of trials, those that are there already among them.
        stop
            When to end before the budget is spent, as ``bayeshpo.Seconds(600) | bayeshpo.Unchanged(20)``; `ending`
            says afterwards why it ended.
        workers
            How many trials are evaluated at once, each in a process of its own with one thread of linear algebra.
            Which trial ends first decides what the searcher knows of when it proposes the next one, so equal seeds no
            longer give equal trials. A trial whose process dies is evaluated once more, then it has failed.
        executor
            What evaluates ``workers`` trials at once in place of processes of this machine: a
            `concurrent.futures.Executor`, or a Dask ``Client``.
        progress
            Whether to show how far it is.

        Raises
        ------
        SpecificationError
            If the budget or the number of workers is below 1, the searcher cannot work on this space or with this rule,
            the objective cannot be sent to other processes, or no trial finished within all limits.
        """
        for what, number in {"a budget of at least 1 trial": budget, "at least 1 worker": workers}.items():
            if number < 1:
                raise SpecificationError(f"expected {what}, got {number}")
        if stop is not None:
            _check_rule(stop, self.searcher, self.history.aims)
        if isinstance(objective, Problem):
            problem: Problem = objective
            self._check_aims(problem)
            self.history = replace(self.history, noisy=self.history.noisy and is_noisy(problem))
        else:
            problem = FunctionProblem(objective, self.history.space, self.history.direction)
        self.check(capabilities(problem))
        in_turn = workers == 1 and executor is None
        evaluator = InTurn(problem) if in_turn else several(problem, workers, executor)
        trials = self.run(problem, budget, stop, evaluator=evaluator)
        for _ in with_progress(trials, self, budget) if progress else trials:
            pass
        best = self.best
        if best is None:
            if self.history.finished.any():
                limits = self.history.aims.to_record()["constraints"]
                raise SpecificationError(f"no trial kept to the limits {limits}; see study.trials")
            reason = self.history.trials[-1].outcome.reason if self.history.trials else "no trial"
            raise SpecificationError(f"no trial finished; the last one: {reason}")
        return best

    def _ask(self, n: int, start: float) -> list[Suggestion]:
        """Proposals with the seconds since a start."""
        suggestions = self.searcher.ask(self.history, n, self.streams)
        seconds = (time.perf_counter() - start) / len(suggestions)
        n = len(self.history)
        suggestions = [replace(s, seconds=seconds, told=None if s.index == n else n) for s in suggestions]
        self.reports += [{"trial": suggestions[0].index, **row} for row in self.searcher.reports()]
        self.history = self.history.with_pending(suggestions)
        return suggestions

    def check(self, offered: Capabilities | None = None) -> None:
        """Refuse a space that the searcher cannot work on; see `Searcher.check`."""
        self.searcher.check(self.history.space, replace(offered or Capabilities(), aims=self.history.aims))

    def _check_aims(self, problem: Problem) -> None:
        if aims(problem) != self.history.aims:
            raise SpecificationError(
                f"problem '{problem.name}': expected a study with its objectives and constraints, "
                f"{aims(problem).to_record()}, got {self.history.aims.to_record()}; give them to Study"
            )

    @property
    def best(self) -> Trial | None:
        """The incumbent: the best observed trial within all limits."""
        return self.history.incumbent

    @property
    def recommendation(self) -> Trial | None:
        """The trial to use in earnest: with a surrogate, where values are noisy, that of best posterior mean."""
        return self.searcher.recommend(self.history, self.streams)

    @property
    def pareto_set(self) -> list[Trial]:
        """The trials within all limits than which none is better in all objectives, in order of their value.

        With a surrogate, those of which its posterior means say so.
        """
        return self.searcher.pareto_set(self.history, self.streams)

    @property
    def optimum(self) -> Optimum:
        """Where the surrogate's posterior mean is best over the whole space, tried or not, and what is expected there.

        Raises
        ------
        SpecificationError
            If the searcher has no surrogate, or there is no posterior of it yet.
        """
        return self.searcher.optimum(self.history, self.streams)

    @property
    def optimum_draws(self) -> pd.DataFrame:
        """Posterior draws of the optimum, a row each of a function drawn from the surrogate's posterior.

        Where it is best, a column a hyperparameter; ``value``, how good it is there, without noise; and ``regret``, how
        much better that is than the recommendation; both in the objective's units. Functions are looked at where trials
        were and at some 800 other points: in many dimensions none of these may be near a function's optimum.

        Raises
        ------
        SpecificationError
            If the searcher has no surrogate of which functions can be drawn, there is no posterior of it yet, or there
            are several objectives.
        """
        import pandas as pd

        found, space = self.searcher.remaining(self.history, self.streams), self.history.space
        places = pd.DataFrame(space.decode(found.place), columns=list(space.configspace))
        return places.assign(value=found.value, regret=found.regret)

    @property
    def remaining_regret(self) -> np.ndarray:
        """Posterior draws (R,) of how much better the optimum is than the recommendation, in the objective's units.

        Raises
        ------
        SpecificationError
            As `optimum_draws`.
        """
        return self.searcher.remaining(self.history, self.streams).regret

    @property
    def posterior(self) -> Any:
        """The surrogate's posterior given all trials: an `xarray.DataTree` in ArviZ's layout."""
        return self.searcher.posterior(self.history, self.streams)

    @property
    def trials(self) -> pd.DataFrame:
        """A row a trial: index, hyperparameters, value, metrics, status, reason, origin, seconds and work."""
        import pandas as pd

        rows = []
        for record in (trial.to_record() for trial in self.history.trials):
            row = {k: record[k] for k in ("index", "value", "status", "reason", "origin")}
            row |= record["metrics"]
            row |= {name: record["configuration"].get(name) for name in self.history.space.configspace}
            rows.append(row | {k: record[k] for k in ("seconds_ask", "seconds_evaluate", "work")})
        return pd.DataFrame(rows)

    @property
    def inference(self) -> pd.DataFrame:
        """A row a fit of the surrogate: data, action, status, convergence diagnostics and seconds."""
        import pandas as pd

        return pd.DataFrame(self.reports)


def _check_rule(stop: object, searcher: Searcher, aims: Aims) -> None:
    if not isinstance(stop, StoppingRule):
        raise SpecificationError(f"stop: expected a rule such as bayeshpo.Seconds(600), got {stop!r}")
    stop.check(searcher, aims)
