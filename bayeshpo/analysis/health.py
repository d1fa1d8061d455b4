"""Health of the posteriors that a searcher relied on: convergence, divergences, what was done, and what it cost."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from bayeshpo.analysis.fits import Fits, by_problem, by_searcher, column, rows_of
from bayeshpo.inference.limits import ESS_LIMIT, RHAT_LIMIT


@dataclass(frozen=True)
class PosteriorHealth:
    """Summary of all fits of one searcher's surrogate on one problem, or on all.

    Shares are of all fits; a fit without a diagnostic (it failed) does not meet the limit. Extremes and medians are of
    the fits that have the number; NaN where none has.

    Attributes
    ----------
    problem, searcher
        Labels; the problem is None where all are taken together.
    fits
        Number of fits.
    rhat_share, ess_share, both_share
        Share of fits with R-hat < 1.01, with bulk ESS > 400, with both, in [0, 1].
    rhat_max, ess_min
        Worst R-hat and worst bulk ESS of any parameter in any fit.
    divergences
        Sum over fits.
    actions, statuses
        Number of fits by action and by status.
    seconds_fit, seconds_maximise
        Median seconds of one fit (without compiling) and of one maximisation of the acquisition.
    """

    problem: str | None
    searcher: str
    fits: int
    rhat_share: float
    ess_share: float
    both_share: float
    rhat_max: float
    ess_min: float
    divergences: int | None
    actions: dict[str, int]
    statuses: dict[str, int]
    seconds_fit: float
    seconds_maximise: float


def posterior_health(fits: Sequence[Fits]) -> list[PosteriorHealth]:
    """Health by searcher and problem; a searcher that fits on several problems has a row for all of them last."""
    found = []
    for searcher, own in by_searcher(fits).items():
        problems = by_problem(own)
        found += [_health(problem, searcher, part) for problem, part in problems.items()]
        if len(problems) > 1:
            found.append(_health(None, searcher, own))
    return found


def _health(problem: str | None, searcher: str, fits: Sequence[Fits]) -> PosteriorHealth:
    rows = rows_of(fits)
    rhat, ess = column(rows, "rhat_max"), column(rows, "ess_bulk_min")
    mixed, sized = rhat < RHAT_LIMIT, ess > ESS_LIMIT
    return PosteriorHealth(
        problem=problem,
        searcher=searcher,
        fits=len(rows),
        rhat_share=float(mixed.mean()),
        ess_share=float(sized.mean()),
        both_share=float((mixed & sized).mean()),
        rhat_max=_of_known(np.max, rhat),
        ess_min=_of_known(np.min, ess),
        divergences=_total(column(rows, "divergences")),
        actions=dict(Counter(str(row["action"]) for row in rows).most_common()),
        statuses=dict(Counter(str(row["status"]) for row in rows).most_common()),
        seconds_fit=_of_known(np.median, column(rows, "seconds_sample")),
        seconds_maximise=_of_known(np.median, column(rows, "seconds_maximise")),
    )


def _of_known(statistic: Callable[[np.ndarray], Any], values: np.ndarray) -> float:
    known = values[~np.isnan(values)]
    return float(statistic(known)) if known.size else float("nan")


def _total(counts: np.ndarray) -> int | None:
    """Sum of the counts; None where the engine has nothing to count."""
    return int(np.nansum(counts)) if np.isfinite(counts).any() else None
