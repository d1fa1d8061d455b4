"""What is known about the quality of one fit: convergence diagnostics, the action taken and the status."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, Literal

import numpy as np
from arviz_stats.base.array import array_stats

Status = Literal["ok", "not_converged", "failed"]
# Its annotations are unions that no caller can narrow.
_diagnostics: Any = array_stats

RHAT_LIMIT = 1.01
ESS_LIMIT = 400.0


@dataclass(frozen=True)
class InferenceReport:
    """One fit of a surrogate.

    Attributes
    ----------
    engine, action, status, reason
        What fitted it, what it did ("sampled", "retried", ...), how it ended, and why if not well.
    n
        Trials with a value that the fit saw.
    chains, draws
        Size of the posterior: draws in each chain or island.
    rhat_max, ess_bulk_min, ess_tail_min
        Rank-normalised split R-hat and effective sample sizes, the worst over hyperparameters (Vehtari et al. 2021).
    ess_per_second
        ess_bulk_min by the seconds of sampling.
    divergences, tree_depth_hits, bfmi_min
        Counts over all chains, and the smallest energy fraction of missing information (gradient samplers only).
    khat
        Pareto shape of importance weights (engines that weigh draws only; Vehtari et al. 2024).
    evidence_increment
        Log predictive density of the newest trial before it entered (sequential engines only).
    seconds_compile, seconds_sample
        Wall time.
    """

    engine: str
    action: str
    n: int
    status: Status = "ok"
    reason: str | None = None
    chains: int = 0
    draws: int = 0
    rhat_max: float | None = None
    ess_bulk_min: float | None = None
    ess_tail_min: float | None = None
    ess_per_second: float | None = None
    divergences: int | None = None
    bfmi_min: float | None = None
    tree_depth_hits: int | None = None
    khat: float | None = None
    evidence_increment: float | None = None
    seconds_compile: float = 0.0
    seconds_sample: float = 0.0

    def to_row(self) -> dict[str, Any]:
        """The report as JSON values."""
        return {f.name: _plain(getattr(self, f.name)) for f in fields(self)}


def with_convergence(report: InferenceReport, Q: np.ndarray, statistics: Mapping[str, np.ndarray]) -> InferenceReport:
    """The report completed from draws Q (chain, draw, Q) and sample statistics (chain, draw) each.

    The status becomes "not_converged" where R-hat is not below 1.01 or the bulk ESS not above 400.
    """
    chains, draws, _ = Q.shape
    rhat = float(np.max(_diagnostics.rhat(Q, chain_axis=0, draw_axis=1)))
    bulk = float(np.min(_diagnostics.ess(Q, chain_axis=0, draw_axis=1, method="bulk")))
    tail = float(np.min(_diagnostics.ess(Q, chain_axis=0, draw_axis=1, method="tail", prob=(0.1, 0.9))))
    converged = rhat < RHAT_LIMIT and bulk > ESS_LIMIT
    reason = None if converged else f"R-hat {rhat:.3f} (< {RHAT_LIMIT}), bulk ESS {bulk:.0f} (> {ESS_LIMIT:.0f})"
    energy = statistics.get("energy")
    return replace(
        report,
        status="ok" if converged else "not_converged",
        reason=reason,
        chains=chains,
        draws=draws,
        rhat_max=rhat,
        ess_bulk_min=bulk,
        ess_tail_min=tail,
        ess_per_second=bulk / report.seconds_sample if report.seconds_sample > 0 else None,
        divergences=int(statistics["diverging"].sum()) if "diverging" in statistics else None,
        tree_depth_hits=int(statistics["reached_max_treedepth"].sum())
        if "reached_max_treedepth" in statistics
        else None,
        bfmi_min=None if energy is None else float(np.asarray(_diagnostics.bfmi(energy)).min()),
    )


def _plain(value: Any) -> Any:
    if isinstance(value, float) and not np.isfinite(value):
        return None
    return value
