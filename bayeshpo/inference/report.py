"""What is known about the quality of one fit: convergence diagnostics, the action taken and the status."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, Literal

import numpy as np

from bayeshpo.inference.convergence import Convergence, bfmi
from bayeshpo.inference.limits import BFMI_LIMIT, DIVERGENCE_LIMIT, ESS_LIMIT, RHAT_LIMIT

Status = Literal["ok", "not_converged", "failed"]
# What a row of inference has of a fit of something else than the loss, after that one's name; and a tree of its own.
OF_A_FIT = (
    "status", "reason", "action", "chains", "draws", "rhat_max", "rhat_nested_max", "ess_bulk_min", "ess_tail_min",
    "mcse_max", "divergences", "bfmi_min", "khat",
)  # fmt: skip


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
    mcse_max
        Monte Carlo standard error of the posterior mean by the posterior standard deviation, the largest over
        hyperparameters: one over the root of the effective number for the mean. Where that is the bulk's, as of draws
        without heavy tails, it says what ess_bulk_min says (400 is 0.05); of weighted draws, whose effective number is
        in ess_bulk_min, it is left out.
    ess_per_second
        ess_bulk_min by the seconds of sampling.
    divergences, tree_depth_hits, bfmi_min, step_size
        Counts over all chains, the smallest energy fraction of missing information, and the mean step size (gradient
        samplers only).
    khat, ess_importance
        Pareto shape of importance weights, and how many equally weighted draws they are worth (engines that weigh draws
        only; Vehtari et al. 2024; Kish 1965).
    evidence_increment
        Log predictive density of the trials that are new to the engine, before they entered: of one that is carried on
        the newest, of one that begins anew with each fit (smc, laplace, advi, pathfinder) all of them.
    seconds_compile, seconds_sample, seconds_diagnose
        Wall time: of compiling, of finding the draws, and of the convergence diagnostics.
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
    mcse_max: float | None = None
    divergences: int | None = None
    bfmi_min: float | None = None
    tree_depth_hits: int | None = None
    step_size: float | None = None
    khat: float | None = None
    ess_importance: float | None = None
    evidence_increment: float | None = None
    seconds_compile: float = 0.0
    seconds_sample: float = 0.0
    seconds_diagnose: float = 0.0

    @property
    def ess_per_second(self) -> float | None:
        """None where there is no effective sample size, or sampling took no time."""
        if self.ess_bulk_min is None or self.seconds_sample <= 0.0:
            return None
        return self.ess_bulk_min / self.seconds_sample

    @property
    def attributes(self) -> dict[str, Any]:
        """What a tree says of the fit that it is of: how it ended, and the numbers that there are."""
        row = self.to_row()
        return {name: row[name] for name in ("engine", "n", *OF_A_FIT) if row[name] is not None}

    def to_row(self) -> dict[str, Any]:
        """The report as JSON values."""
        names = (*(f.name for f in fields(self)), "ess_per_second")
        return {name: plain(getattr(self, name)) for name in names}


def checked(report: InferenceReport, Q: np.ndarray, statistics: Mapping[str, np.ndarray]) -> InferenceReport:
    """The report with what decides on draws Q (chain, draw, Q) and sample statistics (chain, draw) each.

    The status becomes "not_converged" where R-hat is not below 1.01 or the bulk ESS not above 400; where there are
    energies and divergences, also where E-BFMI is below 0.3 or more than one transition in a thousand diverged.
    """
    chains, draws, _ = Q.shape
    energy, hits, step = (statistics.get(name) for name in ("energy", "reached_max_treedepth", "step_size"))
    of = Convergence(Q)
    report = replace(
        report,
        chains=chains,
        draws=draws,
        rhat_max=float(of.rhat.max()),
        ess_bulk_min=float(of.ess_bulk.min()),
        divergences=int(statistics["diverging"].sum()) if "diverging" in statistics else None,
        tree_depth_hits=None if hits is None else int(hits.sum()),
        bfmi_min=None if energy is None else float(bfmi(energy).min()),
        step_size=None if step is None else float(np.mean(step)),
    )
    complaints = _complaints(report)
    return replace(
        report, status="not_converged" if complaints else "ok", reason="; ".join(complaints) if complaints else None
    )


def described(report: InferenceReport, Q: np.ndarray) -> InferenceReport:
    """The report with what is on record of draws Q (chain, draw, Q) and decides nothing: once, of the last ones."""
    of = Convergence(Q)
    return replace(
        report,
        rhat_nested_max=float(of.rhat_nested.max()),
        ess_tail_min=float(of.ess_tail.min()),
        mcse_max=float(of.ess_mean.min() ** -0.5),
    )


def numerics_row(states: Sequence[Mapping[str, np.ndarray]]) -> dict[str, Any]:
    """How well the draws' covariances could be factorised; entries of a row of inference.

    What had to be added to their diagonals (S,): the most, None where a covariance could not be factorised with any,
    and the share of draws. The largest condition number, as the diagonals of the inverse factors M (S, N, N) bound it
    from below (Higham 2002, section 8.3). Of what is kept by each member of a mixture, or of each objective's data;
    nothing of a surrogate that keeps neither.
    """
    row: dict[str, Any] = {}
    jitter = [np.asarray(state["jitter"]) for state in states if "jitter" in state]
    if jitter:
        added = np.concatenate(jitter)
        row |= {"jitter_max": plain(float(added.max())), "jitter_share": float((added > 0.0).mean())}
    factors = [state["M"] for state in states if "M" in state and state["M"].shape[-1] > 0]
    if factors:
        row["condition_max"] = plain(max(map(_condition, factors)))
    return row


def _condition(M: np.ndarray) -> float:
    """A lower bound of the largest condition number, by the diagonals of inverse factors (S, N, N)."""
    diagonal = np.abs(np.diagonal(M, axis1=1, axis2=2))
    return float(np.max((diagonal.max(axis=1) / diagonal.min(axis=1)) ** 2))


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
