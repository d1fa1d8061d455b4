"""Convergence diagnostics of every fit, over iterations."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter, NullLocator

from bayeshpo.analysis.checks import khat_in_words, khat_limits
from bayeshpo.analysis.figures.style import WARNING, WIDE, Drawing, Look, guides, looks, new_figure
from bayeshpo.analysis.fits import Fits, Row, by_problem, by_searcher, column, rows_of
from bayeshpo.analysis.wording import counted, words
from bayeshpo.inference.limits import ESS_LIMIT, RHAT_LIMIT

NOTHING = "no surrogate was fitted"
_PANELS = 4


@dataclass(frozen=True)
class _Measure:
    column: str
    label: str
    limit: float | None = None
    logarithmic: bool = False


_MEASURES = (
    _Measure("rhat_max", "largest $\\widehat{R}$", RHAT_LIMIT),
    _Measure("ess_bulk_min", "smallest\nbulk ESS", ESS_LIMIT, logarithmic=True),
    _Measure("divergences", "divergences"),
    _Measure("khat", "$\\widehat{k}$ of\nweighted draws"),
    _Measure("seconds_sample", "seconds\nper fit", logarithmic=True),
)


def draw(fits: Sequence[Fits], width: float) -> list[Drawing]:
    """Figures of at most four problems each, two in a narrow column; none if nothing was fitted."""
    problems = list(by_problem(fits))
    drawings = []
    panels = _PANELS if width >= WIDE else 2
    for start in range(0, len(problems), panels):
        shown = problems[start : start + panels]
        name = "convergence" if start == 0 else f"convergence_{start // panels + 1}"
        drawings.append(_figure(name, [own for own in fits if own[0].problem in shown], width))
    return drawings


def _figure(name: str, fits: Sequence[Fits], width: float) -> Drawing:
    problems, rows = by_problem(fits), rows_of(fits)
    style = looks(run.searcher for run, _ in fits)
    single = len(problems) == 1
    measures = _measured(rows)
    figure = new_figure(width, 3.0 if single else 1.0 * len(measures) + 0.75)
    if single:
        cells = figure.subplots(2, 2, sharex=True).ravel()
        grid = cells[: len(measures), None]
        for unused in cells[len(measures) :]:
            unused.set_axis_off()
        figure.suptitle(words(next(iter(problems))), fontsize="medium", x=0.01, ha="left")
    else:
        grid = figure.subplots(len(measures), len(problems), sharex="col", sharey="row", squeeze=False)
        for problem, axes in zip(problems, grid[0], strict=True):
            axes.set_title(words(problem))
    for measure, panels in zip(measures, grid, strict=True):
        for own, axes in zip(problems.values(), panels, strict=True):
            _panel(axes, measure, own, style)
        _scale(panels[0], measure, column(rows, measure.column))
        panels[0].set_ylabel(measure.label, multialignment="center")
    for axes in grid[-2:].ravel() if single else grid[-1]:
        axes.set_xlabel("trials seen")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=4))
    figure.align_ylabels()
    handles = [
        Line2D([], [], color=look.color, marker=look.marker, linestyle="", label=f"{words(searcher)}, one dot per fit")
        for searcher, look in style.items()
    ]
    handles.append(Line2D([], [], color=WARNING, linestyle="--", linewidth=0.8, label="limit"))
    figure.legend(handles=handles, loc="outside lower center", ncols=len(handles) if width >= WIDE else 2)
    return Drawing(name, figure, _caption(fits, measures))


def _measured(rows: Sequence[Row]) -> list[_Measure]:
    """At most four measures that these engines have: not every one of them diverges, or reuses draws."""
    known = [m for m in _MEASURES if np.isfinite(column(rows, m.column)).any()]
    return [m for m in known if m.column != "khat"] if len(known) > _PANELS else known


def _panel(axes: Axes, measure: _Measure, fits: Sequence[Fits], style: dict[str, Look]) -> None:
    for run, rows in fits:
        look = style[run.searcher]
        n, values = column(rows, "n"), column(rows, measure.column)
        axes.plot(n, values, color=look.color, linewidth=0.4, alpha=0.35)
        axes.plot(n, values, look.marker, color=look.color, markersize=2.3, alpha=0.75, markeredgewidth=0)
    for limit in _limits(measure, rows_of(fits)):
        axes.axhline(limit, color=WARNING, linestyle="--", linewidth=0.8)
    guides(axes)


def _limits(measure: _Measure, rows: Sequence[Row]) -> list[float]:
    if measure.column == "khat":
        return khat_limits(rows)
    return [] if measure.limit is None else [measure.limit]


def _scale(axes: Axes, measure: _Measure, values: np.ndarray) -> None:
    known = values[np.isfinite(values)]
    if not known.size:
        return
    if measure.logarithmic and (known > 0).all():
        low, high = known.min(), max(known.max(), measure.limit or 0.0)
        low = min(low, measure.limit or low)
        axes.set_yscale("log")
        axes.set_ylim(low / 1.3, high * 1.3)
        # Less than a decade has no more than one power of ten: label 2 and 5 as well.
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if high / low < 30 else (1,), numticks=8))
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axes.yaxis.set_minor_locator(NullLocator())
        axes.yaxis.set_minor_formatter(NullFormatter())
    elif measure.column == "divergences":
        axes.set_ylim(-0.06 * max(1.0, known.max()), 1.08 * max(1.0, known.max()))
        axes.yaxis.set_major_locator(MaxNLocator(3, integer=True))
    else:
        axes.yaxis.set_major_locator(MaxNLocator(4))
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.10g}"))


def _caption(fits: Sequence[Fits], measures: Sequence[_Measure]) -> str:
    problems = by_problem(fits)
    seeds = [len(runs) for own in problems.values() for runs in by_searcher(own).values()]
    where = "the problem" if len(problems) == 1 else "each problem"
    shown = {m.column for m in measures}
    between = "divergent transitions; " if "divergences" in shown else ""
    if "khat" in shown:
        between += f"Pareto k-hat of weighted draws, with its limit {khat_in_words(rows_of(fits))}; "
    return (
        f"Convergence of every fit of the surrogate against the number of trials it saw: {len(rows_of(fits))} fits, "
        f"{counted(seeds, 'seed')} on {where}, one thin line per run. Largest R-hat and smallest bulk effective sample "
        f"size over all parameters, with the limits {RHAT_LIMIT:g} and {ESS_LIMIT:g} (dashed); {between}"
        "seconds of sampling, without compiling."
    )
