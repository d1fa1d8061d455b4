"""Bayesian search that is told gradients (`derivative`) beside one that is not (`gp`), and descent on gradients alone.

    uv run python experiments/gradients/run.py [--seeds 5] [--trials 20]

The problem is logistic_breast_cancer: three penalties, whose exact hypergradient costs no further pass over the data.
Regret is the best value so far less the optimum; work counts passes. Every finished run is a line of the record
(results/gradients/runs.jsonl by default), so a run that was stopped goes on; the table is printed and written beside.
"""

from __future__ import annotations

import argparse
import itertools
import json
import time
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

import bayeshpo
from bayeshpo.parallel import one_blas_thread
from bayeshpo.problems.logistic_breast_cancer import LogisticBreastCancer
from bayeshpo.searchers.gradient.hypergradient import HypergradientSearcher

PROBLEM = LogisticBreastCancer()
SEARCHERS = {
    "`derivative`": lambda: bayeshpo.BayesianSearcher(surrogate="derivative"),
    "`gp`": lambda: bayeshpo.BayesianSearcher(surrogate="gp"),
    "hypergradient descent": HypergradientSearcher,
    "random search": bayeshpo.RandomSearcher,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--trials", type=int, default=20)
    parser.add_argument("--output", type=Path, default=Path("results/gradients"))
    arguments = parser.parse_args()
    arguments.output.mkdir(parents=True, exist_ok=True)
    path = arguments.output / "runs.jsonl"
    known = {_key(row) for row in _read(path)}
    for seed, name in itertools.product(range(arguments.seeds), SEARCHERS):
        row = {"searcher": name, "seed": seed, "trials": arguments.trials}
        if _key(row) not in known:
            with path.open("a") as file:
                file.write(json.dumps(row | _run(name, seed, arguments.trials)) + "\n")
    text = "\n".join(_table([r for r in _read(path) if r["trials"] == arguments.trials], arguments.trials))
    (arguments.output / "table.md").write_text(text + "\n")
    print(text)


def _run(name: str, seed: int, trials: int) -> dict[str, Any]:
    study, start = bayeshpo.Study(PROBLEM.space, SEARCHERS[name](), seed=seed, name=PROBLEM.name), time.perf_counter()
    with one_blas_thread():
        study.optimize(PROBLEM, trials, progress=False)
    best = np.minimum.accumulate(study.history.losses) - PROBLEM.optimum
    fits = study.inference
    return {
        "regret": best.tolist(),
        "work": [t.outcome.work for t in study.history.trials],
        "fits_ok": None if fits.empty else int((fits["status"] == "ok").sum()),
        "gate_shut": int(fits["gate_shut"].sum()) if "gate_shut" in fits else None,
        "seconds_fit": None if fits.empty else float(fits["seconds_sample"].median()),
        "seconds": time.perf_counter() - start,
    }


def _table(rows: list[dict[str, Any]], trials: int) -> list[str]:
    at = [n for n in (6, 8, 10, 15, 20, 30) if n < trials] + [trials]
    regrets = " | ".join(f"regret after {n}" for n in at)
    lines = [f"| searcher | {regrets} | passes | seconds a fit | fits ok | gate shut |", "|---" * (len(at) + 5) + "|"]
    for name in SEARCHERS:
        own = [r for r in rows if r["searcher"] == name]
        if not own:
            continue
        cells = [f"{median(r['regret'][n - 1] for r in own):.2g}" for n in at]
        cells.append(f"{median(sum(r['work']) for r in own):.0f}")
        if own[0]["seconds_fit"] is not None:
            cells.append(f"{median(r['seconds_fit'] for r in own):.1f}")
            cells.append(f"{sum(r['fits_ok'] for r in own)}")
        cells += ["" if own[0]["gate_shut"] is None else f"{sum(r['gate_shut'] for r in own)}"]
        cells += [""] * (len(at) + 4 - len(cells))
        lines.append("| " + " | ".join([name, *cells]) + " |")
    return lines


def _key(row: dict[str, Any]) -> tuple[Any, ...]:
    return row["searcher"], row["seed"], row["trials"]


def _read(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


if __name__ == "__main__":
    main()
