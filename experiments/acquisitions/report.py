"""Tables of the comparison of acquisitions, and its figures."""

from __future__ import annotations

from pathlib import Path
from statistics import mean, median
from typing import Any

import numpy as np
from scipy.stats import rankdata

from bayeshpo.analysis.record import save_record
from experiments.acquisitions import figures

Row = dict[str, Any]

_ROUNDS = (2, 4, 8, 16, 32)
_DRAWS = 4000


def write(rows: list[Row], cases: dict[str, Any], folder: Path) -> None:
    """table.md and figures of finished runs, and the table on the terminal."""
    alone = [row for row in rows if row["batch"] == 1]
    ranks = _mean_ranks(alone)
    seeds = len({row["seed"] for row in rows})
    about = (
        "True loss of the recommendation after 32 trials above the lowest loss of the case, as a share of how far the "
        f"median of uniform configurations is above it: median over seeds ({seeds}). Ranks are within a case and a "
        f"seed, mean over {ranks['runs']} of them, with bootstrap intervals over cases; seconds are of the processor, "
        "a proposal, mean over all runs."
    )
    text = "\n".join([about, "", *_regrets(alone, cases, ranks), "", *_batches(rows, cases)])
    (folder / "table.md").write_text(text + "\n")
    print(text)
    save_record(ranks, figures.ranks, folder, 3.6)
    save_record({"cases": _over_rounds(rows, cases)}, figures.batches, folder, 5.5)


def _regrets(alone: list[Row], cases: dict[str, Any], ranks: dict[str, Any]) -> list[str]:
    """A line an acquisition, by mean rank."""
    lines = ["| | " + " | ".join([*cases, "mean rank", "95 %", "seconds"]) + " |", "|---" * (len(cases) + 4) + "|"]
    for name, value, low, high in zip(*(ranks[k] for k in ("acquisitions", "mean", "low", "high")), strict=True):
        mine = [r for r in alone if r["acquisition"] == name]
        shares = [[_share(r["recommended"], found) for r in mine if r["case"] == case] for case, found in cases.items()]
        cells = [f"{median(s):.4f}" for s in shares]
        seconds = mean(s for r in mine for s in r["seconds"])
        cells += [f"{value:.2f}", f"{low:.1f} to {high:.1f}", f"{seconds:.2f}"]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return lines


def _mean_ranks(alone: list[Row]) -> dict[str, Any]:
    """Mean ranks of the recommendations where all acquisitions have finished, the lowest first, with intervals."""
    names = list(dict.fromkeys(row["acquisition"] for row in alone))
    found = {(r["case"], r["seed"], r["acquisition"]): r["recommended"] for r in alone}
    groups = sorted({key[:2] for key in found if all((*key[:2], a) in found for a in names)})
    ranks = np.array([rankdata([found[(*g, a)] for a in names]) for g in groups])
    cases = sorted({case for case, _ in groups})
    of_case = np.array([ranks[[g[0] == case for g in groups]].mean(axis=0) for case in cases])
    # Cases are what is drawn from: seeds of one case have its surface in common.
    chosen = np.random.default_rng(0).integers(len(cases), size=(_DRAWS, len(cases)))
    low, high = np.quantile(of_case[chosen].mean(axis=1), [0.025, 0.975], axis=0)
    order = np.argsort(of_case.mean(axis=0), kind="stable")
    numbers = {"mean": of_case.mean(axis=0), "low": low, "high": high}
    return {
        "acquisitions": [names[i] for i in order],
        "runs": len(groups),
        "cases": len(cases),
        **{name: values[order].tolist() for name, values in numbers.items()},
    }


def _batches(rows: list[Row], cases: dict[str, Any]) -> list[str]:
    """Regret of the best observed after so many rounds, by size of batches."""
    lines = ["| case, trials at a time | " + " | ".join(f"{r} rounds" for r in _ROUNDS) + " |"]
    lines.append("|---" * (len(_ROUNDS) + 1) + "|")
    for case, sizes in _over_rounds(rows, cases).items():
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
