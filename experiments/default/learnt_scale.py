"""Should the default learn the losses' scale? `warped_outcome` beside `gp`, as searchers and as predictors.

    uv run --extra tabular python experiments/default/learnt_scale.py [--seeds 4] [--cases NAME ...]

Forty trials of the cases of `run.py`, with the default engine and acquisition. Each surrogate also predicts the trials
that the other has searched, one step ahead, so that both are scored on the same ones. Every finished run is a line of
the record (results/default/learnt_scale.jsonl by default), so a run that was stopped goes on; the table is written
beside it.
"""

from __future__ import annotations

import argparse
import itertools
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from problems import NAMES, Case, case
from scipy.stats import binomtest

import bayeshpo
from bayeshpo.diagnostics.surrogate_comparison import predictions
from bayeshpo.experiment.rows import Rows
from bayeshpo.inference.sequential import Sequential
from bayeshpo.parallel import one_blas_thread
from bayeshpo.registry import create

TRIALS = 40
PAIR = ("gp", "warped_outcome")
Run = dict[str, Any]


def searched(found: Case, seed: int, surrogate: str) -> Run:
    """A search by one surrogate, and what both say of its trials one step ahead."""
    study = bayeshpo.Study(found.space, bayeshpo.BayesianSearcher(surrogate=surrogate), seed=seed, name="default")
    for i in range(TRIALS):
        suggestion = study.ask()
        study.tell(suggestion, found.observe(suggestion.configuration, np.random.default_rng([seed, i])))
    proposals = [s.seconds for s in study.history.suggestions if s.origin == "acquisition"]
    own = [row for row in study.reports if row.get("ahead_log_score") is not None]
    [other] = set(PAIR) - {surrogate}
    said = predictions(create("surrogate", other, {}), study.history, Sequential(), np.random.default_rng(seed))
    scores = {surrogate: [r["ahead_log_score"] for r in own], other: said.ahead[: len(own)].tolist()}
    places = {surrogate: [r["ahead_pit"] for r in own], other: said.pit[: len(own)].tolist()}
    return {
        "share_better": found.share_better(study.recommendation.configuration),
        "share_better_observed": found.share_better(study.best.configuration),
        "seconds": median(proposals),
        "ok": sum(row["status"] == "ok" for row in study.reports),
        "fits": len(study.reports),
        "scores": scores,
        "places": places,
    }


def table(rows: list[Run], cases: Sequence[str]) -> Iterator[str]:
    """Lines: the searches, case by case, and the predictions of all trials."""
    by = {(r["case"], r["seed"], r["surrogate"]): r for r in rows}
    pairs = [(by[(c, s, PAIR[0])], by[(c, s, PAIR[1])]) for c, s, v in by if v == PAIR[0] and (c, s, PAIR[1]) in by]
    yield "Share of all configurations truly better than the one recommended after 40 trials, median over seeds"
    yield ""
    yield "| case | seeds | `gp` | `warped_outcome` | the latter better, worse | s a proposal, of both |"
    yield "|---|---|---|---|---|---|"
    for name in cases:
        found = [pair for pair in pairs if pair[0]["case"] == name]
        if found:
            shares = [f"{median(run['share_better'] for run in runs):.2%}" for runs in zip(*found, strict=True)]
            seconds = [f"{median(run['seconds'] for run in runs):.2f}" for runs in zip(*found, strict=True)]
            yield f"| {name} | {len(found)} | {' | '.join(shares)} | {_better(found)} | {', '.join(seconds)} |"
    yield f"| all | {len(pairs)} | | | {_better(pairs)} | |"
    yield f"| all, of the best one observed | {len(pairs)} | | | {_better(pairs, 'share_better_observed')} | |"
    yield ""
    yield "| one step ahead | within 50 % | within 90 % | log score less `gp`'s, of a run's median trial |"
    yield "|---|---|---|---|"
    for name, own in itertools.product(PAIR, (False, True)):
        runs = [run for pair in pairs for run in pair if not own or run["surrogate"] == name]
        places = np.concatenate([run["places"][name] for run in runs])
        within = [np.mean(np.abs(places - 0.5) <= share / 2.0) for share in (0.5, 0.9)]
        of = "its own proposals" if own else "all"
        yield f"| `{name}` of {of} ({len(places)}) | {within[0]:.1%} | {within[1]:.1%} | {_gain(runs, name)} |"


def _better(pairs: Sequence[tuple[Run, Run]], what: str = "share_better") -> str:
    """In how many pairs the second is better and worse."""
    signs = [np.sign(gp[what] - other[what]) for gp, other in pairs]
    better, worse = signs.count(1.0), signs.count(-1.0)
    chance = f" (p = {binomtest(better, better + worse).pvalue:.2g})" if better + worse > 10 else ""
    return f"{better}, {worse}{chance}"


def _gain(runs: Sequence[Run], name: str) -> str:
    """Mean over runs of the median difference of log scores, with its standard error.

    Means over trials would be about single ones: to a normal distribution a loss can be 1e7 standard deviations off.
    """
    middle = np.array([np.median(np.subtract(run["scores"][name], run["scores"][PAIR[0]])) for run in runs])
    return "" if name == PAIR[0] else f"{middle.mean():+.2f} ({middle.std(ddof=1) / np.sqrt(len(middle)):.2f})"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=4)
    parser.add_argument("--cases", nargs="+", default=NAMES)
    parser.add_argument("--output", type=Path, default=Path("results/default"))
    arguments = parser.parse_args()
    rows = Rows(arguments.output / "learnt_scale.jsonl", "case", "surrogate", "seed")
    for seed, name, surrogate in itertools.product(range(arguments.seeds), arguments.cases, PAIR):
        row = {"case": name, "surrogate": surrogate, "seed": seed}
        if row not in rows:
            with one_blas_thread():
                rows.add(row | searched(case(name), seed, surrogate))
    text = "\n".join(table(rows.finished, arguments.cases))
    (arguments.output / "learnt_scale.md").write_text(text + "\n")
    print(text)


if __name__ == "__main__":
    main()
