"""The look that all figures share: sizes, fonts, one colour and marker per searcher, files without dates."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any, Literal
from zlib import crc32

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from bayeshpo.analysis.wording import words

# Widths of the text in inches: of a column, where there are two, and with "_page" of both.
VENUES = {
    "neurips": 5.5, "iclr": 5.5, "icml": 3.25, "icml_page": 6.75, "aistats": 3.25, "aistats_page": 6.75, "uai": 3.25,
    "uai_page": 6.75, "jmlr": 6.0, "tmlr": 6.5,
}  # fmt: skip
# From this width on, panels stand side by side.
WIDE = 5.0

PRIOR = "#8C8C8C"
DATA = "#000000"
GUIDE = "#B0B0B0"
WARNING = "#A03000"


@dataclass(frozen=True)
class Look:
    """Colour, marker and line style of a searcher."""

    color: str
    marker: str
    line: Literal["-", "--", ":", "-."] = "-"


# Okabe and Ito's palette, which colour-blind readers can tell apart; markers repeat the distinction in print.
_KNOWN = {
    "bayesian": Look("#0072B2", "o"),
    "random": Look("#6E6E6E", "s"),
    "sobol": Look("#56B4E9", "^"),
    "grid": Look("#E69F00", "D"),
    "finite_difference": Look("#009E73", "v"),
    "hypergradient": Look("#D55E00", "P"),
}
# Others have theirs by name; colours of Okabe and Ito, and of Tol's muted scheme.
_FURTHER = (
    Look("#CC79A7", "X"), Look("#000000", "*"), Look("#8A6D00", "h"), Look("#5B2A86", "<"), Look("#117733", ">"),
    Look("#882255", "p"), Look("#44AA99", "d"), Look("#999933", "H"), Look("#CC6677", "8"),
)  # fmt: skip
_LINES: tuple[Literal["-", "--", ":", "-."], ...] = ("-", "--", ":", "-.")

_SETTINGS: dict[Any, Any] = {
    "font.family": "STIXGeneral",
    "mathtext.fontset": "stix",
    "font.size": 8.5,
    "axes.titlesize": 9,
    "axes.labelsize": 8.5,
    "xtick.labelsize": 7.5,
    "ytick.labelsize": 7.5,
    "legend.fontsize": 8,
    "legend.frameon": False,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.6,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "xtick.minor.width": 0.4,
    "ytick.minor.width": 0.4,
    "lines.linewidth": 1.2,
    "lines.markersize": 3.5,
    "axes.axisbelow": True,
    "pdf.fonttype": 42,
    "ps.fonttype": 42,
    "figure.dpi": 100,
}


@dataclass(frozen=True)
class Drawing:
    """A figure with the name of its files and its caption."""

    name: str
    figure: Figure
    caption: str


def settings() -> AbstractContextManager[None]:
    """Matplotlib's defaults with this style; to be held while a figure is made and saved."""
    # A user's own matplotlibrc must not change the figures; which backend is active is none of our business.
    defaults: dict[Any, Any] = {k: v for k, v in mpl.rcParamsDefault.items() if not k.startswith("backend")}
    return mpl.rc_context(defaults | _SETTINGS)


def looks(searchers: Iterable[str]) -> dict[str, Look]:
    """Colour, marker and line of each searcher.

    Registered names always have the same, others have what their name says; of two whose names say the same, the one
    later in the alphabet has the next that is free.
    """
    labels = list(dict.fromkeys(searchers))
    found: dict[str, Look] = {}
    for label in sorted(label for label in labels if label.lower() not in _KNOWN):
        place = crc32(label.encode()) % len(_FURTHER)
        found[label] = next(look for i in count() if (look := _further(place, i)) not in found.values())
    return {label: _KNOWN.get(label.lower()) or found[label] for label in labels}


def file_name(*labels: str) -> str:
    """Labels as the name of a file, without a suffix."""
    return "_".join(re.sub(r"[^A-Za-z0-9-]+", "_", label).strip("_") for label in labels)


def new_figure(width: float, height: float) -> Figure:
    """An empty figure (inches) that lays itself out, with a canvas of its own and no global state."""
    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def panel_width(width: float) -> float:
    """Width of a figure with a single panel: a whole column, or two thirds of a wider text."""
    return max(min(width, 3.25), 0.64 * width)


def in_rows(figure: Figure, count: int, columns: int, **options: Any) -> list[Axes]:
    """So many panels, row by row; what is left of the last row stays empty. Options are those of `Figure.subplots`."""
    panels = figure.subplots(-(-count // columns), columns, squeeze=False, **options).ravel()
    for unused in panels[count:]:
        unused.set_visible(False)
    return list(panels[:count])


def legend(figure: Figure, style: Mapping[str, Look], width: float, further: Sequence[Line2D] = ()) -> None:
    """The searchers' names below a figure of some width, and what else has to be told apart."""
    handles = [
        Line2D([], [], color=look.color, marker=look.marker, linestyle=look.line, label=words(searcher))
        for searcher, look in style.items()
    ]
    handles += further
    longest = max(len(str(handle.get_label())) for handle in handles)
    fitting = max(1, int((width - 0.2) / (0.5 + 0.055 * longest)))
    figure.legend(handles=handles, loc="outside lower center", ncols=min(len(handles), fitting))


def curves(axes: Axes, at: np.ndarray, bands: Mapping[str, Sequence[np.ndarray]], style: Mapping[str, Look]) -> None:
    """A line for each searcher, with a band where there is one: its value, or low, value and high, each (G,).

    However short a line is, it has a marker.
    """
    for i, (searcher, band) in enumerate(bands.items()):
        look = style[searcher]
        if len(band) == 3:
            axes.fill_between(at, band[0], band[2], color=look.color, alpha=0.16, linewidth=0)
        line, stride = band[len(band) // 2], max(1, len(at) // 8)
        drawn = np.flatnonzero(np.isfinite(line))
        first = min(i * stride // len(bands), max(0, len(drawn) - 1))
        axes.plot(
            at, line, color=look.color, linestyle=look.line, marker=look.marker, markevery=drawn[first::stride].tolist()
        )
    guides(axes)


def guides(axes: Axes) -> None:
    """Thin horizontal lines at the ticks."""
    axes.grid(axis="y", color="#E6E6E6", linewidth=0.5)


def mark_incomplete(figure: Figure, note: str) -> None:
    """Say on the face of a figure that its results are not complete."""
    figure.text(0.995, 0.995, f"incomplete results: {note}", ha="right", va="top", fontsize=7, color=WARNING)
    engine = figure.get_layout_engine()
    if engine is not None:
        engine.set(rect=(0, 0, 1, 1 - 0.16 / figure.get_figheight()))  # pyright: ignore[reportCallIssue]


def save(drawing: Drawing, folder: Path) -> list[Path]:
    """Write a figure as PDF and PNG; the same figure gives the same bytes."""
    pdf, png = (folder / f"{drawing.name}.{suffix}" for suffix in ("pdf", "png"))
    drawing.figure.savefig(pdf, metadata={"CreationDate": None, "Title": drawing.name})
    # The layout is found once, so that both files have the same.
    drawing.figure.set_layout_engine("none")
    drawing.figure.savefig(png, metadata={"Software": None, "Title": drawing.name}, dpi=200)
    return [pdf, png]


def _further(place: int, i: int) -> Look:
    """The i-th look from a place on: all colours and markers with one line, then with another."""
    look = _FURTHER[(place + i) % len(_FURTHER)]
    return Look(look.color, look.marker, _LINES[i // len(_FURTHER) % len(_LINES)])
