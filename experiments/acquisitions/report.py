"""Tables of the comparison of acquisitions."""

from __future__ import annotations

from pathlib import Path
from statistics import mean, median
from typing import Any

import numpy as np
from scipy.stats import rankdata

Row = dict[str, Any]


def write(rows: list[Row], cases: dict[str, Any], folder: Path) -> None:
    """table.md of finished runs, and on the terminal."""
    seeds = len({row["seed"] for row in rows})
    about = (
        "True loss of the recommendation after 32 trials above the lowest loss of the case, as a share of how far the "
        f"median of uniform configurations is above it: median over seeds ({seeds}). Ranks are within a case and a "
        "seed; seconds are of the processor, a proposal, mean over all runs."
    )
    text = "\n".join([about, "", *_regrets(rows, cases), "", *_batches(rows, cases)])
    (folder / "table.md").write_text(text + "\n")
    print(text)


def _regrets(rows: list[Row], cases: dict[str, Any]) -> list[str]:
    alone = [row for row in rows if row["batch"] == 1]
    names = list(dict.fromkeys(row["acquisition"] for row in alone))
    lines = ["| case | " + " | ".join(names) + " |", "|---|" + "---|" * len(names)]
    for name, found in cases.items():
        cells = [
            [_share(r["recommended"], found) for r in alone if (r["case"], r["acquisition"]) == (name, a)]
            for a in names
        ]
        lines.append(f"| {name} | " + " | ".join(f"{median(c):.4f}" if c else "" for c in cells) + " |")
    ranks = _ranks(alone, names)
    if len(ranks):
        lines.append(f"| mean rank ({len(ranks)} runs) | " + " | ".join(f"{r:.2f}" for r in ranks.mean(axis=0)) + " |")
        error = ranks.std(axis=0, ddof=1) / np.sqrt(len(ranks)) if len(ranks) > 1 else np.full(len(names), np.nan)
        lines.append("| its standard error | " + " | ".join(f"{e:.2f}" for e in error) + " |")
    seconds = [mean(s for r in alone if r["acquisition"] == a for s in r["seconds"]) for a in names]
    lines.append("| seconds | " + " | ".join(f"{s:.2f}" for s in seconds) + " |")
    return lines


def _batches(rows: list[Row], cases: dict[str, Any]) -> list[str]:
    """Regret of the best observed after so many rounds, by size of batches."""
    sizes = sorted({row["batch"] for row in rows})
    rounds = (2, 4, 8, 16, 32)
    lines = ["| case, trials at a time | " + " | ".join(f"{r} rounds" for r in rounds) + " |"]
    lines.append("|---|" + "---|" * len(rounds))
    for name in dict.fromkeys(row["case"] for row in rows if row["batch"] > 1):
        for size in sizes:
            of_size = [r for r in rows if (r["case"], r["batch"], r["acquisition"]) == (name, size, "log_ei")]
            lines.append(
                f"| {name}, {size} | " + " | ".join(_after(of_size, cases[name], size, r) for r in rounds) + " |"
            )
    return lines


def _after(rows: list[Row], found: Any, size: int, rounds: int) -> str:
    n = size * rounds
    if not rows or n > len(rows[0]["losses"]):
        return ""
    return f"{median(_share(row['losses'][n - 1], found) for row in rows):.4f}"


def _share(loss: float, found: Any) -> float:
    lowest = min(found.lowest, found.reference[0])
    return float((loss - lowest) / (np.median(found.reference) - lowest))


def _ranks(rows: list[Row], names: list[str]) -> np.ndarray:
    """Ranks (runs, acquisitions) within a case and a seed, where all have finished."""
    found = {(r["case"], r["seed"], r["acquisition"]): r["recommended"] for r in rows}
    groups = sorted({key[:2] for key in found if all((*key[:2], a) in found for a in names)})
    return np.array([rankdata([found[(*g, a)] for a in names]) for g in groups])
