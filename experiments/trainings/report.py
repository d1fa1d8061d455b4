"""What the experiments with learning curves have found: regret by how much of the work is done, as table.md.

uv run python -m experiments.trainings.report results/trainings-taskset results/trainings-lcbench
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from scipy.stats import rankdata

from bayeshpo.analysis.costs import against_cost
from bayeshpo.analysis.traces import Traces
from bayeshpo.experiment.rules import parse
from bayeshpo.experiment.store import Results, RunRecord
from bayeshpo.stopping import Work

# Whole trainings' worth of work that a run has, and after how many of them searchers are compared.
_TRAININGS = 16
_AFTER = (4, 8, 12, 16)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("results", nargs="+", type=Path)
    parser.add_argument("--output", type=Path, default=Path(__file__).parent / "table.md")
    arguments = parser.parse_args()
    text = "\n".join(line for path in arguments.results for line in _section(Results(path)))
    arguments.output.write_text(text, encoding="utf-8")
    print(text)


def _section(results: Results) -> list[str]:
    runs = results.runs()
    traces = Traces.of_results(results, runs).comparable()
    finished = traces.whole.all(axis=(0, 1))
    seeds = np.array(traces.seeds)[finished]
    regret = _after(traces, runs[0])[:, :, finished]
    ranks = rankdata(np.nan_to_num(regret, nan=np.inf), axis=1).mean(axis=(0, 2))
    columns = [f"after {n}" for n in _AFTER]
    lines = [
        f"{results.experiment['name']}: mean rank by regret after so many trainings' work;",
        f"{len(traces.problems)} tasks, {len(seeds)} seeds. Seconds of a run's proposals: median and sum, one core.",
        "",
        f"| searcher | {' | '.join(columns)} | trials | seconds | in all | fits ok |",
        f"|---|{'---|' * (len(columns) + 4)}",
    ]
    for s, searcher in enumerate(traces.searchers):
        own = [run for run in runs if run.searcher == searcher and run.seed in seeds]
        cells = [f"{rank:.2f}" for rank in ranks[s]] + _effort(own)
        lines.append(f"| {searcher} | {' | '.join(cells)} |")
    lines += ["", f"Median regret after {_TRAININGS}, of the log loss.", ""]
    lines += [f"| task | {' | '.join(traces.searchers)} |", f"|---|{'---|' * len(traces.searchers)}"]
    for problem, own in zip(traces.problems, regret, strict=True):
        lines.append(f"| {problem} | {' | '.join(f'{v:.3f}' for v in np.median(own[..., -1], axis=1))} |")
    return [*lines, ""]


def _after(traces: Traces, run: RunRecord) -> np.ndarray:
    """Regret (P, S, R, len(_AFTER)) after the work of so many trainings."""
    rule = parse(run.spec["stop"])
    assert isinstance(rule, Work)
    assert traces.costs is not None
    # Sums of parts of trainings are off by rounding.
    grid = np.array(_AFTER) / _TRAININGS * rule.work * (1.0 + 1e-9)
    shape = traces.regret.shape
    flat = against_cost(traces.regret.reshape(-1, shape[-1]), traces.costs.work.reshape(-1, shape[-1]), grid)
    return flat.reshape(*shape[:3], len(grid))


def _effort(runs: Sequence[RunRecord]) -> list[str]:
    seconds = [[t["seconds_ask"] for t in run.trials] for run in runs]
    fits = [row["status"] == "ok" for run in runs for row in run.inference]
    return [
        f"{np.median([len(s) for s in seconds]):.0f}",
        f"{np.median(np.concatenate(seconds)):.2f}",
        f"{np.median([sum(s) for s in seconds]):.0f}",
        f"{np.mean(fits):.0%}" if fits else "",
    ]


if __name__ == "__main__":
    main()
