"""The end summary of an experiment on the terminal: regret, cost, and posterior health."""

from __future__ import annotations

import math
from collections.abc import Sequence
from os import PathLike

from rich import box
from rich.console import Console
from rich.table import Table

from bayeshpo.analysis.completeness import completeness
from bayeshpo.analysis.fits import fits_of
from bayeshpo.analysis.health import PosteriorHealth, posterior_health
from bayeshpo.analysis.outcomes import SearcherOutcome, outcomes
from bayeshpo.experiment.store import Results
from bayeshpo.inference.limits import ESS_LIMIT, RHAT_LIMIT


def print_summary(results_path: str | PathLike[str], console: Console) -> None:
    """Print the tables of regret and of posterior health of a results folder; fits a terminal of 80 columns.

    Raises
    ------
    SpecificationError
        If the folder holds no results.
    """
    results = Results(results_path)
    runs = results.runs()
    state = completeness(results, runs)
    style = "green" if state.complete else "yellow"
    console.print(f"[bold]{results.experiment['name']}[/bold]: [{style}]{state}[/{style}]", highlight=False)
    if runs:
        rows = outcomes(results, runs)
        console.print(_regret_table(rows))
        _caption(console, regret_caption(rows))
    health = posterior_health(fits_of(runs))
    for searcher in dict.fromkeys(row.searcher for row in health):
        own = [row for row in health if row.searcher == searcher]
        console.print(_health_table(searcher, own))
        _caption(console, health_caption(own[-1]))


def _regret_table(rows: Sequence[SearcherOutcome]) -> Table:
    table = _table("Regret after the last trial")
    table.add_column("problem / searcher", overflow="fold")
    for name in ("median", "quartiles", "seeds", "failed", "s/ask", "work"):
        table.add_column(name, justify="right", no_wrap=True)
    for problem in dict.fromkeys(row.problem for row in rows):
        own = [row for row in rows if row.problem == problem]
        gap = "" if own[0].optimum_known else " *"
        table.add_row(f"[bold]{problem}[/bold]{gap}")
        least = min((row.regret[1] for row in own if not math.isnan(row.regret[1])), default=math.nan)
        for row in own:
            median, band = short(row.regret[1]), f"{short(row.regret[0], 2)}\N{EN DASH}{short(row.regret[2], 2)}"
            best = row.regret[1] == least
            table.add_row(
                f"  {row.searcher}", f"[bold]{median}[/bold]" if best else median, band, seeds(row),
                f"{row.failed}/{row.trials}", short(row.seconds), short(row.work),
            )  # fmt: skip
        table.add_section()
    return table


def regret_caption(rows: Sequence[SearcherOutcome]) -> str:
    """What the columns of regret mean."""
    text = "Median and quartiles over seeds; lowest median in bold."
    if any(not row.optimum_known for row in rows):
        text += " * optimum unknown: the gap to the best value found here by any searcher."
    if any(row.finished < row.asked for row in rows):
        text += " seeds: finished/asked for; unfinished ones count with the trials they have."
    if early := sum(row.early for row in rows):
        text += f" {early} of {sum(row.seeds for row in rows)} runs ended before their budget was spent."
    units = dict.fromkeys((row.problem, row.work_unit) for row in rows if row.work_unit)
    named = {unit for _, unit in units}
    unit = named.pop() if len(named) == 1 else "; ".join(f"{problem}: {unit}" for problem, unit in units)
    return (
        text + " failed: failed trials of all; s/ask: median seconds per suggestion after the initial design; "
        f"work: median per run ({unit})."
    )


def _health_table(searcher: str, rows: Sequence[PosteriorHealth]) -> Table:
    table = _table(f"Posterior health: {searcher}")
    table.add_column("problem", overflow="fold")
    for name in (
        "fits",
        "R-hat\nok",
        "ESS\nok",
        "max\nR-hat",
        "min\nESS",
        "diver-\ngences",
        "s per\nfit",
        "s per\nmax.",
    ):
        table.add_column(name, justify="right", no_wrap=True)
    for row in rows:
        if row.problem is None:
            table.add_section()
        table.add_row(
            row.problem or "all", str(row.fits), percent(row.rhat_share), percent(row.ess_share),
            "-" if math.isnan(row.rhat_max) else f"{row.rhat_max:.4f}", short(row.ess_min),
            "-" if row.divergences is None else str(row.divergences),
            short(row.seconds_fit), short(row.seconds_maximise),
        )  # fmt: skip
    return table


def health_caption(total: PosteriorHealth) -> str:
    """What became of a searcher's fits, and what the columns of health mean."""
    statuses = ", ".join(f"{name} {count}" for name, count in total.statuses.items())
    actions = ", ".join(f"{name} {count}" for name, count in total.actions.items())
    return (
        f"Status: {statuses}. Action: {actions}. R-hat ok: share of fits with R-hat < {RHAT_LIMIT:g} for every "
        f"parameter; ESS ok: with bulk effective sample size > {ESS_LIMIT:g}; seconds: medians, max. = maximising the "
        "acquisition."
    )


def _table(title: str) -> Table:
    return Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))


def _caption(console: Console, text: str) -> None:
    console.print(text, style="dim", highlight=False, markup=False)
    console.print()


def seeds(row: SearcherOutcome) -> str:
    """How many runs have come to their end, of how many where these are more."""
    return str(row.asked) if row.finished == row.asked else f"{row.finished}/{row.asked}"


def short(value: float, digits: int = 3) -> str:
    """A number to some significant digits, whole numbers without a point; "-" for NaN."""
    if math.isnan(value):
        return "-"
    if value == round(value) and abs(value) < 1e5:
        return str(round(value))
    if 1e-3 <= abs(value) < 1e5:
        return f"{value:.{max(0, digits - 1 - math.floor(math.log10(abs(value))))}f}"
    mantissa, exponent = f"{value:.1e}".split("e")
    return f"{mantissa}e{int(exponent)}"


def percent(share: float) -> str:
    """A share in whole per cent, rounded down so that 100 % means all."""
    return f"{math.floor(share * 100 + 1e-9)}%"
