"""Tables of an experiment whose problems are of suites: mean ranks, median regrets, one-step-ahead coverage."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
from scipy.stats import rankdata

from bayeshpo.analysis.ahead import Ahead
from bayeshpo.analysis.fits import fits_of
from bayeshpo.analysis.regret import Regret
from bayeshpo.experiment.store import RunRecord

Suites = Mapping[str, Sequence[str]]


def suites(file: Path) -> Suites:
    """Labels of the problems of an experiment's file, by suite."""
    entries = tomllib.loads(file.read_text(encoding="utf-8"))["problems"]
    return {entry["suite"]: entry["only"] for entry in entries}


def with_all(of: Suites) -> Suites:
    """The suites, and the problems of all of them as the last."""
    return {**of, "all": [problem for members in of.values() for problem in members]}


def whole_seeds(runs: Sequence[RunRecord]) -> list[RunRecord]:
    """Runs of the seeds of which all are finished."""
    open_seeds = {run.seed for run in runs if run.done is None}
    most = max(sum(run.seed == seed for run in runs) for seed in {run.seed for run in runs})
    whole = {s for s in {run.seed for run in runs} - open_seeds if sum(run.seed == s for run in runs) == most}
    return [run for run in runs if run.seed in whole]


def ranks(regrets: Sequence[Regret], runs: Sequence[RunRecord], of: Suites) -> list[str]:
    """A row a searcher: mean ranks over problems and seeds, in all and by suite, among those that worked on all."""
    problems = with_all(of)["all"]
    columns = {"all": _mean_ranks(regrets, problems)}
    if "conditional" in of:
        columns["without conditions"] = _mean_ranks(regrets, [p for p in problems if p not in of["conditional"]])
    order = columns.get("without conditions", columns["all"])
    searchers = sorted(_labels(regrets), key=lambda s: order.get(s, np.inf))
    columns |= {suite: _mean_ranks(regrets, members) for suite, members in of.items()}
    lines = [
        f"Mean ranks of simple regret after {runs[0].spec['budget']} trials, {len({run.seed for run in runs})} seeds, "
        "among the searchers that",
        f"worked on all of a column's problems ({len(columns['all'])} on all {len(problems)}). Seconds: median of a "
        "proposal, one core.",
        "",
        f"| searcher | {' | '.join(columns)} | seconds |",
        f"|---|{'---|' * len(columns)}---|",
    ]
    for searcher in searchers:
        cells = [f"{c[searcher]:.2f}" if searcher in c else "" for c in columns.values()]
        lines.append(f"| {searcher} | {' | '.join(cells)} | {_seconds(runs, searcher):.3f} |")
    return lines


def medians(regrets: Sequence[Regret]) -> list[str]:
    """A row a problem: median regret of each searcher."""
    searchers = _labels(regrets)
    final = {(r.problem, r.searcher): float(np.median(r.final)) for r in regrets}
    lines = [
        "Median simple regret; from the best value found where the optimum is not known.",
        "",
        f"| problem | {' | '.join(searchers)} |",
        f"|---|{'---|' * len(searchers)}",
    ]
    for problem in dict.fromkeys(r.problem for r in regrets):
        cells = [f"{final[problem, s]:.3g}" if (problem, s) in final else "" for s in searchers]
        lines.append(f"| {problem} | {' | '.join(cells)} |")
    return lines


def coverage(runs: Sequence[RunRecord], of: Suites, searcher: str) -> list[str]:
    """A row a suite: how many of a searcher's one-step-ahead intervals held."""
    lines = [
        f"One-step-ahead intervals of `{searcher}`: share that held the next trial's loss (95 % interval).",
        "",
        "| suite | in 50 % | in 90 % | predictions |",
        "|---|---|---|---|",
    ]
    for suite, problems in with_all(of).items():
        own = [run for run in runs if run.searcher == searcher and run.problem in problems]
        ahead = Ahead.of(fits_of(own))
        cells = [f"{c.share:.1%} ({c.low:.1%} to {c.high:.1%})" for c in ahead.coverage]
        lines.append(f"| {suite} | {' | '.join(cells)} | {len(ahead)} |")
    return lines


def _mean_ranks(regrets: Sequence[Regret], problems: Iterable[str]) -> dict[str, float]:
    """Of those searchers that worked on all problems."""
    wanted = list(problems)
    searchers = [s for s in _labels(regrets) if set(wanted) <= {r.problem for r in regrets if r.searcher == s}]
    final = {(r.problem, r.searcher): r.final for r in regrets}
    placed = [rankdata(np.stack([final[problem, s] for s in searchers]), axis=0) for problem in wanted]
    return dict(zip(searchers, np.concatenate(placed, axis=1).mean(axis=1), strict=True))


def _labels(regrets: Sequence[Regret]) -> list[str]:
    return list(dict.fromkeys(r.searcher for r in regrets))


def _seconds(runs: Sequence[RunRecord], searcher: str) -> float:
    return float(np.median([t["seconds_ask"] for run in runs if run.searcher == searcher for t in run.trials]))
