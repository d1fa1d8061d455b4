"""Every acquisition on eight problems, and batches beside proposals one by one.

    uv run python -m experiments.acquisitions.run [--seeds 5]

Four functions, two of them with noise more, and two tables of measured trainings; 32 trials, the default surrogate and
engine. What counts is the true loss of the recommendation. Every finished run is a line of the record
(results/acquisitions/runs.jsonl by default), so a run that was stopped goes on; a table and figures
are written beside it.
"""

from __future__ import annotations

import argparse
import itertools
import time
from pathlib import Path
from typing import Any

import numpy as np

import bayeshpo
from bayeshpo.experiment.rows import Rows
from bayeshpo.parallel import one_blas_thread
from bayeshpo.registry import ACQUISITIONS
from experiments.acquisitions.problems import Case, case
from experiments.acquisitions.report import write

TRIALS = 32
CASES = (
    "branin", "hartmann6", "rosenbrock3", "ackley5", "branin, much noise", "hartmann6, noise", "protein_structure",
    "cifar100",
)  # fmt: skip
# Sizes of batches with the default acquisition; one by one is its own row.
BATCHES = (2, 4, 8)
IN_BATCHES = ("hartmann6", "branin, much noise")
# Without costs and limits these are `log_ei`.
_AS_LOG_EI = ("cost_ei", "constrained_ei")


def run(found: Case, seed: int, acquisition: str, batch: int) -> dict[str, Any]:
    """True losses of the best observed configuration after each trial, and of what is recommended in the end."""
    searcher = (
        bayeshpo.RandomSearcher() if acquisition == "random" else bayeshpo.BayesianSearcher(acquisition=acquisition)
    )
    study = bayeshpo.Study(found.space, searcher, seed=seed, name="acquisitions")
    seconds = []
    while len(study.history) < TRIALS:
        start = time.process_time()
        suggestions = study.ask(min(batch, TRIALS - len(study.history)))
        seconds.append(time.process_time() - start)
        for suggestion in suggestions:
            rng = np.random.default_rng([seed, suggestion.index])
            study.tell(suggestion, found.observe(suggestion.configuration, rng))
    observed = [(t.value, t.configuration) for t in study.history.trials]
    best = [min(observed[: n + 1], key=lambda pair: pair[0])[1] for n in range(TRIALS)]
    recommended = study.recommendation
    assert recommended is not None
    return {
        "losses": [found.true(c) for c in best],
        "recommended": found.true(recommended.configuration),
        "seconds": seconds,
        "ok": sum(row["status"] == "ok" for row in study.reports),
        "fits": len(study.reports),
    }


def alone() -> list[str]:
    """Acquisitions of one loss alone, each its own."""
    loaded = {name: entry.load() for name, entry in ACQUISITIONS.items()}
    return [name for name, a in loaded.items() if not (a.fidelities or a.objectives or name in _AS_LOG_EI)]


def cells() -> list[tuple[str, str, int]]:
    """Case, acquisition and size of batches of every run of a seed."""
    one_by_one = [(name, a, 1) for name, a in itertools.product(CASES, [*alone(), "random"])]
    return one_by_one + [(name, "log_ei", batch) for name, batch in itertools.product(IN_BATCHES, BATCHES)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--output", type=Path, default=Path("results/acquisitions"))
    arguments = parser.parse_args()
    rows = Rows(arguments.output / "runs.jsonl", "case", "acquisition", "batch", "seed")
    for seed, (name, acquisition, batch) in itertools.product(range(arguments.seeds), cells()):
        row = {"case": name, "acquisition": acquisition, "batch": batch, "seed": seed}
        if row not in rows:
            with one_blas_thread():
                rows.add(row | run(case(name), seed, acquisition, batch))
    write(rows.finished, {name: case(name) for name in CASES}, arguments.output)


if __name__ == "__main__":
    main()
