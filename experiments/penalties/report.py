"""What gradients bring: the table of `experiment.toml`.

uv run python -m experiments.penalties.report results/penalties
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from bayeshpo.analysis.traces import Traces
from bayeshpo.experiment.store import Results

HERE = Path(__file__).resolve().parent
WITHIN = 0.01
AFTER = (4, 8, 12, 14)


def main() -> None:
    """Write table.md beside this file, and print it."""
    results = Results(Path(sys.argv[1]))
    traces = Traces.of_results(results, results.runs())
    within = WITHIN * abs(float(traces.references[0]))
    lines = [
        f"Median regret, seeds: {len(traces.seeds)}; trials until it is within {WITHIN:.0%} of the optimum's value, by "
        "seed ('-': not reached); seconds of a proposal.",
        "",
        f"| searcher | {' | '.join(f'after {n}' for n in AFTER)} | to {WITHIN:.0%} | seconds |",
        "|---" * (len(AFTER) + 3) + "|",
    ]
    assert traces.costs is not None
    for searcher, regret, spent in zip(traces.searchers, traces.regret[0], traces.costs.searching[0], strict=True):
        medians = [f"{np.median(regret[:, n - 1]):.2g}" for n in AFTER]
        reached = [np.flatnonzero(run <= within) for run in regret]
        trials = ", ".join(str(places[0] + 1) if places.size else "-" for places in reached)
        seconds = np.median(spent[:, -1]) / traces.budgets[0]
        lines.append(f"| {searcher} | {' | '.join(medians)} | {trials} | {seconds:.2g} |")
    (HERE / "table.md").write_text("\n".join(lines) + "\n")
    print("\n".join(lines))


if __name__ == "__main__":
    main()
