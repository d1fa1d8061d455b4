"""What the default surrogate should be, beside TPE and random search.

`gp` as it is, with its losses capped; with normal scores of the losses' ranks in their place; and with a kernel that is
a product over numbers and unordered choices in place of one distance.

    uv run --extra optuna python experiments/default/run.py [--seeds 4]

Forty trials of tables of measured trainings and of functions with noise and skew. Every finished run is a line of the
record (results/default/runs.jsonl by default), so a run that was stopped goes on; tables and the figure of coverage are
written beside it. TPE is Optuna's; in the table as it stands, that of version 4.6.0.
"""

from __future__ import annotations

import argparse
import itertools
from pathlib import Path
from typing import Any

import numpy as np
from ahead import Watched, position
from problems import NAMES, Case, case
from product import ProductKernel
from report import write
from scipy.stats import norm, rankdata

import bayeshpo
from bayeshpo.experiment.rows import Rows
from bayeshpo.parallel import one_blas_thread
from bayeshpo.registry import create
from bayeshpo.surrogates import training_data
from bayeshpo.surrogates.columns import Columns
from bayeshpo.surrogates.scale import Scale

TRIALS = 40
Run = dict[str, Any]


class Ranked(Scale):
    """Standardised normal scores of the losses' ranks."""

    @classmethod
    def of(cls, losses: np.ndarray, *, outliers: bool = False) -> Ranked:
        """That of the scores of these losses (n,)."""
        return cls(**vars(Scale.of(_scores(losses), outliers=outliers)))

    def __call__(self, losses: np.ndarray) -> np.ndarray:
        """Standardised scores of losses (n,)."""
        return super().__call__(_scores(losses))


def _scores(losses: np.ndarray) -> np.ndarray:
    return norm.ppf((rankdata(losses) - 0.5) / len(losses))


MODELS: dict[str, Any] = {"gp": "gp", "ranked": "gp", "product": ProductKernel()}
VARIANTS = (*MODELS, "tpe", "random")


def searched(found: Case, seed: int, variant: str) -> Run:
    """A search: configurations with their losses, and where each trial came out of its predictive."""
    training_data.Scale = Ranked if variant == "ranked" else Scale
    watched = Watched()
    if variant in MODELS:
        searcher = bayeshpo.BayesianSearcher(surrogate=MODELS[variant], inference=watched)
    else:
        searcher = create("searcher", {"tpe": "optuna"}.get(variant, variant), {})
    study = bayeshpo.Study(found.space, searcher, seed=seed, name="default")
    positions = []
    for i in range(TRIALS):
        suggestion = study.ask()
        loss = found.observe(suggestion.configuration, np.random.default_rng([seed, i]))
        if variant == "gp" and suggestion.origin == "acquisition":
            positions.append(position(watched.posterior, found.space.encode([suggestion.configuration]), loss))
        study.tell(suggestion, loss)
    trials = [(t.configuration, t.value) for t in study.history.trials]
    fits = [row["status"] == "ok" for row in study.reports]
    return {"trials": trials, "positions": positions, "ok": sum(fits), "fits": len(fits)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=4)
    parser.add_argument("--output", type=Path, default=Path("results/default"))
    arguments = parser.parse_args()
    rows = Rows(arguments.output / "runs.jsonl", "case", "variant", "seed")
    for seed, name, variant in itertools.product(range(arguments.seeds), NAMES, VARIANTS):
        row = {"case": name, "variant": variant, "seed": seed}
        if row not in rows:
            rows.add(row | _run(name, seed, variant, rows.finished))
    write(rows.finished, arguments.output, VARIANTS)


def _run(name: str, seed: int, variant: str, before: list[Run]) -> Run:
    found = case(name)
    if variant == "product" and not Columns.of(found.space).choices:
        # Without three or more unordered choices it is the same kernel.
        [same] = [row for row in before if (row["case"], row["variant"], row["seed"]) == (name, "gp", seed)]
        return {"shares": same["shares"], "positions": [], "ok": same["ok"], "fits": same["fits"]}
    with one_blas_thread():
        run = searched(found, seed, variant)
    best = [min(run["trials"][: n + 1], key=lambda t: t[1])[0] for n in range(TRIALS)]
    shares = [found.share_better(c) for c in best]
    return {"shares": shares} | {entry: run[entry] for entry in ("positions", "ok", "fits")}


if __name__ == "__main__":
    main()
