"""What a posterior said of a trial before the trial was told: one-step-ahead prediction (Dawid 1984)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from bayeshpo.inference.log_sum_exp import log_sum_exp
from bayeshpo.inference.predictive import predictive

if TYPE_CHECKING:
    from bayeshpo.inference.posterior import Posterior

# Draws that predict: the Monte Carlo error of a share is at most 3 %.
DRAWS = 256


@dataclass(frozen=True)
class Foresight:
    """A trial's loss in the light of its predictive distribution, a mixture of that of each draw.

    Attributes
    ----------
    log_score
        Log density of the loss, in its own unit.
    pit
        Share of the distribution below the loss: uniform over trials if the surrogate is right.
    """

    log_score: float
    pit: float

    def within(self, share: float) -> bool:
        """Whether the loss lies in the central interval of so much of the distribution."""
        return abs(self.pit - 0.5) <= share / 2.0

    def to_row(self) -> dict[str, Any]:
        """As entries of a row of inference."""
        return {
            "ahead_log_score": self.log_score,
            "ahead_pit": self.pit,
            "ahead_in_50": self.within(0.5),
            "ahead_in_90": self.within(0.9),
        }


def prepare(posterior: Posterior) -> None:
    """Compile now what predictions from a posterior need, if it is not compiled yet."""
    for part in posterior.density.parts:
        predictive(part).prepare_outcome()


def foresee(posterior: Posterior, x: np.ndarray, loss: float) -> Foresight | None:
    """What a posterior says of a trial at x (D,) that came out as ``loss``.

    The average over draws of what the likelihood says of it, f integrated out (`ModelPredictive.outcome`). None where a
    surrogate does not know how the outcomes of further trials are distributed.
    """
    of, data = predictive(posterior.density), posterior.data
    y, Z = np.array([(loss - data.location) / data.scale]), x[None]
    said = []
    for draws in of.in_chunks(posterior.thinned(DRAWS), data):
        members = of.members(draws)
        if not all(member.says_outcome for member, _ in members):
            return None
        said += [member.outcome(own, Z, y) for member, own in members]
    log_density, below = (np.concatenate(values)[:, 0] for values in zip(*said, strict=True))
    log_score = log_sum_exp(log_density) - np.log(len(below)) - np.log(data.scale)
    return Foresight(float(log_score), float(np.clip(below.mean(), 0.0, 1.0)))
