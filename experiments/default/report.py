"""Tables of the comparison, and the figure of coverage."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from problems import NAMES
from scipy.stats import rankdata

from bayeshpo.analysis.figures import coverage
from bayeshpo.analysis.figures.style import Drawing
from bayeshpo.analysis.record import save_record

_LEVELS = (0.5, 0.9)
_WIDTH = 3.25


def write(rows: list[dict[str, Any]], folder: Path, variants: tuple[str, ...]) -> None:
    """table.md and the figure of coverage of finished runs, and the table on the terminal."""
    seeds = len({row["seed"] for row in rows})
    about = (
        "Share of all configurations that are truly better than the best one observed after 40 trials, median over "
        f"seeds ({seeds}). Ranks are of these shares, within a case and a seed."
    )
    text = "\n".join([about, "", *_regret(rows, variants), "", *_coverage(rows)])
    (folder / "table.md").write_text(text + "\n")
    print(text)
    positions = _positions(rows)["tables"]
    if positions:
        save_record({"positions": positions}, _draw, folder, _WIDTH)


def _draw(record: dict[str, Any], width: float) -> Drawing:
    """Coverage of central intervals over their nominal one."""
    positions = np.array(record["positions"])
    drawing = coverage.of_distances({"proposed trials": 2.0 * np.abs(positions - 0.5)}, width)
    return replace(drawing, caption=f"The default surrogate on tables of measured trainings. {drawing.caption}")


def _regret(rows: list[dict[str, Any]], variants: tuple[str, ...]) -> list[str]:
    """Share of better configurations after all trials, and mean ranks over cases and seeds after half and all."""
    lines = ["| case | " + " | ".join(variants) + " |", "|---|" + "---|" * len(variants)]
    for name in NAMES:
        cells = [[r["shares"][-1] for r in rows if (r["case"], r["variant"]) == (name, v)] for v in variants]
        if all(cells):
            lines.append(f"| {name} | " + " | ".join(f"{median(c):.2%}" for c in cells) + " |")
    for what, at in (("after half of the trials", 0.5), ("after all", 1.0)):
        ranks = _ranks(rows, variants, at)
        lines.append(
            f"| mean rank {what} ({len(ranks)} runs) | " + " | ".join(f"{r:.2f}" for r in ranks.mean(0)) + " |"
        )
    return lines


def _ranks(rows: list[dict[str, Any]], variants: tuple[str, ...], at: float) -> np.ndarray:
    """Ranks (runs, variants) within a case and a seed, where all variants have finished."""
    found = {(r["case"], r["seed"], r["variant"]): r["shares"] for r in rows}
    groups = sorted({key[:2] for key in found if all((*key[:2], v) in found for v in variants)})
    shares = [[found[(*g, v)] for v in variants] for g in groups]
    return np.array([rankdata([s[int(at * len(s)) - 1] for s in group]) for group in shares])


def _coverage(rows: list[dict[str, Any]]) -> list[str]:
    """How many outcomes lay in central intervals of their one-step-ahead predictive."""
    lines = ["| predictions | " + " | ".join(f"in the {q:.0%} interval" for q in _LEVELS) + " |", "|---|---|---|"]
    for name, positions in _positions(rows).items():
        distance = np.abs(np.array(positions) - 0.5)
        cells = [f"{np.mean(distance <= q / 2.0):.1%}" for q in _LEVELS]
        lines.append(f"| {name} ({len(positions)}) | " + " | ".join(cells) + " |")
    return lines


def _positions(rows: list[dict[str, Any]]) -> dict[str, list[float]]:
    """Positions of outcomes in their predictive, on the tables and on all cases."""
    tables = [p for row in rows if "," not in row["case"] for p in row["positions"]]
    return {"tables": tables, "all": [p for row in rows for p in row["positions"]]}
