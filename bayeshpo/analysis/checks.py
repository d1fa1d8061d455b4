"""Which checks a fit did not pass, from its row of ``inference.jsonl``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from bayeshpo.analysis.fits import Row
from bayeshpo.inference.limits import (
    BFMI_LIMIT,
    DIVERGENCE_LIMIT,
    ESS_LIMIT,
    KHAT_LIMIT,
    LOO_BAD_LIMIT,
    RHAT_LIMIT,
)


@dataclass(frozen=True)
class Check:
    """A number on record and its limit.

    Attributes
    ----------
    name, limit
        In words.
    passed
        Of a row: whether its number keeps to the limit; None where it is not on record.
    of_draws
        Whether it speaks against the draws; what does not is no complaint about a fit.
    """

    name: str
    limit: str
    passed: Callable[[Row], bool | None]
    of_draws: bool = True


def _of(column: str, holds: Callable[[float], bool]) -> Callable[[Row], bool | None]:
    def passed(row: Row) -> bool | None:
        value = row.get(column)
        return None if value is None else holds(value)

    return passed


def _few_divergences(row: Row) -> bool | None:
    count, draws = row.get("divergences"), row.get("chains", 0) * row.get("draws", 0)
    # Results in small form do not say how many draws there were.
    return None if count is None or not draws else count <= DIVERGENCE_LIMIT * draws


CHECKS = (
    Check("R-hat", f"< {RHAT_LIMIT:g}", _of("rhat_max", lambda v: v < RHAT_LIMIT)),
    Check("nested R-hat", f"< {RHAT_LIMIT:g}", _of("rhat_nested_max", lambda v: v < RHAT_LIMIT)),
    Check("bulk ESS", f"> {ESS_LIMIT:g}", _of("ess_bulk_min", lambda v: v > ESS_LIMIT)),
    Check("tail ESS", f"> {ESS_LIMIT:g}", _of("ess_tail_min", lambda v: v > ESS_LIMIT)),
    Check("divergences", f"<= {DIVERGENCE_LIMIT:.1%}", _few_divergences),
    Check("E-BFMI", f">= {BFMI_LIMIT:g}", _of("bfmi_min", lambda v: v >= BFMI_LIMIT)),
    Check("k-hat", f"<= {KHAT_LIMIT:g}", _of("khat", lambda v: v <= KHAT_LIMIT)),
    # Influential trials: leave-one-out densities are not to be relied on, and the draws are no worse for it.
    Check(
        "LOO k-hat", f"<= {KHAT_LIMIT:g} for all", _of("loo_bad_share", lambda v: v <= LOO_BAD_LIMIT), of_draws=False
    ),
)
# What a fit may be that passed all of these: its engine says no, or there are no draws at all.
OTHER, FAILED = "other", "failed"


def complaints(row: Row) -> list[str]:
    """Names of the checks of its draws that a fit did not pass; empty if it may be used.

    "failed" alone where there is no posterior, "other" where only the engine's own checks speak against it.
    """
    if row["status"] == "failed":
        return [FAILED]
    found = [check.name for check in CHECKS if check.of_draws and check.passed(row) is False]
    return found or ([OTHER] if row["status"] != "ok" else [])
