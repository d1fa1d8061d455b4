"""A posterior compared with a fresh fit of NUTS to the same trials."""

from __future__ import annotations

import time
from dataclasses import dataclass, fields, replace
from typing import Any, Literal

import numpy as np
from arviz_stats.base.array import array_stats

from bayeshpo.inference.nuts import NUTS
from bayeshpo.inference.posterior import Posterior
from bayeshpo.inference.stacked_posterior import StackedPosterior

_diagnostics: Any = array_stats
# Five comparisons a hyperparameter: the largest of a hundred standard normal numbers hardly ever comes near.
Z_LIMIT = 4.5
_PROBABILITIES = (0.05, 0.5, 0.95)
# From best to worst.
_VERDICTS = ("agrees", "no reference", "differs")
_COMPARED = ("mean", "variance", *(f"{p:.0%} quantile" for p in _PROBABILITIES))


@dataclass(frozen=True)
class Audit:
    """How far a posterior is from its reference, on the unconstrained scale of the hyperparameters.

    Attributes
    ----------
    audit_status
        "agrees" where no difference is more than 4.5 joint Monte Carlo errors, else "differs"; "no reference" where
        the reference did not pass its own checks, so that the differences may be its own.
    audit_z, audit_z_of
        The largest difference of means, variances and shares below the reference's 5, 50 and 95 % quantiles, in units
        of the joint Monte Carlo error, and what differs.
    audit_sd_ratio, audit_sd_ratio_of
        The ratio of standard deviations, audited over reference, that is farthest from 1, and the hyperparameter.
    audit_quantile, audit_quantile_of
        The largest difference of 5, 50 and 95 % quantiles in units of the reference's standard deviation.
    audit_seconds
        Wall time of the reference and the comparison.
    """

    audit_status: Literal["agrees", "differs", "no reference"]
    audit_z: float
    audit_z_of: str
    audit_sd_ratio: float
    audit_sd_ratio_of: str
    audit_quantile: float
    audit_quantile_of: str
    audit_seconds: float

    def to_row(self) -> dict[str, Any]:
        """The audit as JSON values."""
        return {f.name: getattr(self, f.name) for f in fields(self)}


def audit(posterior: Posterior | StackedPosterior, rng: np.random.Generator) -> Audit:
    """Compare a posterior of any engine with chains of NUTS that know nothing of it.

    Of a mixture every member that did not fail is compared, and the audit is that of the one that comes off worst.
    """
    audits = []
    for part in (p for p in posterior.parts if p.report.status != "failed"):
        start = time.perf_counter()
        reference = NUTS(draws=1000).fit(part.density, part.data, rng=rng)
        found = compare(part, reference, start)
        if len(posterior.parts) > 1:
            found = replace(found, audit_z_of=f"{part.density.surrogate.name}: {found.audit_z_of}")
        audits.append(found)
    worst = max(audits, key=lambda a: (_VERDICTS.index(a.audit_status), a.audit_z))
    return replace(worst, audit_seconds=sum(a.audit_seconds for a in audits))


def compare(posterior: Posterior, reference: Posterior, start: float) -> Audit:
    """The audit of a posterior by a reference whose fit began at ``start``, as `time.perf_counter` counts."""
    names = posterior.density.coordinates
    ours, theirs = posterior.equally_weighted, reference.equally_weighted
    z = _differences(ours, theirs)
    worst = np.unravel_index(int(np.argmax(z)), z.shape)
    spread = theirs.std(axis=(0, 1))
    ratio = np.maximum(ours.std(axis=(0, 1)), 1e-12) / np.maximum(spread, 1e-12)
    narrowest = int(np.argmax(np.abs(np.log(ratio))))
    quantiles = [np.quantile(Q, _PROBABILITIES, axis=(0, 1)) for Q in (ours, theirs)]
    shift = np.abs(quantiles[0] - quantiles[1]) / np.maximum(spread, 1e-12)
    farthest = np.unravel_index(int(np.argmax(shift)), shift.shape)
    agrees = "agrees" if z[worst] <= Z_LIMIT else "differs"
    return Audit(
        audit_status=agrees if reference.report.status == "ok" else "no reference",
        audit_z=float(z[worst]),
        audit_z_of=f"{names[worst[1]]}: {_COMPARED[worst[0]]}",
        audit_sd_ratio=float(ratio[narrowest]),
        audit_sd_ratio_of=names[narrowest],
        audit_quantile=float(shift[farthest]),
        audit_quantile_of=f"{names[farthest[1]]}: {_PROBABILITIES[farthest[0]]:.0%}",
        audit_seconds=time.perf_counter() - start,
    )


def _differences(ours: np.ndarray, theirs: np.ndarray) -> np.ndarray:
    """Differences (5, Q) of expectations under draws (chain, draw, Q), in units of their joint Monte Carlo error."""
    centre, quantiles = theirs.mean(axis=(0, 1)), np.quantile(theirs, _PROBABILITIES, axis=(0, 1))
    (a, error_a), (b, error_b) = (_expectations(Q, centre, quantiles) for Q in (ours, theirs))
    error = np.hypot(error_a, error_b)
    return np.abs(a - b) / np.where(error > 0.0, error, np.inf)


def _expectations(Q: np.ndarray, centre: np.ndarray, quantiles: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Means (5, Q) and Monte Carlo errors (5, Q) of what is compared; a single draw has no error of its own."""
    values = np.stack([Q, (Q - centre) ** 2, *[np.less_equal(Q, q).astype(float) for q in quantiles]])
    mean = values.mean(axis=(1, 2))
    if Q.shape[0] * Q.shape[1] < 4 * len(_COMPARED):
        return mean, np.zeros_like(mean)
    return mean, np.nan_to_num(np.asarray(_diagnostics.mcse(values, chain_axis=1, draw_axis=2)))
