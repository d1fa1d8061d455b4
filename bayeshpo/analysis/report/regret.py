"""Who found what, and at what cost."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from bayeshpo.analysis.aggregates import Interval, aggregates
from bayeshpo.analysis.compared import comparable, coverage
from bayeshpo.analysis.comparisons import read_comparisons
from bayeshpo.analysis.outcomes import SearcherOutcome, outcomes
from bayeshpo.analysis.report.blocks import Block, Cell, Column, Facts, Table, number, word
from bayeshpo.analysis.summary import regret_caption, seeds, short
from bayeshpo.analysis.traces import Traces
from bayeshpo.experiment.store import Results, RunRecord


def regret(results: Results, runs: Sequence[RunRecord]) -> list[Block]:
    """Tables of regret by problem and over problems, and what `bayeshpo compare` has found."""
    traces = Traces.of_results(results, runs)
    blocks: list[Block] = []
    if runs:
        blocks.append(_by_problem(outcomes(results, runs), traces))
    if compared := comparable(traces):
        cells = [
            [word(a.searcher), *_interval(a.rank), *_interval(a.iqm), *_interval(a.wins), number(a.runs.compared),
             number(a.runs.asked), number(a.runs.missing)] for a in aggregates(compared)
        ]  # fmt: skip
        note = "Brackets: 95 % bootstrap intervals, over problems for ranks and over seeds for the others. "
        note += coverage(compared)
        blocks.append(Table("Over all problems that can be compared", _AGGREGATED, cells, note))
    if claims := [(record["title"], record["claim"]) for record in read_comparisons(results.path)]:
        blocks.append(Facts(claims))
    return blocks


def _by_problem(rows: Sequence[SearcherOutcome], traces: Traces) -> Table:
    least: dict[str, float] = {}
    for row in rows:
        known = [r.regret[1] for r in rows if r.problem == row.problem and not math.isnan(r.regret[1])]
        least[row.problem] = min(known, default=math.nan)
    final = traces.final()
    cells = []
    for row in rows:
        place = traces.problems.index(row.problem), traces.searchers.index(row.searcher)
        whole = final[place][np.isfinite(final[place])]
        star = "" if row.optimum_known else " *"
        low, median, high = row.regret
        cells.append(
            [Cell(row.problem + star), word(row.searcher), number(median, strong=median == least[row.problem]),
             number(low), number(high), number(float(np.median(whole)) if whole.size else math.nan),
             number(row.inference), number(row.best, 4), Cell(seeds(row), row.finished), number(row.failed),
             number(row.trials), number(row.seconds), number(row.work)]
        )  # fmt: skip
    return Table("Regret after the last trial", _BY_PROBLEM, cells, regret_caption(rows))


def _interval(interval: Interval | None) -> list[Cell]:
    if interval is None:
        return [Cell("-"), Cell("-")]
    low, value, high = interval
    return [number(value), Cell(f"[{short(low)}, {short(high)}]", value)]


_BY_PROBLEM = (
    Column("problem", numeric=False),
    Column("searcher", numeric=False),
    Column("median", "median regret over seeds after the last trial"),
    Column("25 %", "lower quartile over seeds"),
    Column("75 %", "upper quartile over seeds"),
    Column("normalised", "median over whole runs, by the problem's scale: 1 is a random configuration"),
    Column("inference", "median regret of the recommendation's true value"),
    Column("best", "best value of any seed, in the problem's own direction"),
    Column("seeds", "finished runs, of those asked for"),
    Column("failed", "failed trials"),
    Column("trials", "all trials"),
    Column("s/ask", "median seconds per suggestion after the initial design"),
    Column("work", "median per run, in the problem's unit"),
)
_AGGREGATED = (
    Column("searcher", numeric=False),
    Column("mean rank", "ranks of runs with one seed, mean over seeds, then over problems; 1 is best"),
    Column("95 %"),
    Column("IQM", "mean of the middle half of all runs' normalised regrets"),
    Column("95 %"),
    Column("wins", "chance that a run beats one of random search on its problem"),
    Column("95 %"),
    Column("runs", "whole runs that are compared"),
    Column("asked for", "runs, on whatever problem"),
    Column("missing", "runs that are missing or unfinished"),
)
