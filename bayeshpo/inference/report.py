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
# Share of divergent transitions: below it they are a corner of the posterior that averages hardly feel.
DIVERGENCE_LIMIT = 0.001
# Betancourt (2016): below it energies change so little from draw to draw that tails are not explored.
BFMI_LIMIT = 0.3


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
        Rank-normalised split R-hat and effective sample sizes, the worst over hyperparameters (Vehtari et al. 2021;
        the tails are those beyond the 5 % and the 95 % quantile).
    rhat_nested_max
        Nested R-hat with each chain or island for a superchain and its halves for chains, the worst over
        hyperparameters (Margossian et al. 2024): groups that have not found each other's draws, however short they are.
    ess_per_second
        ess_bulk_min by the seconds of sampling.
    divergences, tree_depth_hits, bfmi_min, step_size
        Counts over all chains, the smallest energy fraction of missing information, and the mean step size (gradient
        samplers only).
    khat, ess_importance
        Pareto shape of importance weights, and how many equally weighted draws they are worth (engines that weigh draws
        only; Vehtari et al. 2024; Kish 1965).
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
    rhat_nested_max: float | None = None
    ess_bulk_min: float | None = None
    ess_tail_min: float | None = None
    ess_per_second: float | None = None
    divergences: int | None = None
    bfmi_min: float | None = None
    tree_depth_hits: int | None = None
    step_size: float | None = None
    khat: float | None = None
    ess_importance: float | None = None
    evidence_increment: float | None = None
    seconds_compile: float = 0.0
    seconds_sample: float = 0.0

    def to_row(self) -> dict[str, Any]:
        """The report as JSON values."""
        return {f.name: plain(getattr(self, f.name)) for f in fields(self)}


def with_convergence(report: InferenceReport, Q: np.ndarray, statistics: Mapping[str, np.ndarray]) -> InferenceReport:
    """The report completed from draws Q (chain, draw, Q) and sample statistics (chain, draw) each.

    The status becomes "not_converged" where R-hat is not below 1.01 or the bulk ESS not above 400; where there are
    energies and divergences, also where E-BFMI is below 0.3 or more than one transition in a thousand diverged.
    """
    chains, draws, _ = Q.shape
    energy, hits, step = (statistics.get(name) for name in ("energy", "reached_max_treedepth", "step_size"))
    bulk = float(np.min(_diagnostics.ess(Q, chain_axis=0, draw_axis=1, method="bulk")))
    report = replace(
        report,
        chains=chains,
        draws=draws,
        rhat_max=float(np.max(_diagnostics.rhat(Q, chain_axis=0, draw_axis=1))),
        rhat_nested_max=float(np.max(_diagnostics.rhat_nested(Q, np.arange(chains), chain_axis=0, draw_axis=1))),
        ess_bulk_min=bulk,
        ess_tail_min=float(np.min(_diagnostics.ess(Q, chain_axis=0, draw_axis=1, method="tail", prob=(0.05, 0.95)))),
        ess_per_second=bulk / report.seconds_sample if report.seconds_sample > 0 else None,
        divergences=int(statistics["diverging"].sum()) if "diverging" in statistics else None,
        tree_depth_hits=None if hits is None else int(hits.sum()),
        bfmi_min=None if energy is None else float(np.asarray(_diagnostics.bfmi(energy)).min()),
        step_size=None if step is None else float(np.mean(step)),
    )
    complaints = _complaints(report)
    return replace(
        report, status="not_converged" if complaints else "ok", reason="; ".join(complaints) if complaints else None
    )


def numerics_row(state: Mapping[str, np.ndarray]) -> dict[str, Any]:
    """How well the draws' covariances could be factorised; entries of a row of inference.

    What had to be added to their diagonals (S,): the most, None where a covariance could not be factorised with any,
    and the share of draws. The largest condition number, as the diagonals of the inverse factors M (S, N, N) bound it
    from below (Higham 2002, section 8.3). Empty for a surrogate that keeps neither.
    """
    row: dict[str, Any] = {}
    if "jitter" in state:
        jitter = np.asarray(state["jitter"])
        row |= {"jitter_max": plain(float(jitter.max())), "jitter_share": float((jitter > 0.0).mean())}
    if "M" in state and state["M"].shape[-1] > 0:
        diagonal = np.abs(np.diagonal(state["M"], axis1=1, axis2=2))
        row["condition_max"] = plain(float(np.max((diagonal.max(axis=1) / diagonal.min(axis=1)) ** 2)))
    return row


def _complaints(report: InferenceReport) -> list[str]:
    """What speaks against using the draws, with the limit of each."""
    rhat, bulk, size = report.rhat_max, report.ess_bulk_min, report.chains * report.draws
    assert rhat is not None
    assert bulk is not None
    found = []
    if not (rhat < RHAT_LIMIT and bulk > ESS_LIMIT):
        found.append(f"R-hat {rhat:.3f} (< {RHAT_LIMIT}), bulk ESS {bulk:.0f} (> {ESS_LIMIT:.0f})")
    if report.divergences is not None and report.divergences > DIVERGENCE_LIMIT * size:
        found.append(f"{report.divergences} divergences in {size} draws (<= {DIVERGENCE_LIMIT:.1%})")
    if report.bfmi_min is not None and report.bfmi_min < BFMI_LIMIT:
        found.append(f"E-BFMI {report.bfmi_min:.2f} (>= {BFMI_LIMIT}): energies hardly change, tails are not explored")
    return found


def plain(value: Any) -> Any:
    """The value as JSON can hold it: None where it is no finite number."""
    if isinstance(value, float) and not np.isfinite(value):
        return None
    return value
