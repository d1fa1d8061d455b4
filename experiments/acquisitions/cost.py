"""Seconds that a proposal takes beside the fit, by acquisition and number of trials, six hyperparameters.

    uv run python -m experiments.acquisitions.cost

One posterior of uniform trials of Hartmann's function at each n, by the default engine from nothing; each acquisition
is looked at once so that it is compiled, and then maximised twice over it. Seconds are of the processor, of one core.
The table is written to results/acquisitions/cost.md.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

import numpy as np

from bayeshpo.acquisitions.compiled import compiled_acquisition
from bayeshpo.acquisitions.feasibility import Feasibility
from bayeshpo.acquisitions.outlook import Evidence
from bayeshpo.inference.density import log_density
from bayeshpo.inference.predictive import predictive
from bayeshpo.inference.sequential import Sequential
from bayeshpo.maximizers import Maximizer
from bayeshpo.parallel import one_blas_thread
from bayeshpo.problems.synthetic import Hartmann6
from bayeshpo.registry import create
from bayeshpo.searchers.objectives import CHOICE_DRAWS, AcquisitionOverDraws
from bayeshpo.surrogates.base import TrainingData
from bayeshpo.surrogates.columns import Columns
from bayeshpo.surrogates.gp import GaussianProcess
from bayeshpo.testing.trials import history_of
from experiments.acquisitions.run import alone

SIZES = (20, 100, 200)


def posterior_of(n: int) -> tuple[Any, Any]:
    """A posterior of n uniform trials, and their history."""
    problem = Hartmann6()
    X = problem.space.sample(n, np.random.default_rng(0))
    history = history_of(problem.space, problem.space.decode(X), [problem.function(x) for x in X])
    density = log_density(GaussianProcess(), Columns.of(problem.space))
    return Sequential().fit(density, TrainingData.of(history), rng=np.random.default_rng(1)), history


def seconds(name: str, posterior: Any, history: Any) -> float:
    """Of one proposal, the lower of two."""
    known, maximizer = predictive(posterior.density), Maximizer()
    best = history.X[np.argsort(history.losses)[:5]]
    found = []
    for seed in range(3):
        rng = np.random.default_rng(seed)
        start = time.process_time()
        pool = maximizer.pool(history.space, best, rng)
        none = np.empty((0, history.space.dimension))
        evidence = Evidence.of(known, posterior, none, CHOICE_DRAWS, Feasibility(), pool=pool, seed=seed)
        objective = AcquisitionOverDraws(
            compiled_acquisition(create("acquisition", name, {}), known), posterior, evidence
        )
        maximizer(objective, history.space, history.X, best, rng)
        found.append(time.process_time() - start)
    return min(found[1:])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, default=Path("results/acquisitions"))
    arguments = parser.parse_args()
    with one_blas_thread():
        fitted = [posterior_of(n) for n in SIZES]
        table = {name: [seconds(name, *pair) for pair in fitted] for name in alone()}
    about = "Seconds of a proposal beside the fit, six hyperparameters, and in brackets as a multiple of `log_ei`'s."
    lines = [about, "", "| acquisition | " + " | ".join(f"n = {n}" for n in SIZES) + " |"]
    lines.append("|---|" + "---|" * len(SIZES))
    for name, cells in table.items():
        shown = (f"{c:.2f} ({c / one:.1f})" for c, one in zip(cells, table["log_ei"], strict=True))
        lines.append(f"| {name} | " + " | ".join(shown) + " |")
    arguments.output.mkdir(parents=True, exist_ok=True)
    (arguments.output / "cost.md").write_text("\n".join(lines) + "\n")
    print("\n".join(lines))


if __name__ == "__main__":
    main()
