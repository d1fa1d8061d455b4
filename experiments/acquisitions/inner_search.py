"""The inner search beside dense grids and many random points: is the best that it finds the best there is?

    uv run python -m experiments.acquisitions.inner_search [--posteriors 34]

Posteriors of random functions by the default engine, after 6 to 60 trials, half of them near the best one: on a line
(against 2,001 points), on a plane (against a grid of 301 x 301), and of six hyperparameters, three numbers, an integer,
an ordered and an unordered choice (against 100,000 random points). `log_ei` at what the maximiser returns is compared
with the best of the points, both on all draws: points are sorted out by the draws that the search sees, and the best
200 are scored by all. Every posterior is a line of the record (results/inner_search/posteriors.jsonl by default), so
that a run that was stopped goes on; the table is written beside it.
"""

from __future__ import annotations

import argparse
import itertools
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from ConfigSpace import UniformFloatHyperparameter
from scipy.spatial import KDTree

from bayeshpo.acquisitions.compiled import compiled_acquisition
from bayeshpo.acquisitions.feasibility import Feasibility
from bayeshpo.acquisitions.outlook import Evidence
from bayeshpo.experiment.rows import Rows
from bayeshpo.inference.density import log_density
from bayeshpo.inference.predictive import predictive
from bayeshpo.inference.sequential import Sequential
from bayeshpo.maximizers import Maximizer
from bayeshpo.parallel import one_blas_thread
from bayeshpo.registry import create
from bayeshpo.searchers.objectives import CHOICE_DRAWS, AcquisitionOverDraws
from bayeshpo.space import SearchSpace, as_space
from bayeshpo.surrogates.base import TrainingData
from bayeshpo.surrogates.columns import Columns
from bayeshpo.surrogates.gp import GaussianProcess
from bayeshpo.testing.trials import history_of

# Points that all draws score, and how many candidates are scored at a time.
_BEST, _AT_ONCE = 200, 5000
_RANDOM, _WAVES = 100_000, 24


def mixed() -> SearchSpace:
    """Six hyperparameters."""
    return as_space(
        {
            "a": (0.0, 1.0), "b": (-2.0, 3.0), "c": UniformFloatHyperparameter("c", 1e-4, 1.0, log=True),
            "d": (1, 40), "e": [0.1, 0.2, 0.4, 0.8], "f": ["x", "y", "z", "w"],
        }
    )  # fmt: skip


def _line(space: SearchSpace, rng: np.random.Generator) -> np.ndarray:
    return np.linspace(0.0, 1.0, 2001)[:, None]


def _plane(space: SearchSpace, rng: np.random.Generator) -> np.ndarray:
    axis = np.linspace(0.0, 1.0, 301)
    return np.stack(np.meshgrid(axis, axis), axis=2).reshape(-1, 2)


def _random(space: SearchSpace, rng: np.random.Generator) -> np.ndarray:
    return space.sample(_RANDOM, rng)


# What each space is, and which points the search is held against.
CASES: dict[str, tuple[SearchSpace, Callable[[SearchSpace, np.random.Generator], np.ndarray]]] = {
    "line": (as_space({"a": (0.0, 1.0)}), _line),
    "plane": (as_space({"a": (0.0, 1.0), "b": (0.0, 1.0)}), _plane),
    "six, mixed": (mixed(), _random),
}


def function_of(rng: np.random.Generator, dimension: int) -> Callable[[np.ndarray], np.ndarray]:
    """A smooth random function of points (n, D): a sum of waves, their frequencies normal."""
    frequency = rng.normal(0.0, 4.0 / np.sqrt(dimension), (dimension, _WAVES))
    phase, height = rng.uniform(0.0, 2.0 * np.pi, _WAVES), rng.normal(0.0, 1.0, _WAVES)
    return lambda X: np.cos(X @ frequency + phase) @ height


def history_on(space: SearchSpace, rng: np.random.Generator) -> Any:
    """Trials anywhere, and as many near the best of them, some with noise."""
    n, noise = int(rng.choice([3, 6, 12, 20, 30])), float(rng.choice([0.0, 0.3]))
    f = function_of(rng, space.dimension)
    anywhere = space.sample(n, rng)
    best = anywhere[f(anywhere).argmin()]
    X = np.concatenate([anywhere, space.snap(np.clip(best + 0.05 * rng.normal(size=(n, space.dimension)), 0.0, 1.0))])
    return history_of(space, space.decode(X), (f(X) + noise * rng.normal(size=2 * n)).tolist())


def compared(case: str, seed: int) -> dict[str, Any]:
    """The search's best, the points' best, both log EI on all draws, and the seconds that the search took."""
    space, points_of = CASES[case]
    rng = np.random.default_rng([list(CASES).index(case), seed])
    history = history_on(space, rng)
    density = log_density(GaussianProcess(), Columns.of(space))
    posterior = Sequential().fit(density, TrainingData.of(history), rng=rng)
    known, best = predictive(density), history.X[np.argsort(history.losses)[:5]]
    evidence = Evidence.of(known, posterior, history.X[:0], CHOICE_DRAWS, Feasibility(), seed=seed)
    objective = AcquisitionOverDraws(
        compiled_acquisition(create("acquisition", "log_ei", {}), known), posterior, evidence
    )
    start = time.process_time()
    found = Maximizer()(objective, space, history.X, best, rng)
    seconds = time.process_time() - start
    points = points_of(space, rng)
    # A trial again is none of what is searched.
    points = points[KDTree(history.X).query(points)[0] > 1e-9]
    rough = np.concatenate([objective.value(part) for part in np.array_split(points, -(-len(points) // _AT_ONCE))])
    values, _ = objective.careful(points[np.argsort(rough)[-_BEST:]])
    return {
        "n": len(history), "found": found.value, "error": found.error, "points": float(values.max()),
        "seconds": seconds, "status": posterior.report.status,
    }  # fmt: skip


def table(rows: list[dict[str, Any]]) -> list[str]:
    """A row a space."""
    lines = [
        "EI at what the inner search returns, as a part of the best of the points'; and processor seconds of a search.",
        "",
        "| space | posteriors | lowest | median | below 99 % | seconds |",
        "|---|---|---|---|---|---|",
    ]
    for case in CASES:
        own = [row for row in rows if row["case"] == case]
        if own:
            ratio = np.exp([row["found"] - row["points"] for row in own])
            seconds = np.median([row["seconds"] for row in own])
            lines.append(
                f"| {case} | {len(own)} | {ratio.min():.3f} | {np.median(ratio):.3f} | {(ratio < 0.99).sum()} | "
                f"{seconds:.2f} |"
            )
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--posteriors", type=int, default=34, help="of each space")
    parser.add_argument("--output", type=Path, default=Path("results/inner_search"))
    arguments = parser.parse_args()
    rows = Rows(arguments.output / "posteriors.jsonl", "case", "seed")
    for seed, case in itertools.product(range(arguments.posteriors), CASES):
        row = {"case": case, "seed": seed}
        if row not in rows:
            with one_blas_thread():
                rows.add(row | compared(case, seed))
    text = "\n".join(table(rows.finished))
    (arguments.output / "inner_search.md").write_text(text + "\n")
    print(text)


if __name__ == "__main__":
    main()
