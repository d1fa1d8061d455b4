"""How long do collecting and drawing take, and how much memory, by the number of runs?

    uv run python experiments/harness/run.py [--runs 250 1000] [--trials 100]

Results folders are synthesised in the format of the store: ten problems, five searchers, any number of seeds. Each
number is of a process of its own. Writes table.md.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from bayeshpo.experiment.store import Results, plain, write_json
from bayeshpo.trial import Outcome, Suggestion, Trial

HERE = Path(__file__).resolve().parent
PROBLEMS = [f"problem_{p}" for p in range(10)]
SEARCHERS = ["random", "sobol", "bayesian", "annealing", "evolution"]


def main() -> None:
    """Measure each number of runs, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, nargs="+", default=[250, 1000], help="multiples of 50")
    parser.add_argument("--trials", type=int, default=100)
    parser.add_argument("--measure", nargs=2, metavar=("WHAT", "FOLDER"), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.measure:
        measure(*given.measure)
        return
    lines = [
        f"Runs of {given.trials} trials on ten problems with five searchers; seconds of processor and clock, and",
        "the peak of memory of the process, in which some 200 MB are libraries'.",
        "",
        "| runs | collect (processor, clock) | memory | all figures (processor, clock) | memory |",
        "|---|---|---|---|---|",
    ]
    for runs in given.runs:
        with tempfile.TemporaryDirectory() as scratch:
            synthesise(Path(scratch) / "harness", runs // (len(PROBLEMS) * len(SEARCHERS)), given.trials)
            cells = []
            for what in ("collect", "figures"):
                command = [sys.executable, __file__, "--measure", what, str(Path(scratch) / "harness")]
                done = subprocess.run(command, capture_output=True, text=True, check=True)
                found = json.loads(done.stdout.splitlines()[-1])
                cells += [f"{found['processor']:.1f} s, {found['clock']:.1f} s", f"{found['memory']:.0f} MB"]
            lines.append(f"| {runs:,} | {' | '.join(cells)} |")
            print(lines[-1], flush=True)
    (HERE / "table.md").write_text("\n".join(lines) + "\n")


def measure(what: str, folder: str) -> None:
    """Do one thing, and print seconds of processor and clock and the peak of memory (MB)."""
    processor, clock = time.process_time(), time.perf_counter()
    if what == "collect":
        from bayeshpo.experiment.collect import collect

        collect(Results(folder))
    else:
        from bayeshpo.analysis.figures import draw_all

        draw_all(folder)
    found = {
        "processor": time.process_time() - processor,
        "clock": time.perf_counter() - clock,
        "memory": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }
    print(json.dumps(found))


def synthesise(folder: Path, seeds: int, trials: int) -> None:
    """A results folder of random search on one scale, shifted by searcher and problem."""
    parts = [{"name": name, "label": name} for name in PROBLEMS], [{"name": name, "label": name} for name in SEARCHERS]
    folder.mkdir(parents=True)
    write_json(
        folder / "experiment.json",
        {
            "name": "harness",
            "budget": trials,
            "seeds": seeds,
            "keep": "none",
            "problems": parts[0],
            "searchers": parts[1],
        },
    )
    for p, problem in enumerate(parts[0]):
        for s, searcher in enumerate(parts[1]):
            for seed in range(seeds):
                rng = np.random.default_rng([p, s, seed])
                spec = {
                    "problem": problem, "searcher": searcher, "seed": seed, "budget": trials, "direction": "minimize",
                    "optimum": 0.0, "work_unit": "evaluation", "space": ["x0", "x1"], "keep": "none", "stop": None,
                }  # fmt: skip
                write_run(folder / "runs" / f"{p}-{s}-{seed}", spec, rng, exponent=0.5 + 0.1 * s)


def write_run(folder: Path, spec: dict, rng: np.random.Generator, *, exponent: float) -> None:
    """One finished run, whose records are those of real trials with drawn values."""
    folder.mkdir(parents=True)
    n = spec["budget"]
    values = rng.lognormal(size=n) * rng.uniform(size=n) ** (2 * exponent)
    lines = []
    for i, (value, x) in enumerate(zip(values, rng.uniform(size=(n, 2)), strict=True)):
        suggestion = Suggestion({"x0": float(x[0]), "x1": float(x[1])}, i, "random", seconds=1e-4 * (1 + exponent))
        outcome = Outcome(float(value), seconds=float(rng.exponential(0.1)))
        lines.append(json.dumps(plain(Trial(suggestion, outcome).to_record())) + "\n")
    (folder / "trials.jsonl").write_text("".join(lines))
    (folder / "spec.json").write_text(json.dumps(spec))
    done = {
        "status": "finished", "reason": "its budget is spent", "stop": None, "trials": n, "failed": 0,
        "best": float(values.min()), "recommendation": {"index": int(values.argmin())}, "seconds": 1.0,
    }  # fmt: skip
    (folder / "done.json").write_text(json.dumps(done))


if __name__ == "__main__":
    main()
