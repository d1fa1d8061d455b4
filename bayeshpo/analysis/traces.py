"""The tidy array that statistics work on: problem x searcher x seed x evaluations, of our results or of others'."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from bayeshpo.analysis.completeness import asked_runs
from bayeshpo.analysis.costs import Costs, costs_of
from bayeshpo.analysis.recommended import recommended_regret
from bayeshpo.analysis.regret import Regret, simple_regret
from bayeshpo.errors import SpecificationError
from bayeshpo.experiment.store import Results, RunRecord

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, eq=False)
class Traces:
    """Regret of all runs: P problems, S searchers, R seeds, T evaluations.

    Attributes
    ----------
    problems, searchers, seeds
        Labels of the axes.
    regret
        Simple regret of the incumbent after each evaluation (P, S, R, T), never negative; NaN before the first finished
        trial, and where there is no trial.
    lengths
        Evaluations that each run stands for (P, S, R): those on record, or the whole budget where it ended early for
        good; 0 for a run that is not there.
    budgets
        Evaluations that a whole run has (P,).
    expected
        Runs that were asked for (P, S).
    references
        Value that regret is measured from (P,), in the problem's own direction; NaN where no trial has finished.
    optimum_known
        Whether that is the optimum (P,), and not the best value that any searcher found.
    early
        Whether a run ended before its budget was spent (P, S, R).
    recommended
        Inference regret (P, S, R): that of the recommendation's true value at the end; NaN where it is not on record.
    costs
        What the trials took; None where that is not known.
    source
        What `comparable` has chosen these from; None where they were not chosen.
    """

    problems: tuple[str, ...]
    searchers: tuple[str, ...]
    seeds: tuple[int, ...]
    regret: np.ndarray
    lengths: np.ndarray
    budgets: np.ndarray
    expected: np.ndarray
    references: np.ndarray
    optimum_known: np.ndarray
    early: np.ndarray
    recommended: np.ndarray
    costs: Costs | None = None
    source: Traces | None = None

    @property
    def whole(self) -> np.ndarray:
        """Which runs came to their end (P, S, R): aggregates over problems are of these alone."""
        return (self.lengths > 0) & (self.lengths >= self.budgets[:, None, None])

    @property
    def missing(self) -> int:
        """Runs that were asked for and are missing or unfinished."""
        return int(np.maximum(self.expected - self.whole.sum(axis=2), 0).sum())

    def scales(self) -> np.ndarray:
        """Each problem's scale (P,): the median regret of all runs after their first finished trial.

        Initial designs do not depend on the searcher, so that this is the regret of one random configuration. 1 where
        it is 0 or unknown.
        """
        known = ~np.isnan(self.regret)
        first = np.take_along_axis(self.regret, known.argmax(axis=3)[..., None], axis=3)[..., 0]
        values = [row[~np.isnan(row)] for row in first]
        scales = np.array([np.median(row) if row.size else 1.0 for row in values])
        return np.where(scales > 0, scales, 1.0)

    def normalised(self) -> np.ndarray:
        """Regret in units of its problem's scale, no more than 1 (P, S, R, T); 1 where no trial of a run has finished.

        NaN where there is no trial.
        """
        there = np.arange(self.regret.shape[3]) < self.lengths[..., None]
        ratio = self.regret / self.scales()[:, None, None, None]
        return np.where(there, np.where(np.isnan(ratio), 1.0, np.minimum(ratio, 1.0)), np.nan)

    def final(self) -> np.ndarray:
        """Normalised regret after the last evaluation of whole runs (P, S, R), NaN for others."""
        last = np.maximum(self.budgets - 1, 0)
        taken = np.take_along_axis(self.normalised(), last[:, None, None, None], axis=3)[..., 0]
        return np.where(self.whole, taken, np.nan)

    def comparable(self) -> Traces:
        """What aggregates over problems are of: nobody is compared on other problems than the others are.

        Searchers that were to work on every problem and have a whole run; problems with a seed on which all of these
        have one. There may be none. What they were chosen from goes along, so that what is left out can be counted.
        """
        asked = self.expected.all(axis=0) & self.whole.any(axis=(0, 2))
        common = self.of_searchers([s for s, there in zip(self.searchers, asked, strict=True) if there])
        chosen = common.of_problems(np.flatnonzero(common.whole.all(axis=1).any(axis=1)))
        return replace(chosen, source=self.source or self)

    def of_problems(self, at: np.ndarray) -> Traces:
        """Only some problems, by index."""
        names = ("regret", "lengths", "budgets", "expected", "references", "optimum_known", "early", "recommended")
        return replace(
            self,
            problems=tuple(self.problems[p] for p in at),
            costs=None if self.costs is None else self.costs.at(at),
            **{name: getattr(self, name)[at] for name in names},
        )

    def of_searchers(self, labels: Sequence[str]) -> Traces:
        """Only some searchers."""
        at = [self.searchers.index(label) for label in labels]
        return replace(
            self,
            searchers=tuple(labels),
            costs=None if self.costs is None else self.costs.at(slice(None), at),
            **{name: getattr(self, name)[:, at] for name in ("regret", "lengths", "expected", "early", "recommended")},
        )

    def regrets(self) -> list[Regret]:
        """The runs of each searcher on each problem that has any."""
        found = []
        for p, problem in enumerate(self.problems):
            for s, searcher in enumerate(self.searchers):
                at = np.flatnonzero(self.lengths[p, s])
                if at.size:
                    found.append(self._cell(p, s, at, problem, searcher))
        return found

    def _cell(self, p: int, s: int, at: np.ndarray, problem: str, searcher: str) -> Regret:
        lengths, reference = self.lengths[p, s, at], float(self.references[p])
        known = None if np.isnan(reference) else reference
        values = self.regret[p, s, at, : lengths.max()]
        seeds = tuple(self.seeds[r] for r in at)
        return Regret(problem, searcher, seeds, values, lengths, known, bool(self.optimum_known[p]))

    @classmethod
    def of_results(cls, results: Results, runs: Sequence[RunRecord]) -> Traces:
        """The traces of an experiment; what its file asks for and is not there counts as missing."""
        regrets = simple_regret(runs)
        problems = _ordered([p["label"] for p in results.experiment["problems"]], [r.problem for r in regrets])
        searchers = _ordered([s["label"] for s in results.experiment["searchers"]], [r.searcher for r in regrets])
        seeds = tuple(sorted({*range(results.experiment["seeds"]), *(run.seed for run in runs)}))
        budgets = {run.problem: run.spec["budget"] for run in runs}
        size = max([0, *budgets.values(), *(r.budget for r in regrets)])
        shape = len(problems), len(searchers), len(seeds)
        traces = _empty(problems, searchers, seeds, size)
        for regret in regrets:
            p, s = problems.index(regret.problem), searchers.index(regret.searcher)
            at = [seeds.index(seed) for seed in regret.seeds]
            traces.regret[p, s, at, : regret.budget] = regret.values
            traces.lengths[p, s, at] = regret.lengths
            traces.references[p] = np.nan if regret.reference is None else regret.reference
            traces.optimum_known[p] = regret.optimum_known
        traces.budgets[:] = [budgets.get(problem, 0) for problem in problems]
        for (problem, searcher), asked in asked_runs(results.experiment, runs).items():
            traces.expected[problems.index(problem), searchers.index(searcher)] = asked
        costs = Costs.empty((*shape, size))
        for run in runs:
            at = problems.index(run.problem), searchers.index(run.searcher), seeds.index(run.seed)
            trials = run.trials
            costs.fill(at, costs_of(trials))
            traces.early[at] = run.ended_early
            traces.recommended[at] = recommended_regret(run, trials)
        return replace(traces, costs=costs)

    @classmethod
    def of_frame(cls, frame: pd.DataFrame) -> Traces:
        """Traces from elsewhere: columns problem, searcher, seed, trial and regret, a row an evaluation.

        Trials are taken in their order, whatever they count from; regrets are those of the incumbent, or of each trial,
        of which the running minimum is taken. Every searcher was to run on every problem with every seed, for as many
        evaluations as the longest run there.

        Raises
        ------
        SpecificationError
            If a column is missing, or a run has two rows for one trial.
        """
        keys = ["problem", "searcher", "seed", "trial"]
        absent = [name for name in (*keys, "regret") if name not in frame.columns]
        if absent:
            raise SpecificationError(f"expected columns {', '.join([*keys, 'regret'])}, got none named '{absent[0]}'")
        if frame.duplicated(keys).any():
            raise SpecificationError("expected one row for each problem, searcher, seed and trial, got two")
        frame = frame.sort_values(keys)
        coded = [frame[name].astype("category").cat for name in keys[:3]]
        place = tuple(column.codes.to_numpy() for column in coded)
        problems, searchers, seeds = (tuple(map(str, column.categories)) for column in coded)
        position = frame.groupby(keys[:3], observed=True, sort=False).cumcount().to_numpy()
        traces = _empty(problems, searchers, tuple(range(len(seeds))), int(position.max(initial=-1)) + 1)
        traces.regret[(*place, position)] = frame["regret"].to_numpy(float)
        np.add.at(traces.lengths, place, 1)
        traces.budgets[:] = traces.lengths.max(axis=(1, 2))
        traces.expected[:] = len(seeds)
        traces.references[:] = 0.0
        np.fmin.accumulate(traces.regret, axis=3, out=traces.regret)
        beyond = np.arange(traces.regret.shape[3]) >= traces.lengths[..., None]
        traces.regret[beyond] = np.nan
        return traces


def _ordered(first: Sequence[str], others: Sequence[str]) -> tuple[str, ...]:
    """Labels in the experiment's order; what stands in records alone comes after."""
    return tuple(dict.fromkeys([*first, *others]))


def _empty(problems: tuple[str, ...], searchers: tuple[str, ...], seeds: tuple[int, ...], size: int) -> Traces:
    shape = len(problems), len(searchers), len(seeds)
    return Traces(
        problems, searchers, seeds,
        regret=np.full((*shape, size), np.nan),
        lengths=np.zeros(shape, dtype=int),
        budgets=np.zeros(shape[0], dtype=int),
        expected=np.zeros(shape[:2], dtype=int),
        references=np.full(shape[0], np.nan),
        optimum_known=np.zeros(shape[0], dtype=bool),
        early=np.zeros(shape, dtype=bool),
        recommended=np.full(shape, np.nan),
    )  # fmt: skip
