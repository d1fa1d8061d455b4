"""Joint entropy search: what a trial says of where the function is lowest, and how low (Hvarfner et al. 2022).

I(y(x); x*, f*) = H[y(x)] - E[H[y(x) | x*, f*]] of each draw, with the entropy of a normal distribution of the same
variance in place of that of a cut-off one with noise:

    E over (x*, f*):  1/2 log(s + noise) - 1/2 log(s(x | x*, f*) + noise)               (their eq. 11; Tu et al. 2022)

Draws of the hyperparameters are averaged over, which asks for nothing but joint draws of f under each.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from bayeshpo.acquisitions.base import Candidates
from bayeshpo.acquisitions.optimum import GivenMinimum, given_minimum
from bayeshpo.surrogates.symbolic import pt


@dataclass(frozen=True)
class JointEntropy(GivenMinimum):
    """Mean over draws and minima of the information in a trial about the minimum's place and value, in nats.

    The argument is that of `GivenMinimum`.
    """

    name = "joint_entropy"
    learns_function = True

    def over_draws(self, at: Candidates, known: Any, weight: Any) -> Any:
        """Information (m,)."""
        _, variance = given_minimum(at, known)
        after = pt.mean(pt.log(variance + at.noise[:, :, None]), axis=2)
        return pt.sum(weight * 0.5 * (pt.log(at.variance + at.noise) - after), axis=0)
