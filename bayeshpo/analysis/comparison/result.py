"""What a comparison found: effects of searchers, probabilities of being best, and what may be claimed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from bayeshpo.analysis.traces import Traces
from bayeshpo.inference.report import InferenceReport

# From this probability on a searcher may be called the best.
CLAIM = 0.95
_DRAWS = 400


@dataclass(frozen=True, eq=False)
class Comparison:
    """The posterior of one model of a comparison.

    Attributes
    ----------
    name, title, unit
        Of the model, and what its effects are.
    searchers
        Labels (S).
    effect
        Draws of each searcher's effect, lower is better (draw, S).
    report
        Of the sampling.
    claim
        A sentence: what may be claimed, or that nothing may be.
    note
        What the data were.
    """

    name: str
    title: str
    unit: str
    searchers: tuple[str, ...]
    effect: np.ndarray
    report: InferenceReport
    claim: str
    note: str

    @classmethod
    def of(
        cls, *, name: str, title: str, unit: str, traces: Traces, effect: np.ndarray, report: InferenceReport,
        leading: str, margin: str, note: str,
    ) -> Comparison:  # fmt: skip
        """The result with its claim: ``leading`` is what the best has, ``margin`` how far it is ahead."""
        claim = _claim(traces.searchers, effect, report, leading, margin)
        return cls(name, title, unit, traces.searchers, effect, report, claim, note)

    def probabilities(self) -> np.ndarray:
        """Posterior probability of being the best (S,)."""
        return np.bincount(self.effect.argmin(axis=1), minlength=len(self.searchers)) / len(self.effect)

    def to_record(self) -> dict[str, Any]:
        """The result as JSON values, with some of its draws."""
        low, median, high = np.quantile(self.effect, (0.05, 0.5, 0.95), axis=0)
        step = max(1, len(self.effect) // _DRAWS)
        return {
            "name": self.name, "title": self.title, "unit": self.unit, "searchers": list(self.searchers),
            "low": low.tolist(), "median": median.tolist(), "high": high.tolist(),
            "best": self.probabilities().tolist(), "claim": self.claim, "note": self.note,
            "draws": self.effect[::step].round(5).tolist(), "report": self.report.to_row(),
        }  # fmt: skip


def best_of(effect: np.ndarray) -> tuple[int, float]:
    """The searcher that is most often best among the draws (draw, S), and how often."""
    share = np.bincount(effect.argmin(axis=1), minlength=effect.shape[1]) / len(effect)
    return int(share.argmax()), float(share.max())


def interval_text(draws: np.ndarray) -> str:
    """Median and 90 % interval in words."""
    low, median, high = np.quantile(draws, (0.05, 0.5, 0.95))
    return f"{median:.3g} ({low:.3g} to {high:.3g})"


def counted_runs(traces: Traces) -> str:
    """How many runs there are, on what, and how many are missing."""
    missing = f", {traces.missing} missing or unfinished" if traces.missing else ""
    return f"{int(traces.whole.sum())} runs on {len(traces.problems)} problems{missing}"


def _claim(searchers: tuple[str, ...], effect: np.ndarray, report: InferenceReport, leading: str, margin: str) -> str:
    if report.status != "ok":
        return f"No claim: the posterior did not pass its checks, {report.reason}."
    best, probability = best_of(effect)
    if probability >= CLAIM:
        return f"{searchers[best]} has {leading} (probability {probability:.2f}); {margin}."
    share = np.bincount(effect.argmin(axis=1), minlength=len(searchers)) / len(effect)
    order = np.argsort(-share, kind="stable")
    enough = order[: int(np.searchsorted(share[order].cumsum(), CLAIM)) + 1]
    candidates = ", ".join(f"{searchers[s]} ({share[s]:.2f})" for s in enough)
    return f"No one searcher may be said to have {leading}: with probability {CLAIM:.2f} it is one of {candidates}."
