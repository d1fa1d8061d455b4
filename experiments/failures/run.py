"""Search where configurations fail, with a learnt probability of finishing (the default) and without one.

    uv run python experiments/failures/run.py [--seeds 4]

Branin's function where a part of the space raises. Failed: the share of proposals after the initial design that did.
Regret: the best value less the lowest that can be had. Every finished run is a line of the record
(results/failures/runs.jsonl by default), so a run that was stopped goes on; the table is printed and written beside it.
"""

from __future__ import annotations

import argparse
import itertools
from collections.abc import Callable
from pathlib import Path
from statistics import mean, median
from typing import Any

import numpy as np

import bayeshpo
from bayeshpo.acquisitions import feasibility
from bayeshpo.acquisitions.feasibility import Feasibility
from bayeshpo.experiment.rows import Rows
from bayeshpo.parallel import one_blas_thread
from bayeshpo.problems.synthetic import Branin

TRIALS = 30
PROBLEM = Branin()
_ZOOMS = 5
CASES: dict[str, Callable[[np.ndarray], bool]] = {
    "beyond half of a number's range": lambda x: bool(x[0] > 5.0),
    "around one of three minima": lambda x: bool((x[0] - np.pi) ** 2 + (x[1] - 2.275) ** 2 < 9.0),
    "across an edge towards which the loss falls": lambda x: bool(x[0] + x[1] < 11.0),
}


class Sure(Feasibility):
    """Nothing is learnt from failures."""

    @classmethod
    def of(cls, *_: Any) -> Feasibility:
        """All are sure to finish."""
        return cls()


VARIANTS = {"learnt": Feasibility, "not learnt": Sure, "random search": Feasibility}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=4)
    parser.add_argument("--output", type=Path, default=Path("results/failures"))
    arguments = parser.parse_args()
    rows = Rows(arguments.output / "runs.jsonl", "case", "variant", "seed")
    for seed, case, variant in itertools.product(range(arguments.seeds), CASES, VARIANTS):
        row = {"case": case, "variant": variant, "seed": seed}
        if row not in rows:
            rows.add(row | _run(**row))
    text = "\n".join(_table(rows.finished))
    (arguments.output / "table.md").write_text(text + "\n")
    print(text)


def _run(case: str, variant: str, seed: int) -> dict[str, float]:
    feasibility.Feasibility = VARIANTS[variant]

    def evaluate(configuration: dict[str, Any]) -> float:
        x = _point(configuration)
        if CASES[case](x):
            raise MemoryError("no")
        return PROBLEM.function(x)

    searcher = bayeshpo.RandomSearcher() if variant == "random search" else bayeshpo.BayesianSearcher()
    study = bayeshpo.Study(PROBLEM.space, searcher, seed=seed, name="failures")
    with one_blas_thread():
        best = study.optimize(evaluate, budget=TRIALS, progress=False).value
    proposed = [t for t in study.history.trials if t.suggestion.origin != "initial"]
    assert best is not None
    return {"failed": mean(not t.finished for t in proposed), "regret": best - _lowest(case)}


def _lowest(case: str) -> float:
    """The lowest value of what finishes, on ever finer grids."""
    centre, reach, lowest = np.full(2, 0.5), 0.5, np.inf
    axis = np.linspace(-1.0, 1.0, 101)
    offsets = np.stack(np.meshgrid(axis, axis), axis=2).reshape(-1, 2)
    for _ in range(_ZOOMS):
        grid = np.clip(centre + reach * offsets, 0.0, 1.0)
        points = [_point(c) for c in PROBLEM.space.decode(grid)]
        values = [np.inf if CASES[case](x) else PROBLEM.function(x) for x in points]
        lowest, centre, reach = min(values), grid[int(np.argmin(values))], reach / 10.0
    return lowest


def _point(configuration: dict[str, Any]) -> np.ndarray:
    return np.array([configuration[name] for name in PROBLEM.space.names])


def _table(rows: list[dict[str, Any]]) -> list[str]:
    lines = ["| what fails | " + " | ".join(f"{v}: failed, regret" for v in VARIANTS) + " |", "|---|---|---|---|"]
    for case in CASES:
        cells = []
        for variant in VARIANTS:
            found = [r for r in rows if (r["case"], r["variant"]) == (case, variant)]
            regret = median(r["regret"] for r in found)
            worst = max(r["regret"] for r in found)
            cells.append(f"{mean(r['failed'] for r in found):.0%}, {regret:.2g} (worst {worst:.2g})")
        lines.append(f"| {case} | " + " | ".join(cells) + " |")
    return lines


if __name__ == "__main__":
    main()
