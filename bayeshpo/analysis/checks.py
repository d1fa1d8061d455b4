"""Which checks a fit did not pass, from its row of ``inference.jsonl``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bayeshpo.analysis.fits import Row
from bayeshpo.inference.limits import (
    BFMI_LIMIT,
    DIVERGENCE_LIMIT,
    ESS_LIMIT,
    KHAT_LIMIT,
    LOO_BAD_LIMIT,
    MCSE_LIMIT,
    RHAT_LIMIT,
    SENSITIVITY_LIMIT,
    khat_limit,
)
from bayeshpo.inference.report import OF_A_FIT

# What the name of an entry ends with that says how a fit ended.
_STATUS = "_status"


@dataclass(frozen=True)
class Check:
    """A number on record and its limit.

    Attributes
    ----------
    name
        In words.
    limit
        In words, for so many rows: that of k-hat depends on how many draws there are.
    passed
        Of a row: whether its number keeps to the limit; None where it is not on record.
    of_draws
        Whether it speaks against the draws; what does not is no complaint about a fit.
    """

    name: str
    limit: Callable[[Sequence[Row]], str]
    passed: Callable[[Row], bool | None]
    of_draws: bool = True

    def passed_by(self, row: Row) -> bool | None:
        """Whether all fits of a row keep to the limit; None where none has the number."""
        said = [passed for fit in fits_in(row) if (passed := self.passed(fit)) is not None]
        return all(said) if said else None


def fits_in(row: Row) -> list[Row]:
    """The fit of the loss, and those of what is modelled beside it, as metrics, each as a row."""
    return [row, *({key: row.get(f"{name}_{key}") for key in OF_A_FIT} for name in beside(row))]


def beside(row: Row) -> list[str]:
    """Names of what is modelled beside the loss."""
    return [key.removesuffix(_STATUS) for key in row if key.endswith(_STATUS) and key != "audit_status"]


def _of(column: str, holds: Callable[[float], bool]) -> Callable[[Row], bool | None]:
    def passed(row: Row) -> bool | None:
        value = row.get(column)
        return None if value is None else holds(value)

    return passed


def _size(row: Row) -> int:
    """Number of draws; 0 where that is not on record, as in older results in small form."""
    return (row.get("chains") or 0) * (row.get("draws") or 0)


def _few_divergences(row: Row) -> bool | None:
    count, size = row.get("divergences"), _size(row)
    return None if count is None or not size else count <= DIVERGENCE_LIMIT * size


def khat_limits(rows: Sequence[Row]) -> list[float]:
    """The limits of k-hat of these fits, each once, from the lowest: they depend on the number of draws."""
    return sorted({khat_limit(size) if (size := _size(row)) else KHAT_LIMIT for row in rows})


def khat_in_words(rows: Sequence[Row]) -> str:
    """Those limits as a number or a range."""
    limits = khat_limits(rows)
    return " to ".join(dict.fromkeys(f"{limit:.2g}" for limit in (limits[0], limits[-1])))


def _small_khat(row: Row) -> bool | None:
    return None if row.get("khat") is None else row["khat"] <= khat_limits([row])[0]


def _no_conflict(row: Row) -> bool | None:
    prior, likelihood = row.get("prior_sensitivity"), row.get("likelihood_sensitivity")
    if not prior or not likelihood:
        return None
    return max(min(prior[name], likelihood[name]) for name in prior) <= SENSITIVITY_LIMIT


def _always(words: str) -> Callable[[Sequence[Row]], str]:
    return lambda rows: words


CHECKS = (
    Check("R-hat", _always(f"< {RHAT_LIMIT:g}"), _of("rhat_max", lambda v: v < RHAT_LIMIT)),
    Check("nested R-hat", _always(f"< {RHAT_LIMIT:g}"), _of("rhat_nested_max", lambda v: v < RHAT_LIMIT)),
    Check("bulk ESS", _always(f"> {ESS_LIMIT:g}"), _of("ess_bulk_min", lambda v: v > ESS_LIMIT)),
    Check("tail ESS", _always(f"> {ESS_LIMIT:g}"), _of("ess_tail_min", lambda v: v > ESS_LIMIT)),
    Check("MCSE", _always(f"< {MCSE_LIMIT:g}"), _of("mcse_max", lambda v: v < MCSE_LIMIT)),
    Check("divergences", _always(f"<= {DIVERGENCE_LIMIT:.1%}"), _few_divergences),
    Check("E-BFMI", _always(f">= {BFMI_LIMIT:g}"), _of("bfmi_min", lambda v: v >= BFMI_LIMIT)),
    Check("k-hat", lambda rows: f"<= {khat_in_words(rows)}", _small_khat),
    # Influential trials: leave-one-out densities are not to be relied on, and the draws are no worse for it.
    Check(
        "LOO k-hat",
        lambda rows: f"<= {khat_in_words(rows)}",
        _of("loo_bad_share", lambda v: v <= LOO_BAD_LIMIT),
        of_draws=False,
    ),
    # Nor are they for a prior that matters beside the data, or against them.
    Check("psense", _always(f"<= {SENSITIVITY_LIMIT:g}"), _no_conflict, of_draws=False),
)
# What a fit may be that passed all of these: its engine says no, or there are no draws at all.
OTHER, FAILED = "other", "failed"


def complaints(row: Row) -> list[str]:
    """Names of the checks of its draws that a fit did not pass; empty if it may be used.

    "failed" alone where there is no posterior, "other" where only the engine's own checks speak against it. A proposal
    rests on all fits of its row, so that what is said of any of them is said of it.
    """
    return list(dict.fromkeys(name for fit in fits_in(row) for name in _complaints(fit)))


def _complaints(fit: Row) -> list[str]:
    if fit["status"] == "failed":
        return [FAILED]
    found = [check.name for check in CHECKS if check.of_draws and check.passed(fit) is False]
    return found or ([OTHER] if fit["status"] != "ok" else [])
