"""What the diagnostics of every fit cost, their share of a suggestion's seconds; and what a close look costs.

    uv run python -m experiments.diagnostics.cost [--steps 8]

A study goes on from n uniform trials of Branin (two hyperparameters) or Hartmann's function (six). Its first suggestion
compiles and is left out; of those that follow, the row of inference says how long was sampled, maximised and diagnosed:
convergence (`rhat_max` and the like), prediction of the trial that came, and information. Each is looked at closely too
(`examine_every=1`), which is no part of a suggestion and stands beside it. Seconds are of the processor,
so that what else the machine does is not in them. The table is written to results/diagnostics_cost/cost.md.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np

from bayeshpo import BayesianSearcher, Study
from bayeshpo.analysis.fits import column
from bayeshpo.parallel import one_blas_thread
from bayeshpo.problems.synthetic import Branin, Hartmann6
from bayeshpo.testing.trials import history_of

PROBLEMS = (Branin(), Hartmann6())
ENGINES = ("sequential", "nuts")
SIZES = (10, 20, 50, 100)
_PARTS = ("sample", "maximise", "diagnose", "examine")


def seconds(problem: Branin | Hartmann6, engine: str, n: int, steps: int) -> np.ndarray:
    """Seconds (4, steps) of sampling, maximising, diagnosing and looking closely of each suggestion."""
    configurations = problem.space.decode(problem.space.sample(n, np.random.default_rng(0)))
    told = history_of(problem.space, configurations, [problem.true_value(c) for c in configurations])
    study = Study(problem.space, BayesianSearcher(inference=engine, examine_every=1), seed=0, trials=told.trials)
    study.optimize(problem.true_value, budget=n + 1 + steps, progress=False)
    return np.stack([column(study.reports[1:], f"seconds_{part}") for part in _PARTS])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, default=Path("results/diagnostics_cost"))
    parser.add_argument("--steps", type=int, default=8)
    arguments = parser.parse_args()
    lines = [
        f"Milliseconds of the processor, medians of {arguments.steps} suggestions from n trials on, and the share of "
        "diagnosing in all three; beside them what a close look took.",
        "",
        "| hyperparameters | engine | n | fit | proposal | diagnosing | close look | share, median | largest |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    # Every clock of the package.
    time.perf_counter = time.process_time
    with one_blas_thread():
        for problem in PROBLEMS:
            for engine in ENGINES:
                for n in SIZES:
                    parts = seconds(problem, engine, n, arguments.steps)
                    share = parts[2] / parts[:3].sum(axis=0)
                    cells = (*(f"{1e3 * v:.0f}" for v in np.median(parts, axis=1)),
                             f"{np.median(share):.1%}", f"{share.max():.1%}")  # fmt: skip
                    lines.append(f"| {problem.space.dimension} | {engine} | {n} | " + " | ".join(cells) + " |")
                    print(lines[-1], flush=True)
    arguments.output.mkdir(parents=True, exist_ok=True)
    (arguments.output / "cost.md").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
