"""What a posterior said of a trial before the trial was told: one-step-ahead prediction (Dawid 1984)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.special import log_ndtr

from bayeshpo.inference.log_sum_exp import log_sum_exp
from bayeshpo.inference.predictive import predictive

if TYPE_CHECKING:
    from bayeshpo.inference.posterior import Posterior

# Draws that predict: the Monte Carlo error of a share is at most 3 %.
DRAWS = 256


@dataclass(frozen=True)
class Foresight:
    """A trial's loss in the light of its predictive distribution, a mixture of a normal for each draw.

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
        predictive(part).prepare_noise()


def foresee(posterior: Posterior, x: np.ndarray, loss: float) -> Foresight | None:
    """What a posterior says of a trial at x (D,) that came out as ``loss``.

    Each draw's predictive is normal with the moments of f there and the noise's variance, whatever the likelihood.
    None where a surrogate does not know the noise of a further trial.
    """
    of, Q, Z = predictive(posterior.density), posterior.thinned(DRAWS), x[None]
    moments = []
    for draws in of.in_chunks(Q, posterior.data):
        members = of.members(draws)
        if not all(member.says_noise for member, _ in members):
            return None
        mean, variance = of(draws, Z)
        moments.append((mean, variance + np.concatenate([member.noise(own, Z) for member, own in members])))
    mean, variance = (np.concatenate(values)[:, 0] for values in zip(*moments, strict=True))
    y = (loss - posterior.data.location) / posterior.data.scale
    z = (y - mean) / np.sqrt(variance)
    log_density = -0.5 * (z**2 + np.log(2.0 * np.pi * variance)) - np.log(posterior.data.scale)
    log_share = np.log(len(z))
    return Foresight(
        float(log_sum_exp(log_density) - log_share), float(np.exp(min(log_sum_exp(log_ndtr(z)) - log_share, 0.0)))
    )
