"""Posterior of a mixture of surrogates: its members' posteriors, and their weights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from bayeshpo.inference.log_sum_exp import log_sum_exp
from bayeshpo.inference.posterior import Posterior
from bayeshpo.inference.report import InferenceReport, Status, plain
from bayeshpo.inference.stacked_predictive import StackedData
from bayeshpo.inference.stacked_tree import side_by_side

if TYPE_CHECKING:
    from bayeshpo.inference.stacked import StackedDensity

# From best to worst.
_STATUSES: tuple[Status, ...] = ("ok", "not_converged", "failed")


@dataclass(frozen=True)
class StackedReport(InferenceReport):
    """One fit of a mixture: of each number the worst of the members', and of counts and seconds the sum.

    ``evidence_increment`` is of the mixture with the weights that it had before. Where a member's fit failed the others
    go on without it: the status is "not_converged", and "failed" where all did.

    Attributes
    ----------
    members
        For each member: its weight, its status, and "score", the sum of log predictive densities that weights go by,
        in units of the loss; with weights "loo" also "loo_khat", the worst k-hat of the trials that were left out, and
        "loo_bad", the share of trials whose k-hat is above its limit.
    """

    members: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def to_row(self) -> dict[str, Any]:
        """The report as JSON values; what is said of a member has its name: "weight_gp"."""
        row = super().to_row()
        del row["members"]
        told = {f"{key}_{name}": plain(value) for name, m in self.members.items() for key, value in m.items()}
        return row | {"members": ", ".join(self.members)} | told


@dataclass(frozen=True, eq=False)
class StackedPosterior:
    """Members' posteriors and their weights; to all that works on equally weighted draws, a `Posterior`.

    Attributes
    ----------
    density
        The members' densities.
    parts, weights
        Posterior of each member, and its weight (K,).
    data
        What the members were fitted to.
    report
        Diagnostics of all of them.
    evidences
        Log evidence (K,) of each member, in units of the loss; NaN where the engine does not say.
    """

    density: StackedDensity
    parts: tuple[Posterior, ...]
    weights: np.ndarray
    data: StackedData
    report: StackedReport
    evidences: np.ndarray

    @property
    def size(self) -> int:
        """Number of the members' draws."""
        return sum(part.size for part in self.parts)

    @property
    def halves(self) -> tuple[StackedPosterior, StackedPosterior]:
        """The mixtures of the members' halves, with its weights."""
        first, second = zip(*(part.halves for part in self.parts), strict=True)
        return replace(self, parts=first), replace(self, parts=second)

    def thinned(self, n: int) -> np.ndarray:
        """Draws of the mixture (n, 1 + Q) of equal weight, members' draws in proportion to their weights."""
        counts = allotted(self.weights, n)
        return np.concatenate([self._rows(k, count, n) for k, count in enumerate(counts) if count])

    def to_datatree(self) -> xr.DataTree:
        """The members' posteriors in ArviZ's layout under "members", their weights, and the trials.

        What is at the root is of all members side by side: see `bayeshpo.inference.stacked_tree`.
        """
        names = labels(part.density.surrogate for part in self.parts)
        members = {name: part.to_datatree() for name, part in zip(names, self.parts, strict=True)}
        first = members[names[0]]
        groups: dict[str, Any] = {f"members/{name}": tree for name, tree in members.items()}
        groups |= side_by_side(members)
        groups |= {group: first[group].to_dataset() for group in ("observed_data", "constant_data")}
        groups["stacking"] = xr.Dataset({"weight": ("member", self.weights)}, {"member": names})
        tree = xr.DataTree.from_dict(groups)
        tree.attrs = {"surrogate": self.density.surrogate.name} | self.report.attributes
        return tree

    def _rows(self, member: int, count: int, n: int) -> np.ndarray:
        """So many draws of a member; fewer than that are repeated, so that shares stay right, unless it is alone."""
        Q = self.parts[member].thinned(count)
        if len(Q) < count < n:
            Q = Q[np.linspace(0, len(Q), count, endpoint=False).astype(int)]
        return self.density.rows(member, Q)


def allotted(weights: np.ndarray, n: int) -> np.ndarray:
    """n shared out by weights (K,), as whole numbers: those with the largest remainders get the rest."""
    shares = n * weights / weights.sum()
    counts = np.floor(shares).astype(int)
    counts[np.argsort(counts - shares, kind="stable")[: n - counts.sum()]] += 1
    return counts


def labels(surrogates: Any) -> list[str]:
    """A name for each member: its own, with a number where it is not the first of that name."""
    names: list[str] = []
    for surrogate in surrogates:
        same = sum(name == surrogate.name or name.startswith(f"{surrogate.name}_") for name in names)
        names.append(f"{surrogate.name}_{same + 1}" if same else surrogate.name)
    return names


def joined_report(
    posteriors: Sequence[Posterior], before: np.ndarray, weights: np.ndarray, scores: Sequence[Mapping[str, float]]
) -> StackedReport:
    """The report of a mixture from its members', with the weights (K,) before and after, and what the latter are of."""
    reports, names = [p.report for p in posteriors], labels(p.density.surrogate for p in posteriors)
    worst = max(reports, key=lambda r: _STATUSES.index(r.status)).status
    if worst == "failed" and any(r.status != "failed" for r in reports):
        worst = "not_converged"
    reasons = [f"{name}: {r.reason}" for name, r in zip(names, reports, strict=True) if r.reason]
    return StackedReport(
        reports[0].engine,
        ", ".join(dict.fromkeys(r.action for r in reports)),
        reports[0].n,
        worst,
        "; ".join(reasons) or None,
        chains=min(r.chains for r in reports),
        draws=min(r.draws for r in reports),
        rhat_max=_of(max, reports, "rhat_max"),
        rhat_nested_max=_of(max, reports, "rhat_nested_max"),
        ess_bulk_min=_of(min, reports, "ess_bulk_min"),
        ess_tail_min=_of(min, reports, "ess_tail_min"),
        mcse_max=_of(max, reports, "mcse_max"),
        divergences=_of(sum, reports, "divergences"),
        bfmi_min=_of(min, reports, "bfmi_min"),
        tree_depth_hits=_of(sum, reports, "tree_depth_hits"),
        step_size=_of(min, reports, "step_size"),
        khat=_of(max, reports, "khat"),
        ess_importance=_of(min, reports, "ess_importance"),
        evidence_increment=_increment(reports, before),
        seconds_compile=sum(r.seconds_compile for r in reports),
        seconds_sample=sum(r.seconds_sample for r in reports),
        seconds_diagnose=sum(r.seconds_diagnose for r in reports),
        members={
            name: {"weight": float(w), "status": r.status} | dict(score)
            for name, w, r, score in zip(names, weights, reports, scores, strict=True)
        },
    )


def _of(statistic: Any, reports: Sequence[InferenceReport], name: str) -> Any:
    """Of the members' numbers; None where none has any."""
    known = [v for v in (getattr(r, name) for r in reports) if v is not None]
    return statistic(known) if known else None


def _increment(reports: Sequence[InferenceReport], before: np.ndarray) -> float | None:
    increments = [r.evidence_increment for r in reports]
    if None in increments:
        return None
    with np.errstate(divide="ignore"):
        return float(log_sum_exp(np.log(before) + np.array(increments, dtype=float)))
