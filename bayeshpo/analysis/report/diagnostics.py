"""Whether the posteriors that searchers relied on can be trusted."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np

from bayeshpo.analysis.ahead import Ahead, Coverage, ahead_by_problem
from bayeshpo.analysis.diagnosis import searchers
from bayeshpo.analysis.fits import Fits, Row, by_problem, by_searcher, column, fits_of, rows_of
from bayeshpo.analysis.health import PosteriorHealth, posterior_health
from bayeshpo.analysis.report.blocks import Block, Cell, Column, Table, number, share, word
from bayeshpo.analysis.report.measures import BY_HYPERPARAMETER, digits, known_measures, statuses
from bayeshpo.analysis.summary import health_caption
from bayeshpo.experiment.store import RunRecord

Rows = Sequence[Row]
_ALL = "all"


def diagnostics(runs: Sequence[RunRecord]) -> list[Block]:
    """Tables of verdicts, health, what became of fits, every measure on record, coverage and hyperparameters."""
    fits = fits_of(runs)
    rows = {searcher: rows_of(own) for searcher, own in by_searcher(fits).items()}
    health, measures = _health(posterior_health(fits)), _measures(rows)
    tables = [_verdicts(fits), *health, *measures, _coverage(fits), _hyperparameters(rows)]
    return [table for table in tables if table is not None]


def _verdicts(fits: Sequence[Fits]) -> Table | None:
    """As `bayeshpo diagnose` gives them."""
    cells = [[word(found["searcher"]), word(found["trust"]), word(found["verdict"])] for found in searchers(fits)]
    columns = [Column("searcher", numeric=False), Column("to be trusted", numeric=False), Column("why", numeric=False)]
    return Table("Can the posteriors be trusted?", columns, cells) if cells else None


def _health(health: Sequence[PosteriorHealth]) -> list[Table]:
    if not health:
        return []
    cells = [
        [word(row.problem or _ALL), word(row.searcher), number(row.fits), share(row.rhat_share), share(row.ess_share),
         number(row.rhat_max, 4), number(row.ess_min), number(row.divergences), word(_counted(row.statuses)),
         word(_counted(row.actions)), number(row.seconds_fit), number(row.seconds_maximise)] for row in health
    ]  # fmt: skip
    note = " ".join(dict.fromkeys(health_caption(row) for row in health if row.problem is None)) or health_caption(
        health[-1]
    )
    return [Table("Posterior health", _HEALTH, cells, note)]


def _counted(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {count}" for name, count in counts.items())


def _measures(fits: Mapping[str, Rows]) -> list[Table]:
    """A table a searcher: the middle and the ends of every measure over all its fits."""
    tables = []
    for searcher, rows in fits.items():
        cells = []
        for name, about in known_measures(rows).items():
            values = column(rows, name)
            values = values[np.isfinite(values)]
            low, median, high = np.quantile(values, (0.05, 0.5, 0.95)) if values.size else [math.nan] * 3
            shown = [number(float(value), digits(name)) for value in (low, median, high)]
            cells.append([word(about.title), number(len(values)), *shown, word(about.meaning)])
        for name, about in statuses(rows).items():
            counts = Counter(str(row[name]) for row in rows if name in row)
            said = f"{about.meaning}: {_counted(dict(counts.most_common()))}"
            cells.append([word(about.title), number(counts.total()), *[number(None)] * 3, word(said)])
        tables.append(Table(f"All fits of {searcher}", _QUANTILES, cells))
    return tables


def _coverage(fits: Sequence[Fits]) -> Table | None:
    """By searcher and problem, of metrics too, and of the values of all problems where there are several."""
    cells = []
    for searcher, own in by_searcher(fits).items():
        all_problems = {_ALL: Ahead.of(own)} if len(by_problem(own)) > 1 else {}
        for problem, ahead in (ahead_by_problem(own) | all_problems).items():
            cells += [
                [word(problem), word(searcher), *_covered(found), number(len(ahead)), number(ahead.mean_log_score)]
                for found in ahead.coverage
            ]
    note = (
        "Trials within the central interval that was predicted for them before they were run. 95 % intervals of "
        "Clopper and Pearson, as if trials were independent."
    )
    return Table("Coverage one step ahead", _COVERAGE, cells, note) if cells else None


def _covered(found: Coverage) -> list[Cell]:
    interval = Cell(f"{100 * found.low:.0f}\N{EN DASH}{100 * found.high:.0f} %", found.low)
    missed = not found.low <= found.nominal <= found.high
    agreement = Cell("no" if missed else "yes", strong=missed)
    return [share(found.nominal), share(found.share), interval, agreement]


def _hyperparameters(fits: Mapping[str, Rows]) -> Table | None:
    cells = []
    for searcher, rows in fits.items():
        found = {name: [row[name] for row in rows if row.get(name)] for name in BY_HYPERPARAMETER}
        for hyperparameter in dict.fromkeys(key for maps in found.values() for one in maps for key in one):
            medians = [_median([one.get(hyperparameter) for one in found[name]]) for name in BY_HYPERPARAMETER]
            cells.append([word(searcher), word(hyperparameter), *(number(value) for value in medians)])
    title = "What was learned of each hyperparameter, and how much of it is the prior"
    columns = [Column("searcher", numeric=False), Column("of the surrogate", numeric=False)]
    note = "Fits of all problems together."
    return Table(title, [*columns, *BY_HYPERPARAMETER.values()], cells, note) if cells else None


def _median(values: Sequence[float | None]) -> float:
    known = [value for value in values if value is not None]
    return float(np.median(known)) if known else math.nan


_HEALTH = (
    Column("problem", numeric=False),
    Column("searcher", numeric=False),
    Column("fits"),
    Column("R-hat ok", "share of fits with R-hat below 1.01 for every hyperparameter"),
    Column("ESS ok", "share of fits with bulk effective sample size above 400"),
    Column("max R-hat"),
    Column("min ESS"),
    Column("divergences"),
    Column("status", "how fits ended", numeric=False),
    Column("action", "what was done", numeric=False),
    Column("s/fit", "median seconds, without compiling"),
    Column("s/max.", "median seconds of maximising the acquisition"),
)
_QUANTILES = (
    Column("measure", numeric=False),
    Column("fits", "that have it"),
    Column("5 %"),
    Column("median"),
    Column("95 %"),
    Column("meaning", numeric=False),
)
_COVERAGE = (
    Column("problem", numeric=False),
    Column("searcher", numeric=False),
    Column("nominal"),
    Column("within"),
    Column("95 % interval"),
    Column("agree", "whether the nominal share is in the interval", numeric=False),
    Column("trials"),
    Column("log score", "mean log density of the next trial, predicted before it entered"),
)
