"""Tables of the comparison of acquisitions, and its figures."""

from __future__ import annotations

from pathlib import Path
from statistics import mean, median
from typing import Any

import numpy as np
from scipy.stats import binomtest

from bayeshpo.analysis.record import save_record
from bayeshpo.analysis.statistics.ranks import blocks, mean_ranks
from experiments.acquisitions import figures

Row = dict[str, Any]

_ROUNDS = (2, 4, 8, 16, 32)


def write(rows: list[Row], cases: dict[str, Any], folder: Path) -> None:
    """table.md and figures of finished runs, and the table on the terminal."""
    alone = [row for row in rows if row["batch"] == 1]
    ranks, over_rounds = _mean_ranks(alone, cases), _over_rounds(rows, cases)
    seeds = len({row["seed"] for row in rows})
    about = (
        "True loss of the recommendation after 32 trials above the lowest loss of the case, as a share of how far the "
        f"median of uniform configurations is above it: median over seeds ({seeds}). Ranks are within a case and a "
        f"seed, mean over {ranks['runs']} of them, with bootstrap intervals over cases; pairs are how many of these "
        "are better and worse than with `log_ei`, with the sign test's p, of this pair alone; seconds are of the "
        "processor, a proposal, mean over all runs."
    )
    text = "\n".join([about, "", *_regrets(alone, cases, ranks), "", *_batches(over_rounds)])
    (folder / "table.md").write_text(text + "\n")
    print(text)
    save_record(ranks, figures.ranks, folder, 3.6)
    save_record({"cases": over_rounds}, figures.batches, folder, 5.5)


def _regrets(alone: list[Row], cases: dict[str, Any], ranks: dict[str, Any]) -> list[str]:
    """A line an acquisition, by mean rank."""
    lines = ["| | " + " | ".join([*cases, "mean rank", "95 %", "pairs", "p", "seconds"]) + " |"]
    lines.append("|---" * (len(cases) + 6) + "|")
    keys = ("acquisitions", "mean", "low", "high", "better", "worse")
    for name, value, low, high, better, worse in zip(*(ranks[k] for k in keys), strict=True):
        mine = [r for r in alone if r["acquisition"] == name]
        shares = [[_share(r["recommended"], found) for r in mine if r["case"] == case] for case, found in cases.items()]
        cells = [f"{median(s):.4f}" for s in shares]
        seconds = mean(s for r in mine for s in r["seconds"])
        pairs = (f"{better} : {worse}", _p(better, worse)) if better + worse else ("", "")
        cells += [f"{value:.2f}", f"{low:.1f} to {high:.1f}", *pairs, f"{seconds:.2f}"]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return lines


def _mean_ranks(alone: list[Row], cases: dict[str, Any]) -> dict[str, Any]:
    """Mean ranks of the recommendations with intervals over cases, the lowest first, and pairs with `log_ei`."""
    names = list(dict.fromkeys(row["acquisition"] for row in alone))
    seeds = sorted({row["seed"] for row in alone})
    found = {(r["case"], r["acquisition"], r["seed"]): r["recommended"] for r in alone}
    losses = np.array([[[found.get((case, name, s), np.nan) for s in seeds] for name in names] for case in cases])
    whole = np.isfinite(losses)
    ranks = mean_ranks(losses, whole, np.random.default_rng(0))
    order = np.argsort(ranks.value, kind="stable")
    more = losses - losses[:, [names.index("log_ei")]]
    return {
        "acquisitions": [names[i] for i in order],
        "runs": int(blocks(whole).sum()),
        "cases": int(blocks(whole).any(axis=1).sum()),
        "mean": ranks.value[order].tolist(),
        "low": ranks.low[order].tolist(),
        "high": ranks.high[order].tolist(),
        "better": (more < 0.0).sum(axis=(0, 2))[order].tolist(),
        "worse": (more > 0.0).sum(axis=(0, 2))[order].tolist(),
    }


def _p(better: int, worse: int) -> str:
    p = binomtest(better, better + worse).pvalue
    return f"{p:.2g}" if p >= 1e-4 else "< 0.0001"


def _batches(over_rounds: dict[str, dict[str, list[list[float]]]]) -> list[str]:
    """Regret of the best observed after so many rounds, by size of batches."""
    lines = ["| case, trials at a time | " + " | ".join(f"{r} rounds" for r in _ROUNDS) + " |"]
    lines.append("|---" * (len(_ROUNDS) + 1) + "|")
    for case, sizes in over_rounds.items():
        for size, regrets in sizes.items():
            middle = [median(r[n - 1] for r in regrets) if n <= len(regrets[0]) else None for n in _ROUNDS]
            lines.append(f"| {case}, {size} | " + " | ".join("" if m is None else f"{m:.4f}" for m in middle) + " |")
    return lines


def _over_rounds(rows: list[Row], cases: dict[str, Any]) -> dict[str, dict[str, list[list[float]]]]:
    """Regrets after each round of every seed (seeds, rounds), by case and size of batches."""
    found: dict[str, dict[str, list[list[float]]]] = {}
    for case in dict.fromkeys(row["case"] for row in rows if row["batch"] > 1):
        mine = [r for r in rows if (r["case"], r["acquisition"]) == (case, "log_ei")]
        found[case] = {
            str(size): [
                [_share(loss, cases[case]) for loss in r["losses"][size - 1 :: size]]
                for r in mine
                if r["batch"] == size
            ]
            for size in sorted({r["batch"] for r in mine})
        }
    return found


def _share(loss: float, found: Any) -> float:
    lowest = min(found.lowest, found.reference[0])
    return float((loss - lowest) / (np.median(found.reference) - lowest))
