"""Numbers behind the tables and the targets, from the records of the parts `study` and `truth`."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from records import Cell, Records
from scipy.stats import chi2

ACQUISITION = "acquisition"
# Trials over which the seconds of a fit are averaged for the rate at the last number of trials.
_LAST_FITS = 10


@dataclass(frozen=True)
class TrueSize:
    """True effective sample size of one posterior mean.

    Attributes
    ----------
    name
        The hyperparameter, or "acquisition".
    true, low, high
        Estimate and 95 % interval that so many repetitions leave (chi-square of the mean squared error).
    reported
        Median over repetitions of what the reports say; None if they say nothing of it.
    reference
        Effective sample size of the reference; its error counts against the repetitions.
    """

    name: str
    true: float
    low: float
    high: float
    reported: float | None = None
    reference: float | None = None

    @classmethod
    def of(
        cls, name: str, variance: float, mse: float, freedom: int, reported: float | None = None,
        reference: float | None = None,
    ) -> TrueSize:  # fmt: skip
        """From the posterior variance and the mean squared error of ``freedom`` independent repetitions."""
        low, high = chi2.ppf([0.025, 0.975], freedom) / freedom
        true = variance / mse
        return cls(name, true, true * low, true * high, reported, reference)

    @property
    def ratio(self) -> float:
        """Reported over true."""
        return np.nan if self.reported is None else self.reported / self.true

    @property
    def off_by_more_than_two(self) -> bool:
        """Whether the whole interval of the ratio is outside [1/2, 2]."""
        return self.reported is not None and (self.reported / self.high > 2.0 or self.reported / self.low < 0.5)


def true_sizes(records: Records, listed: list[Cell]) -> dict[int, list[TrueSize]]:
    """By number of trials: every hyperparameter, then the acquisition."""
    repetitions = [r for c, r in records.results("truth", listed) if c["kind"] == "repetition"]
    references = {c["n"]: r for c, r in records.results("truth", listed) if c["kind"] == "reference"}
    if not repetitions:
        return {}
    return {n: _sizes_at(reference, [r["points"][str(n)] for r in repetitions]) for n, reference in references.items()}


def _sizes_at(reference: Cell, points: list[Cell]) -> list[TrueSize]:
    means, R = np.array([p["mean"] for p in points]), len(points)
    mse = ((means - reference["mean"]) ** 2).mean(axis=0)
    reported = np.median([p["reported"] for p in points], axis=0)
    sizes = [
        TrueSize.of(name, reference["variance"][j], mse[j], R, reported[j], reference["ess"][j])
        for j, name in enumerate(reference["names"])
    ]
    known = reference["acquisition"]
    mse = np.mean([(p["acquisition"] - known["mean"]) ** 2 for p in points])
    reported = float(np.median([p["acquisition_reported"] for p in points]))
    return [*sizes, TrueSize.of(ACQUISITION, known["variance"], float(mse), R, reported, known["ess"])]


@dataclass(frozen=True)
class Rate:
    """True effective draws of the hyperparameters a second of fitting, at the last number of trials."""

    sizes: list[TrueSize]
    seconds: float

    def per_second(self, which: str) -> float:
        """For the "worst" hyperparameter or the "median" one."""
        sizes = [s.true for s in self.sizes]
        return (min(sizes) if which == "worst" else float(np.median(sizes))) / self.seconds


def our_rate(records: Records, listed: list[Cell]) -> Rate | None:
    """The carried posterior: seconds are the mean over the last ten trials, whatever the engine did in them."""
    sizes = true_sizes(records, listed)
    if not sizes:
        return None
    seconds = [r["seconds"][-_LAST_FITS:] for c, r in records.results("truth", listed) if c["kind"] == "repetition"]
    return Rate([s for s in sizes[max(sizes)] if s.name != ACQUISITION], float(np.mean(seconds)))


def peer_rate(records: Records, listed: list[Cell]) -> Rate | None:
    """BoTorch's fit: its own model, so its own reference, which is the pool of all repetitions."""
    fits = [r for c, r in records.results("truth", listed) if c["kind"] == "peer"]
    if len(fits) < 2:
        return None
    means = np.array([f["mean"] for f in fits])
    variance = np.mean([f["square"] for f in fits], axis=0) - means.mean(axis=0) ** 2
    mse, freedom = means.var(axis=0, ddof=1), len(fits) - 1
    sizes = [TrueSize.of("", float(v), float(m), freedom) for v, m in zip(variance, mse, strict=True)]
    return Rate(sizes, float(np.mean([f["fit"] for f in fits])))


def seconds(records: Records, listed: list[Cell], timing: str, field: str = "seconds") -> np.ndarray:
    """All seconds of one kind in the part `study`, over its studies."""
    rows = [row for _, result in records.results("study", listed) for row in result["timings"][timing]]
    return np.array([row[field] for row in rows])


def middle(values: Iterable[float]) -> float:
    """The median."""
    return float(np.median(list(values)))
