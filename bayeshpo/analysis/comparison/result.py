"""What a comparison found: effects of searchers, probabilities of being best, and what may be claimed."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from bayeshpo.analysis.compared import RunCount, covered, run_counts
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
    coverage
        Sentences: which runs they are of, and what is left out.
    runs
        Of each searcher (S).
    """

    name: str
    title: str
    unit: str
    searchers: tuple[str, ...]
    effect: np.ndarray
    report: InferenceReport
    claim: str
    note: str
    coverage: tuple[str, ...]
    runs: tuple[RunCount, ...]

    @classmethod
    def of(
        cls, *, name: str, title: str, unit: str, traces: Traces, effect: np.ndarray, report: InferenceReport,
        leading: str, margin: str, note: str,
    ) -> Comparison:  # fmt: skip
        """The result with its claim: ``leading`` is what the best has, ``margin`` how far it is ahead."""
        claim = _claim(traces.searchers, effect, report, leading, margin)
        about = tuple(covered(traces)), tuple(run_counts(traces))
        return cls(name, title, unit, traces.searchers, effect, report, claim, note, *about)

    def probabilities(self) -> np.ndarray:
        """Posterior probability of being the best (S,)."""
        return best_shares(self.effect)

    def to_record(self) -> dict[str, Any]:
        """The result as JSON values, with some of its draws."""
        low, median, high = np.quantile(self.effect, (0.05, 0.5, 0.95), axis=0)
        step = max(1, len(self.effect) // _DRAWS)
        return {
            "name": self.name, "title": self.title, "unit": self.unit, "searchers": list(self.searchers),
            "low": low.tolist(), "median": median.tolist(), "high": high.tolist(),
            "best": self.probabilities().tolist(), "claim": self.claim, "note": self.note,
            "coverage": list(self.coverage), "runs": [asdict(count) for count in self.runs],
            "draws": self.effect[::step].round(5).tolist(), "report": self.report.to_row(),
        }  # fmt: skip


def best_shares(effect: np.ndarray) -> np.ndarray:
    """Share of the draws (draw, S) in which each searcher is the best (S,)."""
    return np.bincount(effect.argmin(axis=1), minlength=effect.shape[1]) / len(effect)


def ahead(effect: np.ndarray) -> tuple[int, np.ndarray]:
    """The searcher of next to lowest mean effect, and how far it is behind the likeliest best in each draw (draw,)."""
    behind = int(np.argsort(effect.mean(axis=0))[1])
    return behind, effect[:, behind] - effect[:, best_shares(effect).argmax()]


def interval_text(draws: np.ndarray) -> str:
    """Median and 90 % interval in words."""
    low, median, high = np.quantile(draws, (0.05, 0.5, 0.95))
    return f"{median:.3g} ({low:.3g} to {high:.3g})"


def _claim(searchers: tuple[str, ...], effect: np.ndarray, report: InferenceReport, leading: str, margin: str) -> str:
    if report.status != "ok":
        return f"No claim: the posterior did not pass its checks, {report.reason}."
    share = best_shares(effect)
    order = np.argsort(-share, kind="stable")
    if share[order[0]] >= CLAIM:
        return f"{searchers[order[0]]} has {leading} (probability {share[order[0]]:.2f}); {margin}."
    enough = order[: int(np.searchsorted(share[order].cumsum(), CLAIM)) + 1]
    candidates = ", ".join(f"{searchers[s]} ({share[s]:.2f})" for s in enough)
    return f"No one searcher may be said to have {leading}: with probability {CLAIM:.2f} it is one of {candidates}."
