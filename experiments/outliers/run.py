"""What huge losses do to Bayesian search, with losses capped (the default) and as they are, beside random search.

    uv run python experiments/outliers/run.py [--seeds 4]

One trial in ten comes out 10 to 10^6 too high. Regret is the true value at the recommendation less the optimum. Every
finished run is a line of the record (results/outliers/runs.jsonl by default), so a run that was stopped goes on; the
table is printed and written beside it.
"""

from __future__ import annotations

import argparse
import itertools
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

import bayeshpo
from bayeshpo.experiment.rows import Rows
from bayeshpo.parallel import one_blas_thread
from bayeshpo.problems.synthetic import Branin, Hartmann6
from bayeshpo.surrogates import scale

CAPPED = scale.cap
VARIANTS = {"capped": CAPPED, "as they are": lambda losses: np.inf, "random search": CAPPED}
PROBLEMS = {"branin": (Branin(), 30), "hartmann6": (Hartmann6(), 36)}
OUTLIERS = (0.0, 0.1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=4)
    parser.add_argument("--output", type=Path, default=Path("results/outliers"))
    arguments = parser.parse_args()
    rows = Rows(arguments.output / "runs.jsonl", "problem", "outliers", "variant", "seed")
    for seed, problem, share, variant in itertools.product(range(arguments.seeds), PROBLEMS, OUTLIERS, VARIANTS):
        row = {"problem": problem, "outliers": share, "variant": variant, "seed": seed}
        if row not in rows:
            rows.add(row | {"regret": _regret(**row)})
    text = "\n".join(_table(rows.finished))
    (arguments.output / "table.md").write_text(text + "\n")
    print(text)


def _regret(problem: str, outliers: float, variant: str, seed: int) -> float:
    scale.cap = VARIANTS[variant]
    function, budget = PROBLEMS[problem]
    searcher = bayeshpo.RandomSearcher() if variant == "random search" else bayeshpo.BayesianSearcher()
    study = bayeshpo.Study(function.space, searcher, seed=seed, name=problem)
    with one_blas_thread():
        for i in range(budget):
            suggestion, rng = study.ask(), np.random.default_rng([seed, i])
            wrong = 10.0 ** rng.uniform(1.0, 6.0) if rng.random() < outliers else 0.0
            study.tell(suggestion, _true(function, suggestion.configuration) + wrong)
    recommended = study.recommendation
    assert recommended is not None
    return _true(function, recommended.configuration) - function.optimum


def _true(function: Any, configuration: dict[str, Any]) -> float:
    return function.function(np.array([configuration[name] for name in function.space.names]))


def _table(rows: list[dict[str, Any]]) -> list[str]:
    lines = ["| problem | outliers | " + " | ".join(VARIANTS) + " |", "|---|---|" + "---|" * len(VARIANTS)]
    for problem, share in itertools.product(PROBLEMS, OUTLIERS):
        own = [r for r in rows if (r["problem"], r["outliers"]) == (problem, share)]
        cells = [_cell([r["regret"] for r in own if r["variant"] == variant]) for variant in VARIANTS]
        lines.append(f"| {problem} | {share:.0%} | " + " | ".join(cells) + " |")
    return lines


def _cell(regrets: list[float]) -> str:
    return f"{median(regrets):.3g} (worst of {len(regrets)}: {max(regrets):.3g})" if regrets else ""


if __name__ == "__main__":
    main()
