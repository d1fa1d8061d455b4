"""Posteriors of a comparison: each searcher's effect in each model."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from bayeshpo.analysis.comparisons import coverage_of
from bayeshpo.analysis.figures.style import GUIDE, WARNING, WIDE, Drawing, in_rows, looks, new_figure
from bayeshpo.analysis.wording import words

NOTHING = "there is no comparison yet: bayeshpo compare RESULTS"


def draw(records: Sequence[Mapping[str, Any]], width: float) -> list[Drawing]:
    """A panel a model, from the records of `bayeshpo compare`; none without any."""
    if not records:
        return []
    columns = 2 if width >= WIDE and len(records) > 1 else 1
    rows = math.ceil(len(records) / columns)
    most = max(len(record["searchers"]) for record in records)
    figure = new_figure(width, rows * (0.2 * most + 0.85))
    for axes, record in zip(in_rows(figure, len(records), columns), records, strict=True):
        style = looks(record["searchers"])
        order = np.argsort(record["median"], kind="stable")
        axes.axvline(0.0, color=GUIDE, linewidth=0.8)
        for row, s in enumerate(order):
            look = style[record["searchers"][s]]
            axes.plot([record["low"][s], record["high"][s]], [row, row], color=look.color, linewidth=1.6)
            axes.plot(record["median"][s], row, look.marker, color=look.color, markersize=4.5)
            axes.text(1.02, row, f"{record['best'][s]:.2f}", transform=axes.get_yaxis_transform(), va="center")
        axes.text(1.02, -0.85, "P(best)", transform=axes.get_yaxis_transform(), va="center", fontsize="small")
        axes.set_yticks(range(len(order)), [words(record["searchers"][s]) for s in order])
        axes.set_ylim(len(order) - 0.5, -0.5)
        axes.set_title(record["title"])
        axes.set_xlabel(_wrapped(record["unit"]))
        if record["report"]["status"] != "ok":
            axes.text(0.5, 0.5, "not converged", transform=axes.transAxes, color=WARNING, ha="center", va="center")
    notes = " ".join(f"{record['title']}: {record['note']}" for record in records)
    caption = " ".join(
        (
            "Posterior of each searcher's effect, lower is better: medians and 90 % intervals, and the probability of "
            "being the best.",
            *coverage_of(records),
            notes,
        )
    )
    return [Drawing("comparison", figure, caption)]


def _wrapped(text: str) -> str:
    first, comma, rest = text.partition(", ")
    return f"{first}{comma}\n{rest}" if comma else text
