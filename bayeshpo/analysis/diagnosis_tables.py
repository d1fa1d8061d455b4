"""The record of `bayeshpo diagnose` on the terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from bayeshpo.analysis.ahead import NOMINAL
from bayeshpo.analysis.checks import CHECKS, FAILED, OTHER

_HEADINGS = {"divergences": "diver-\ngences"}
# What of a decision is shown, by its heading.
_APART = {"point\nestimate": "point_distance", "two\nhalves": "halves_distance"}
_COLORS = {"yes": "green", "with care": "yellow", "unknown": "yellow", "no": "red"}


def print_diagnosis(record: Mapping[str, Any], console: Console) -> None:
    """What was looked at, which checks failed, what was done, coverage, and a verdict for each searcher.

    Fits a terminal of 80 columns.
    """
    searchers = record["searchers"]
    fits, fitted = sum(s["fits"] for s in searchers), sum(s["runs"] for s in searchers)
    audits = sum(sum(s["audits"].values()) for s in searchers)
    console.print(
        f"[bold]{record['name']}[/bold]: {fits} fits of a surrogate in {fitted} of {record['runs']} runs, "
        f"{audits} of them audited by a fresh run of NUTS",
        highlight=False,
        soft_wrap=True,
    )
    console.print(_checks(searchers))
    _dim(console, f"Limits: {_in_words(_limits(searchers, of_draws=True))}. 1/4: one of the four that have the number.")
    if any(found["decisions"] for found in searchers):
        console.print(_closely(searchers))
        _dim(
            console,
            "Fits beyond a limit, which is no complaint about them: some trial weighs too much to be left out (LOO "
            "k-hat), and a prior matters beside the data (psense). Medians of how far the proposal of a point "
            "estimate is from that of all draws, and those of the two halves of the draws from each other, in the unit "
            f"cube. Limits: {_in_words(_limits(searchers, of_draws=False))}.",
        )
    for found in searchers:
        _dim(console, f"{found['searcher']}: {_actions(found)}")
    if any(found["ahead"] for found in searchers):
        console.print(_ahead(searchers))
        _dim(
            console,
            "Predictions of each next trial before it was told. Shares inside of central intervals, with 95 % binomial "
            "intervals; p: that places of outcomes in their predictive distributions are uniform, of all, of the first "
            "and of the second half of each run; score: mean log predictive density, to compare searchers on the "
            "same problems by.",
        )
    if any(found["ahead_by_problem"] for found in searchers):
        console.print(_ahead_by_problem(searchers))
        _dim(console, "*: the nominal share is outside of the 95 % binomial interval.")
    if regression := record.get("regression"):
        report = regression["report"]
        checks = (
            f"Regression of the next trial's regret on diagnostics: {regression['fits']} fits on "
            f"{len(regression['problems'])} problems, R-hat {report['rhat_max']:.3f}, bulk ESS "
            f"{report['ess_bulk_min']:.0f}, {report['divergences']} divergences, {report['seconds_sample']:.0f} s."
        )
        _dim(console, checks)
        console.print(regression["claim"], highlight=False, markup=False)
    for found in searchers:
        color = _COLORS[found["trust"]]
        console.print(f"[{color}]{escape(found['searcher'])}[/{color}]: {escape(found['verdict'])}", highlight=False)


def _checks(searchers: Any) -> Table:
    table, names = _by_searcher("Fits that did not pass a check"), list(_limits(searchers, of_draws=True))
    for name in ("fits", "passed", *(_HEADINGS.get(name, name.replace(" ", "\n")) for name in names)):
        table.add_column(name, justify="right", no_wrap=True)
    for found in searchers:
        own = {c["name"]: c for c in found["checks"]}
        cells = [_failed(own.get(name), found["fits"]) for name in names]
        table.add_row(escape(found["searcher"]), str(found["fits"]), str(found["passed"]), *cells)
    return table


def _limits(searchers: Any, *, of_draws: bool) -> dict[str, list[str]]:
    """The checks that some fit was held to, in their order, each with its limits in words."""
    limits: dict[str, dict[str, None]] = {name: {} for name in (*(c.name for c in CHECKS), OTHER, FAILED)}
    for check in (c for found in searchers for c in found["checks"] if c["of_draws"] == of_draws):
        limits[check["name"]][check["limit"]] = None
    return {name: list(own) for name, own in limits.items() if own}


def _in_words(limits: Mapping[str, Sequence[str]]) -> str:
    return ", ".join(f"{name} {' or '.join(own)}" for name, own in limits.items())


def _closely(searchers: Any) -> Table:
    table, names = _by_searcher("Looked at closely"), list(_limits(searchers, of_draws=False))
    for name in ("fits", *(name.replace(" ", "\n") for name in names), *_APART):
        table.add_column(name, justify="right", no_wrap=True)
    for found in (s for s in searchers if s["decisions"]):
        decisions, own = found["decisions"], {c["name"]: c for c in found["checks"]}
        cells = [_failed(own.get(name), decisions["examined"]) for name in names]
        apart = [f"{decisions[name]:.2g}" if name in decisions else "-" for name in _APART.values()]
        table.add_row(escape(found["searcher"]), str(decisions["examined"]), *cells, *apart)
    return table


def _failed(check: Mapping[str, Any] | None, fits: int) -> str:
    """How many failed; of how many, where not all fits have the number."""
    if check is None:
        return "-"
    return f"{check['failed']}" if check["of"] == fits else f"{check['failed']}/{check['of']}"


def _actions(found: Mapping[str, Any]) -> str:
    done = ", ".join(f"{action} {count}" for action, count in found["actions"].items())
    text = f"{done}."
    if found["audits"]:
        text += " Audits: " + ", ".join(f"{status} {count}" for status, count in found["audits"].items()) + "."
    if found["diagnosing"] is not None:
        text += f" Diagnostics of every fit: {found['diagnosing']:.1%} of the seconds of suggestions."
    return text


def _ahead(searchers: Any) -> Table:
    table = _by_searcher("One step ahead")
    for name in ("n", *(f"in {q:.0%}" for q in NOMINAL), "p", "1st", "2nd", "score"):
        table.add_column(name, justify="right", no_wrap=True)
    for found in searchers:
        ahead = found["ahead"]
        if ahead is None:
            table.add_row(escape(found["searcher"]), "0", *["-"] * (len(NOMINAL) + 4))
            continue
        p = [ahead["uniformity"], *ahead["uniformity_halves"].values()]
        score = "-" if ahead["log_score"] is None else f"{ahead['log_score']:.2f}"
        table.add_row(
            escape(found["searcher"]),
            str(ahead["trials"]),
            *map(_share, ahead["intervals"]),
            *("-" if v is None else f"{v:.1g}" for v in p),
            score,
        )
    return table


def _ahead_by_problem(searchers: Any) -> Table:
    table = _by_searcher("One step ahead, by problem")
    table.add_column("problem", overflow="fold")
    for name in ("n", *(f"in {q:.0%}" for q in NOMINAL)):
        table.add_column(name, justify="right", no_wrap=True)
    for found in searchers:
        for problem, ahead in found["ahead_by_problem"].items():
            marks = ["" if i["low"] <= i["nominal"] <= i["high"] else " *" for i in ahead["intervals"]]
            shares = [_share(i) + mark for i, mark in zip(ahead["intervals"], marks, strict=True)]
            table.add_row(escape(found["searcher"]), escape(problem), str(ahead["trials"]), *shares)
    return table


def _share(interval: Mapping[str, float]) -> str:
    return f"{interval['share']:.0%} ({100 * interval['low']:.0f}-{100 * interval['high']:.0f})"


def _by_searcher(title: str) -> Table:
    """Of numbers and their names nothing is cut; a searcher's name goes on in the next line."""
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("searcher", overflow="fold")
    return table


def _dim(console: Console, text: str) -> None:
    console.print(text, style="dim", highlight=False, markup=False)
