"""Expected improvement per expected cost of a training that is stopped on the way and finished only where that pays.

A training is stopped after a share t, when its final loss, now N(m, v), is N(M, u), with M ~ N(m, v - u). To finish it
costs r more and is worth EI(M, u) = E[max(incumbent - f, 0)]. With a price lambda of a unit of cost it is finished
where EI(M, u) > lambda r, and to stop and see is worth lambda itself where

    E[max(EI(M, u) - lambda r, 0)] = lambda c,

c being what it costs up to t: lambda is then the most improvement per unit of cost, both expected, that any rule of
whether to finish gives (Weitzman 1979; and the ratio's maximum as in renewal theory). Of all trainings, new and
stopped ones, and all shares, the one of largest lambda is next: trainings are frozen and thawed (Swersky, Snoek and
Adams 2014).

A stopped training has to improve on the finished ones, a new one also on what the stopped ones are expected to come to:
these can be finished too, and it would be begun for what they do not bring. Otherwise the less a search finishes, the
more every new beginning seems to be worth.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.special import ndtr

from bayeshpo.acquisitions.base import Known
from bayeshpo.acquisitions.log_ei import LogExpectedImprovement
from bayeshpo.errors import SpecificationError
from bayeshpo.trial import fidelities_of

if TYPE_CHECKING:
    from bayeshpo.acquisitions.outlook import Outlook

# Nodes over M, and bisections of lambda, which is known up to a factor of at most (c + r) / c beforehand.
_NODES, _BISECTIONS = 48, 40


@dataclass(frozen=True)
class FreezeThaw(LogExpectedImprovement):
    """A new training of the configuration of largest log EI, or a stopped one, by improvement per cost.

    Parameters
    ----------
    fidelities
        Shares of a training, increasing in (0, 1) and then 1, at which it may be stopped.
    per_second
        Whether costs are seconds, of which a Gaussian process learns, rather than shares of a training.
    """

    fidelities: tuple[float, ...] = (0.1, 0.3, 1.0)
    per_second: bool = False
    name = "freeze_thaw"

    def __post_init__(self) -> None:
        object.__setattr__(self, "fidelities", fidelities_of(f"acquisition '{self.name}'", self.fidelities))

    def look(self, outlook: Outlook) -> Known:
        """What a new training has to beat: the lowest mean of f among all that were begun (S,)."""
        stopped, _ = outlook.joint.predictive(outlook.draws, outlook.evidence.data.arrays["stopped_X"])
        return Known({"incumbent": np.concatenate([outlook.incumbents, stopped], axis=1).min(axis=1)})

    def when_pending(self, surrogate: Any) -> FreezeThaw:
        """The same, with what pending trainings come to believed to be its mean."""
        return self

    def check(self, surrogate: object) -> None:
        """Refuse a surrogate that knows nothing of trainings."""
        if not getattr(surrogate, "foresees_trainings", False):
            raise SpecificationError(
                f"acquisition '{self.name}': expected a surrogate of learning curves, got "
                f"'{getattr(surrogate, 'name', surrogate)}'; use 'learning_curve', or the acquisition 'log_ei'"
            )


def improvement_per_cost(
    mean: np.ndarray, variance: np.ndarray, left: np.ndarray, incumbent: np.ndarray, cost: np.ndarray, rest: np.ndarray
) -> np.ndarray:
    """Largest expected improvement per expected cost (m, L), over draws.

    Parameters
    ----------
    mean, variance
        Of the final losses of m trainings, under each draw (S, m).
    left
        Their variances after L shares of the training (S, m, L).
    incumbent
        What each of them is to improve on, under each draw (S, m).
    cost, rest
        Of training up to each share, and from there to the end (m, L); costs above 0.
    """
    nodes, weights = np.polynomial.hermite_e.hermegauss(_NODES)
    left = np.minimum(left, variance[:, :, None])
    foreseen = np.sqrt(variance[:, :, None] - left)[..., None] * nodes
    gain = expected_improvement(
        mean[:, :, None, None] + foreseen, np.sqrt(left)[..., None], incumbent[:, :, None, None]
    )
    weights = weights / (weights.sum() * len(mean))
    whole = np.einsum("smlh,h->ml", gain, weights)
    lowest, highest = whole / (cost + rest), whole / cost
    for _ in range(_BISECTIONS):
        price = 0.5 * (lowest + highest)
        worth = np.einsum("smlh,h->ml", np.maximum(gain - (price * rest)[None, :, :, None], 0.0), weights)
        lowest, highest = np.where(worth > price * cost, price, lowest), np.where(worth > price * cost, highest, price)
    return lowest


def expected_improvement(mean: np.ndarray, deviation: np.ndarray, incumbent: np.ndarray) -> np.ndarray:
    """E[max(incumbent - f, 0)] for f ~ N(mean, deviation^2)."""
    z = (incumbent - mean) / deviation
    return np.maximum(deviation * (np.exp(-0.5 * z**2) / np.sqrt(2.0 * np.pi) + z * ndtr(z)), 0.0)
