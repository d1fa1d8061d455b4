"""What each searcher reached on each problem, and at what cost: the rows of summaries and tables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bayeshpo.analysis.completeness import asked_runs, is_finished
from bayeshpo.analysis.recommended import recommended_regret
from bayeshpo.analysis.regret import quartiles, simple_regret
from bayeshpo.experiment.store import Results, RunRecord
from bayeshpo.trial import Status


@dataclass(frozen=True)
class SearcherOutcome:
    """One searcher on one problem.

    Attributes
    ----------
    problem, searcher
        Labels.
    regret
        Lower quartile, median and upper quartile over seeds of the regret after the last trial.
    inference
        Median over seeds of the inference regret; NaN where it is not on record.
    optimum_known
        Whether regret is the distance to the optimum, and not to the best value found in these results.
    best
        Best value of any seed, in the problem's own direction; None if no trial finished.
    asked
        Number of runs that were asked for; without any run there is no regret, best value, seconds or work.
    seeds, unfinished, early
        Number of runs that were begun, how many of them have not come to their end, and how many came to it before
        their budget was spent.
    trials, failed
        Number of trials and of failed trials, summed over seeds.
    seconds
        Median seconds per suggestion, the initial design left out.
    work, work_unit
        Median over seeds of the work spent, in the problem's unit; without any run no unit.
    """

    problem: str
    searcher: str
    regret: tuple[float, float, float]
    inference: float
    optimum_known: bool
    best: float | None
    asked: int
    seeds: int
    unfinished: int
    early: int
    trials: int
    failed: int
    seconds: float
    work: float
    work_unit: str

    @property
    def finished(self) -> int:
        """Number of runs that have come to their end."""
        return self.seeds - self.unfinished


def outcomes(results: Results, runs: Sequence[RunRecord]) -> list[SearcherOutcome]:
    """A row for every searcher on every problem that it was to work on, run or not, in the file's order."""
    regrets = {(regret.problem, regret.searcher): regret for regret in simple_regret(runs)}
    rows = []
    for pair, asked in asked_runs(results.experiment, runs).items():
        group = [run for run in runs if (run.problem, run.searcher) == pair]
        if not group:
            known = all(regret.optimum_known for regret in regrets.values() if regret.problem == pair[0])
            rows.append(_nothing(*pair, asked, known))
            continue
        regret = regrets[pair]
        by_run = [run.trials for run in group]
        trials = [trial for own in by_run for trial in own]
        recommended = [recommended_regret(run, own) for run, own in zip(group, by_run, strict=True)]
        values = [trial["value"] for trial in trials if trial["value"] is not None]
        better = min if group[0].spec["direction"] == "minimize" else max
        seconds = [t["seconds_ask"] for t in trials if t["origin"] != "initial"] or [t["seconds_ask"] for t in trials]
        rows.append(
            SearcherOutcome(
                problem=regret.problem,
                searcher=regret.searcher,
                regret=quartiles(regret.final),
                inference=float(np.median(recommended)),
                optimum_known=regret.optimum_known,
                best=better(values) if values else None,
                asked=asked,
                seeds=len(group),
                unfinished=sum(not is_finished(run) for run in group),
                early=sum(run.ended_early for run in group),
                trials=len(trials),
                failed=sum(Status(trial["status"]).failed for trial in trials),
                seconds=float(np.median(seconds)) if seconds else float("nan"),
                work=float(np.median([sum(t["work"] for t in own) for own in by_run])),
                work_unit=group[0].spec["work_unit"],
            )
        )
    return rows


def _nothing(problem: str, searcher: str, asked: int, optimum_known: bool) -> SearcherOutcome:
    """The row of a searcher without any run on a problem."""
    nan = float("nan")
    return SearcherOutcome(
        problem, searcher, (nan, nan, nan), nan, optimum_known, None, asked,
        seeds=0, unfinished=0, early=0, trials=0, failed=0, seconds=nan, work=nan, work_unit="",
    )  # fmt: skip
