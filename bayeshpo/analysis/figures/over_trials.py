"""What figures of fits over trials share: a figure a searcher, a column a problem, a few problems a figure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import ArrayLike

from bayeshpo.analysis.figures.style import WIDE, file_name, guides, in_rows, new_figure
from bayeshpo.analysis.fits import Fits, Row, by_problem, by_searcher, rows_of
from bayeshpo.analysis.wording import words

# Trials on either side of a single number of them.
_SHORT = 0.3


@dataclass(frozen=True)
class Page:
    """One figure's part of the fits: a searcher's, by problem, without the rows that have nothing to show."""

    name: str
    searcher: str
    problems: Mapping[str, Sequence[Fits]]

    @property
    def rows(self) -> list[dict[str, Any]]:
        """All rows of the page."""
        return [row for fits in self.problems.values() for row in rows_of(fits)]

    @property
    def seeds(self) -> list[int]:
        """Number of runs on each problem."""
        return [len(fits) for fits in self.problems.values()]


def pages(name: str, fits: Sequence[Fits], has: Callable[[Row], bool], per_page: int) -> Iterator[Page]:
    """The figures of some name: of rows that have what is shown, at most so many problems each."""
    known = [(run, kept) for run, rows in fits if (kept := [row for row in rows if has(row)])]
    searchers = by_searcher(known)
    for searcher, own in searchers.items():
        base = name if len(searchers) == 1 else file_name(name, searcher)
        problems = by_problem(own)
        labels = list(problems)
        for start in range(0, len(labels), per_page):
            part = {label: problems[label] for label in labels[start : start + per_page]}
            yield Page(base if start == 0 else f"{base}_{start // per_page + 1}", searcher, part)


def columns_fitting(width: float) -> int:
    """How many panels stand side by side."""
    return 4 if width >= WIDE else 2


def titles(grid: np.ndarray, page: Page) -> None:
    """Names of the problems above the first row of a grid of panels, and trials below the last."""
    for axes, problem in zip(grid[0], page.problems, strict=True):
        axes.set_title(words(problem))
    for axes in grid[-1]:
        axes.set_xlabel("trials seen")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=4, min_n_ticks=1))


def over_seeds(fits: Sequence[Fits], values: Callable[[Row], float]) -> tuple[np.ndarray, np.ndarray]:
    """Numbers of trials (g,), and the median over runs of what rows with so many have (g,)."""
    found: dict[int, list[float]] = {}
    for _, rows in fits:
        for row in rows:
            found.setdefault(row["n"], []).append(values(row))
    at = sorted(found)
    return np.array(at), np.array([np.median(found[n]) for n in at])


def as_line(at: ArrayLike, *values: ArrayLike) -> tuple[np.ndarray, ...]:
    """Numbers of trials and values that can be drawn as a line: of a single number a short one, for a point is none."""
    arrays = tuple(np.asarray(array, dtype=float) for array in (at, *values))
    if len(arrays[0]) != 1:
        return arrays
    return arrays[0] + np.array([-_SHORT, _SHORT]), *(np.repeat(array, 2) for array in arrays[1:])


def panels(names: Sequence[str], width: float) -> tuple[Figure, list[Axes]]:
    """A figure with a small panel for each name, all on the same axes."""
    columns = min(len(names), columns_fitting(width))
    rows = -(-len(names) // columns)
    figure = new_figure(width, 1.15 * rows + 0.5)
    cells = in_rows(figure, len(names), columns, sharex=True, sharey=True)
    for axes, name in zip(cells, names, strict=True):
        axes.set_title(words(name), fontsize="small")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=4, min_n_ticks=1))
        guides(axes)
    return figure, cells


def bands(axes: Axes, fits: Sequence[Fits], quantiles: Callable[[Row], Sequence[float] | None], color: str) -> None:
    """A line and a band a run: the second of three quantiles, between the first and the last."""
    for _, rows in fits:
        known = [(row["n"], found) for row in rows if (found := quantiles(row)) is not None]
        if known:
            n, (low, middle, high) = [at for at, _ in known], np.array([q for _, q in known]).T
            n, low, middle, high = as_line(n, low, middle, high)
            axes.fill_between(n, low, high, color=color, alpha=0.25 / len(fits) ** 0.5, linewidth=0)
            axes.plot(n, middle, color=color, linewidth=0.9)


def nothing_to_show(axes: Axes) -> None:
    """An empty panel says so."""
    axes.text(0.5, 0.5, "not on record", transform=axes.transAxes, ha="center", va="center", color="#777777")
