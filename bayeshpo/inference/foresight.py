"""What a posterior said of a trial before the trial was told: one-step-ahead prediction (Dawid 1984)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from bayeshpo.inference.log_sum_exp import log_sum_exp
from bayeshpo.inference.predictive import Predictive, predictive
from bayeshpo.inference.report import plain

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
            "ahead_log_score": plain(self.log_score),
            "ahead_pit": plain(self.pit),
            "ahead_in_50": self.within(0.5),
            "ahead_in_90": self.within(0.9),
        }


def prepare(posterior: Posterior) -> None:
    """Compile now what predictions from a posterior need, if it is not compiled yet."""
    for model in predictive(posterior.density).normal.models:
        model.prepare_outcome()


def foresee(
    posterior: Posterior, X: np.ndarray, losses: np.ndarray, errors: np.ndarray | None = None
) -> list[Foresight] | None:
    """What a posterior says of trials at X (m, D) that came out as ``losses`` (m,), one after the other.

    Of each the average over draws of what the likelihood says of it, f integrated out (`ModelPredictive.outcome`). Each
    is known when it is the next one's turn: f is conditioned on it and draws are weighed by its density, so that log
    scores add up to that of all, and places are independent, as of trials that are told one by one (Dawid 1984). None
    where a surrogate does not know how the outcomes of further trials are distributed.

    Parameters
    ----------
    posterior
        That has not seen them.
    X, losses
        The trials.
    errors
        Standard errors (m,) that they brought, NaN where there is none, for a surrogate that is told them.
    """
    # Outcomes are the same ones by whichever f they are foreseen; the normal one is compiled for proposals.
    of, data = predictive(posterior.density).normal, posterior.data
    Q, y = posterior.thinned(DRAWS), (losses - data.location) / data.scale
    told = np.zeros(len(y)) if errors is None else np.nan_to_num(errors / data.scale) ** 2
    log_weights, found = np.full(len(Q), -np.log(len(Q))), []
    for i in range(len(y)):
        known = of.believing(data, X[:i], y[:i]) if i else data
        said = _outcome(of, Q, known, X[i : i + 1], y[i : i + 1], told[i : i + 1])
        if said is None:
            return None
        log_density, below = said
        joint = log_weights + log_density
        score, pit = log_sum_exp(joint), np.exp(log_weights) @ below
        found.append(Foresight(float(score - np.log(data.scale)), float(np.clip(pit, 0.0, 1.0))))
        # Where no draw has an idea of a loss they have nothing to be weighed by.
        log_weights = joint - score if np.isfinite(score) else log_weights
    return found


def _outcome(
    of: Predictive, Q: np.ndarray, data: Any, x: np.ndarray, y: np.ndarray, told: np.ndarray
) -> tuple[np.ndarray, np.ndarray] | None:
    """Log density and distribution function (S,) each of an outcome y (1,) at x (1, D) under draws Q (S, Q).

    ``told`` (1,) is the variance that it is told to have.
    """
    said = []
    for draws in of.in_chunks(Q, data):
        members = of.members(draws)
        if not all(member.says_outcome for member, _ in members):
            return None
        said += [member.outcome(own, x, y, told) for member, own in members]
    log_density, below = (np.concatenate(values)[:, 0] for values in zip(*said, strict=True))
    return log_density, below
