"""What `experiments/peers.toml` has found: mean ranks by suite, and the default's one-step-ahead coverage, as table.md.

uv run python -m experiments.peers.report results/peers
"""

from __future__ import annotations

import argparse
import tomllib
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from scipy.stats import rankdata

from bayeshpo.analysis.ahead import Ahead
from bayeshpo.analysis.fits import fits_of
from bayeshpo.analysis.regret import Regret, simple_regret
from bayeshpo.experiment.store import Results, RunRecord

_EXPERIMENT = Path(__file__).parents[1] / "peers.toml"
_OURS = "bayesian"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("results", type=Path)
    parser.add_argument("--output", type=Path, default=Path(__file__).parent / "table.md")
    arguments = parser.parse_args()
    runs = _whole_seeds(Results(arguments.results).runs())
    entries = tomllib.loads(_EXPERIMENT.read_text(encoding="utf-8"))["problems"]
    suites = {entry["suite"]: entry["only"] for entry in entries}
    regrets = simple_regret(runs)
    text = "\n".join([*_ranks(regrets, runs, suites), "", *_medians(regrets), "", *_coverage(runs, suites)])
    arguments.output.write_text(text + "\n", encoding="utf-8")
    print(text)


def _whole_seeds(runs: Sequence[RunRecord]) -> list[RunRecord]:
    """Runs of the seeds of which all are finished."""
    open_seeds = {run.seed for run in runs if run.done is None}
    most = max(sum(run.seed == seed for run in runs) for seed in {run.seed for run in runs})
    whole = {s for s in {run.seed for run in runs} - open_seeds if sum(run.seed == s for run in runs) == most}
    return [run for run in runs if run.seed in whole]


def _ranks(regrets: Sequence[Regret], runs: Sequence[RunRecord], suites: dict[str, list[str]]) -> list[str]:
    """A row a searcher: mean ranks over problems and seeds, in all and by suite, among those that worked on all."""
    everywhere = _searchers(regrets, [r.problem for r in regrets])
    unconditional = [r.problem for r in regrets if r.problem not in suites["conditional"]]
    columns = {"all": _mean_ranks(regrets, [r.problem for r in regrets])}
    columns["without conditions"] = _mean_ranks(regrets, unconditional)
    columns |= {suite: _mean_ranks(regrets, problems) for suite, problems in suites.items()}
    searchers = list(dict.fromkeys(r.searcher for r in regrets))
    searchers.sort(key=lambda s: columns["without conditions"].get(s, np.inf))
    seeds = len({run.seed for run in runs})
    lines = [
        f"Mean ranks of simple regret after {runs[0].spec['budget']} trials, {seeds} seeds, among the searchers that",
        f"worked on all of a column's problems ({len(everywhere)} on all 20). Seconds: median of a proposal, one core.",
        "",
        f"| searcher | {' | '.join(columns)} | seconds |",
        f"|---|{'---|' * len(columns)}---|",
    ]
    for searcher in searchers:
        cells = [f"{c[searcher]:.2f}" if searcher in c else "" for c in columns.values()]
        lines.append(f"| {searcher} | {' | '.join(cells)} | {_seconds(runs, searcher):.3f} |")
    return lines


def _searchers(regrets: Sequence[Regret], problems: Iterable[str]) -> list[str]:
    """Those that worked on all problems."""
    wanted = set(problems)
    searchers = dict.fromkeys(r.searcher for r in regrets)
    return [s for s in searchers if wanted <= {r.problem for r in regrets if r.searcher == s}]


def _mean_ranks(regrets: Sequence[Regret], problems: Iterable[str]) -> dict[str, float]:
    wanted = list(dict.fromkeys(problems))
    searchers = _searchers(regrets, wanted)
    final = {(r.problem, r.searcher): r.final for r in regrets}
    ranks = [rankdata(np.stack([final[problem, s] for s in searchers]), axis=0) for problem in wanted]
    return dict(zip(searchers, np.concatenate(ranks, axis=1).mean(axis=1), strict=True))


def _seconds(runs: Sequence[RunRecord], searcher: str) -> float:
    return float(np.median([t["seconds_ask"] for run in runs if run.searcher == searcher for t in run.trials]))


def _medians(regrets: Sequence[Regret]) -> list[str]:
    """A row a problem: median regret of each searcher."""
    searchers = list(dict.fromkeys(r.searcher for r in regrets))
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


def _coverage(runs: Sequence[RunRecord], suites: dict[str, list[str]]) -> list[str]:
    """A row a suite: how many of the default's one-step-ahead intervals held."""
    lines = [
        "One-step-ahead intervals of the default surrogate: share that held the next trial's loss (95 % interval).",
        "",
        "| suite | in 50 % | in 90 % | predictions |",
        "|---|---|---|---|",
    ]
    for suite, problems in (suites | {"all": [p for members in suites.values() for p in members]}).items():
        own = [run for run in runs if run.searcher == _OURS and run.problem in problems]
        ahead = Ahead.of(fits_of(own))
        cells = [f"{c.share:.1%} ({c.low:.1%} to {c.high:.1%})" for c in ahead.coverage]
        lines.append(f"| {suite} | {' | '.join(cells)} | {len(ahead)} |")
    return lines


if __name__ == "__main__":
    main()
