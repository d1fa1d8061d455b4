"""A proposal of a recorded run once more: what was believed, what was proposed, and what others would have proposed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from bayeshpo.errors import SpecificationError
from bayeshpo.experiment.recorded import recorded_history
from bayeshpo.experiment.spec import ProblemSpec, SearcherSpec
from bayeshpo.experiment.store import RunRecord
from bayeshpo.history import History
from bayeshpo.problem import Problem, aims, is_noisy
from bayeshpo.study import Study
from bayeshpo.trial import Suggestion, Trial

# What can be another part of a Bayesian searcher.
PARTS = ("surrogate", "acquisition", "inference")
# Of a trial's record: what the small form leaves out, some of it of the first seed too.
_NEEDED = ("configuration", "needs_gradient", "suggestion_info", "outcome_info")


@dataclass(frozen=True, eq=False)
class Replay:
    """The moment at which a run proposed one of its trials.

    Attributes
    ----------
    run
        The run on record.
    iteration
        Index of the trial.
    problem
        What was searched: only its space is needed, nothing is evaluated.
    """

    run: RunRecord
    iteration: int
    problem: Problem

    @classmethod
    def of(cls, run: RunRecord, iteration: int, data_dir: str | None = None) -> Replay:
        """From the records alone.

        Parameters
        ----------
        run, iteration
            The run, and the index of the trial that it proposed.
        data_dir
            Folder of the problem's data, if it needs one.

        Raises
        ------
        SpecificationError
            If there is no such trial, or the records are in small form.
        """
        trials = run.trials
        if all(trial["index"] != iteration for trial in trials):
            most = len(trials) + len(run.pending)
            waits = " that is not pending" if run.pending else ""
            raise SpecificationError(f"run {run.run_id}: expected an iteration below {most}{waits}, got {iteration}")
        if any(name not in trial for trial in trials for name in _NEEDED):
            raise SpecificationError(
                f"run {run.run_id}: expected all that a trial left on record, got the small form that "
                "'python -m bayeshpo.analysis export' writes; give the results folder that it was made from, or make "
                "that again by 'bayeshpo run' with the same file, which gives the same trials"
            )
        return cls(run, iteration, ProblemSpec.model_validate(run.spec["problem"]).build(data_dir))

    @property
    def recorded(self) -> Trial:
        """The trial as it is on record."""
        return next(Trial.from_record(record) for record in self.run.trials if record["index"] == self.iteration)

    @property
    def whole(self) -> History:
        """All trials of the run."""
        return recorded_history(self.run, self.problem)

    @cached_property
    def study(self) -> Study:
        """The study as it was then: its `posterior`, `recommendation` and `optimum` are those of that moment."""
        return self._study({})

    @cached_property
    def suggestion(self) -> Suggestion:
        """What is proposed now; `study.reports` has the row of its fit."""
        study = self.study
        return study.searcher.ask(study.history, 1, study.streams)[0]

    @property
    def reproduced(self) -> bool:
        """Whether that is what is on record, to the last digit."""

        def chosen(suggestion: Suggestion) -> tuple[Any, ...]:
            return suggestion.configuration, suggestion.fidelity, suggestion.continues

        return chosen(self.suggestion) == chosen(self.recorded.suggestion)

    @property
    def reports(self) -> list[dict[str, Any]]:
        """The rows of the fits behind `suggestion`."""
        _ = self.suggestion
        return self.study.searcher.reports()

    def instead(self, parts: Mapping[str, Any]) -> Suggestion:
        """What a Bayesian searcher with another surrogate, acquisition or inference engine would have proposed.

        Parameters
        ----------
        parts
            By "surrogate", "acquisition" or "inference": registered names, tables, or objects.

        Raises
        ------
        SpecificationError
            If there is no such part, or the searcher has none of them.
        """
        unknown = set(parts) - set(PARTS)
        if unknown:
            raise SpecificationError(f"expected parts among {', '.join(PARTS)}, got {', '.join(sorted(unknown))}")
        if self.run.spec["searcher"]["name"] != "bayesian":
            raise SpecificationError(
                f"run {self.run.run_id}: expected a Bayesian searcher, whose parts can be others, got "
                f"'{self.run.spec['searcher']['name']}'"
            )
        study = self._study(parts)
        study.check()
        return study.searcher.ask(study.history, 1, study.streams)[0]

    def _study(self, parts: Mapping[str, Any]) -> Study:
        searcher = SearcherSpec.model_validate(self.run.spec["searcher"])
        built = searcher.model_copy(update={"arguments": {**searcher.arguments, **parts}}).build()
        trials = [Trial.from_record(t) for t in self.run.trials[: self.recorded.suggestion.known]]
        told = {trial.suggestion.index for trial in trials}
        earlier = [Suggestion.from_record(row) for row in self.run.proposed if row["index"] < self.iteration]
        space, key = self.problem.space, ProblemSpec.model_validate(self.run.spec["problem"]).key
        return Study(
            space, built, self.run.spec["direction"], self.run.seed, name=key, trials=trials,
            pending=[s for s in earlier if s.index not in told], noisy=is_noisy(self.problem),
            **aims(self.problem).to_record(),
        )  # fmt: skip


def find_run(runs: list[RunRecord], wanted: str | None) -> RunRecord:
    """The run whose identity begins so, or that "problem/searcher/seed" names; the only one if nothing is given.

    Raises
    ------
    SpecificationError
        If there is none or more than one, with what there is.
    """
    found = [
        run
        for run in runs
        if wanted is None or run.run_id.startswith(wanted) or wanted == f"{run.problem}/{run.searcher}/{run.seed}"
    ]
    if len(found) == 1:
        return found[0]
    shown = ", ".join(f"{run.problem}/{run.searcher}/{run.seed} ({run.run_id})" for run in (found or runs)[:12])
    what = "expected --run" if wanted is None else f"--run {wanted}: {len(found) or 'no'} runs are named so; expected"
    raise SpecificationError(f"{what} with one of {shown}")
