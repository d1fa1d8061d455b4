"""Iris, the smallest example: full posteriors, and a prior's scale, by three families of search and by Bayes' rule.

    uv run python experiments/iris_posterior/run.py [--seeds 5] [--budget 12]

Takes about two minutes of a core once what it compiles is on disk, more the first time. The record (record.json), the
tables (table.md) and the figures are written to results/iris_posterior by default; those of the last run are beside
this file. README.md says what is seen.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
from models import hyperprior, linear, softmax
from posterior import Sampled, diagnostics
from report import write
from tuning import FAMILIES, curve, mode_on_folds, search, typical

MODELS = {"linear": linear, "softmax": softmax, "hyperprior": hyperprior}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=5, help="studies of each family")
    parser.add_argument("--budget", type=int, default=12, help="trials of a study")
    parser.add_argument("--output", type=Path, default=Path("results/iris_posterior"))
    arguments = parser.parse_args()
    arguments.output.mkdir(parents=True, exist_ok=True)

    print("searching", flush=True)
    studies = [search(f, seed, arguments.budget) for f in FAMILIES for seed in range(arguments.seeds)]
    tuned = {f: typical(studies, f) for f in FAMILIES}
    answers = {"softmax, mode": {"scale": 1.0} | mode_on_folds(1.0)}
    answers |= {f"softmax, mode, {f}": {"scale": scale} | mode_on_folds(scale) for f, scale in tuned.items()}

    trees, checks = {}, {}
    for name, build in MODELS.items():
        print(f"sampling {name}", flush=True)
        sampled = Sampled(build)
        trees[name] = sampled.posterior(seed=0)
        checks[name] = diagnostics(trees[name])
        answers[f"{name}, posterior"] = sampled.folds(seed=1)
        if name == "softmax":
            answers[f"{name}, posterior"]["scale"] = 1.0
            scale = tuned["bayesian"]
            answers["softmax, posterior, bayesian"] = {"scale": scale} | sampled.folds(seed=1, scale=np.array(scale))
    draws = trees["hyperprior"]["posterior"]["scale"].values
    answers["hyperprior, posterior"]["scale"] = np.quantile(draws, (0.05, 0.5, 0.95)).tolist()
    record = {"curve": curve(61), "studies": studies, "answers": answers, "checks": checks}
    (arguments.output / "record.json").write_text(json.dumps(record) + "\n", encoding="utf-8")
    write(record, trees, arguments.output)


if __name__ == "__main__":
    main()
