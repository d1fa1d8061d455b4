"""A mixture of surrogates beside each of its members, on functions that suit one or another of them.

    uv run python experiments/surrogates/stacked.py [CASE ...] [--seeds 4]

Cases, trials and measures are those of run.py, without gradients. One fit of each member serves both kinds of weights.
Every finished case is a line of the record (results/stacked/fits.jsonl by default), so a run that was stopped goes on.
"""

from __future__ import annotations

import argparse
import itertools
from dataclasses import replace
from pathlib import Path
from statistics import mean
from typing import Any

import numpy as np
from run import CASES, HELD_OUT, Case, measured

from bayeshpo.experiment.rows import Rows
from bayeshpo.inference.density import log_density
from bayeshpo.inference.fitting import fit
from bayeshpo.inference.sequential import Sequential
from bayeshpo.inference.stacked import StackedSurrogate
from bayeshpo.inference.stacking import probabilities
from bayeshpo.parallel import one_blas_thread
from bayeshpo.surrogates.base import TrainingData
from bayeshpo.surrogates.columns import Columns

_CASES = ("skewed", "cliff", "hills", "no interactions", "few effects")
_MEMBERS = ("gp", "warped", "additive", "horseshoe", "bayesian_neural_network")
_RULES = ("loo", "one_step_ahead", "equal")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cases", nargs="*", metavar="CASE", default=list(_CASES), help=", ".join(_CASES))
    parser.add_argument("--seeds", type=int, default=4)
    parser.add_argument("--output", type=Path, default=Path("results/stacked"))
    arguments = parser.parse_args()
    if unknown := sorted(set(arguments.cases) - set(_CASES)):
        parser.error(f"expected cases of {', '.join(_CASES)}, got {', '.join(unknown)}")
    rows = Rows(arguments.output / "fits.jsonl", "case", "seed")
    for seed, name in itertools.product(range(arguments.seeds), arguments.cases):
        row = {"case": name, "seed": seed}
        if row not in rows:
            with one_blas_thread():
                rows.add(row | _fitted(CASES[name], seed))
    text = "\n".join(_table(rows.finished))
    (arguments.output / "stacked.md").write_text(text + "\n")
    print(text)


def _fitted(case: Case, seed: int) -> dict[str, Any]:
    rng = np.random.default_rng(seed)
    X, Z = case.space.sample(case.trials, rng), case.space.sample(HELD_OUT, rng)
    # Without the gradient, of which no member would make anything.
    data = replace(TrainingData.of(case.trials_at(X, rng)), slopes=None)
    density = log_density(StackedSurrogate(_MEMBERS), Columns.of(case.space))
    posterior = fit(Sequential(), density, data, rng=rng)
    by_rule = {
        "loo": posterior.weights,
        "one_step_ahead": probabilities(posterior.evidences),
        "equal": np.full(len(_MEMBERS), 1.0 / len(_MEMBERS)),
    }
    found = {rule: replace(posterior, weights=weights) for rule, weights in by_rule.items()}
    found |= dict(zip(_MEMBERS, posterior.parts, strict=True))
    return {
        "measures": {which: measured(case, p, Z) for which, p in found.items()},
        "weights": {rule: dict(zip(_MEMBERS, map(float, w), strict=True)) for rule, w in by_rule.items()},
        "members": posterior.report.members,
        "seconds": posterior.report.seconds_sample,
    }


def _table(rows: list[dict[str, Any]]) -> list[str]:
    shown = [*_MEMBERS, *_RULES]
    lines = ["| case | | " + " | ".join(f"`{s}`" for s in shown) + " |", "|---|---|" + "---|" * len(shown)]
    for name in (name for name in _CASES if any(row["case"] == name for row in rows)):
        own = [row for row in rows if row["case"] == name]
        about = f"{name}, {CASES[name].trials} trials, {len(own)} seed{'s' * (len(own) > 1)}"
        for what, places in (("error", 3), ("log_density", 2)):
            values = [mean(row["measures"][s][what] for row in own) for s in shown]
            cells = [f"{value:.{places}f}" for value in values]
            lines.append(f"| {about if what == 'error' else ''} | {what.replace('_', ' ')} | {' | '.join(cells)} |")
        for rule in _RULES[:2]:
            weights = [mean(row["weights"][rule][m] for row in own) for m in _MEMBERS]
            cells = [f"{w:.2f}" for w in weights] + [""] * len(_RULES)
            lines.append(f"| | weights by {rule} | {' | '.join(cells)} |")
    return lines


if __name__ == "__main__":
    main()
