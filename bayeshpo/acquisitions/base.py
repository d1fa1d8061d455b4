"""The acquisition contract: how much a candidate is worth, as a formula over weighted posterior draws."""

from __future__ import annotations

import sys
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np

from bayeshpo.errors import SpecificationError
from bayeshpo.surrogates.symbolic import disconnected_grad, pt

if TYPE_CHECKING:
    from bayeshpo.acquisitions.outlook import Outlook
    from bayeshpo.aims import Aims
    from bayeshpo.inference.joint import AnchoredDraws
    from bayeshpo.inference.joint_objectives import AnchoredObjectives


@dataclass(frozen=True)
class Candidates:
    """What each draw says of f at the candidates, in standardised losses, as expressions.

    Attributes
    ----------
    mean, variance
        Of the latent function (S, m); of acquisitions that are about several objectives, of each of them (S, m, K).
    covariance
        Of the latent function with itself at the draw's anchors (S, m, a), or of each of several (S, m, a, K); of joint
        acquisitions only.
    noise
        Variance of a further trial's noise (S, m); of acquisitions that take it only.
    """

    mean: Any
    variance: Any
    covariance: Any = None
    noise: Any = None


@dataclass(frozen=True, eq=False)
class Known:
    """What an acquisition has found out about the draws before it looks at candidates.

    Attributes
    ----------
    arrays
        Numbers (S, ...) by the names in `Acquisition.known`, in that order.
    anchored
        The draws with the anchors that covariances are with; None where it is no joint acquisition.
    """

    arrays: Mapping[str, np.ndarray] = field(default_factory=dict)
    anchored: AnchoredDraws | AnchoredObjectives | None = None

    def __post_init__(self) -> None:
        # One layout, or the formula is compiled again for another.
        arrays = {name: np.ascontiguousarray(values) for name, values in self.arrays.items()}
        object.__setattr__(self, "arrays", arrays)

    def every(self, step: int, anchored: AnchoredDraws | AnchoredObjectives | None) -> Known:
        """Of each so manieth draw, with the anchors of these."""
        return Known({name: values[::step] for name, values in self.arrays.items()}, anchored)


class Acquisition(ABC):
    """How much a candidate is worth, given what posterior draws say of the latent function there."""

    name: str
    # What `look` finds out of each draw: names and numbers of dimensions, of which the first are the draws.
    known: Mapping[str, int] = MappingProxyType({"incumbent": 1})
    # Whether the formula takes covariances with anchors; and the noise beside them.
    joint: bool = False
    noisy: bool = False
    # Whether functions are drawn for what it finds out, so that a surrogate has to say how f belongs together.
    draws_functions: bool = False
    # Whether it takes pending trials for functions that are drawn there, in place of believing in their mean.
    draws_pending: bool = False
    # Whether it is about what a trial brings beyond the incumbents, which pending trials may become.
    improves: bool = False
    # Whether it is about what a draw of the hyperparameters does not know of f.
    learns_function: bool = False
    # Whether it is divided by the seconds that a trial is expected to take.
    per_second: bool = False
    # Whether it is about several objectives; and about trials that keep to limits.
    objectives: bool = False
    constraints: bool = False
    # Shares of a training at which it may be stopped, and taken up again later; none where trainings are whole.
    fidelities: tuple[float, ...] = ()
    # Whether the value is a logarithm, or for want of a better unit is to be treated as one.
    logarithmic: bool = True
    # Draws that the last choice is made on, where fewer do than it has for others.
    most_draws: int = sys.maxsize

    @abstractmethod
    def over_draws(self, at: Candidates, known: Any, weight: Any) -> Any:
        """Value (m,) of one more evaluation at each candidate.

        Parameters
        ----------
        at
            The candidates as each draw sees them.
        known
            What `look` has found out, by name as attributes: expressions (S, ...).
        weight
            Of the draws (S, m): the same for all candidates, of sum 1. They enter by sums over the draws, so that the
            value's Monte Carlo error is in its derivatives by them.
        """

    def look(self, outlook: Outlook) -> Known:
        """What is known of the draws before candidates are: here the lowest mean of f among incumbents (S,)."""
        return Known({"incumbent": outlook.incumbents.min(axis=1)})

    def times(self, value: Any, log_factor: Any) -> Any:
        """Value (m,) times a factor, given its log (m,): the probability of finishing, over the cost."""
        return value + log_factor if self.logarithmic else value * pt.exp(log_factor)

    def when_pending(self, surrogate: Any) -> Acquisition:
        """What it is while trials are pending.

        An improvement is over what they may bring, where the surrogate says how f at several points belongs together.
        All others are what they were, with the outcomes believed to be their mean.
        """
        from bayeshpo.acquisitions.given_pending import GivenPending

        alone = self.improves and not self.joint and not self.noisy
        return GivenPending(self) if alone and surrogate.is_joint else self

    def chosen(self, Q: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Those of equally weighted draws (S, Q) that it is of: all."""
        return Q

    def check_aims(self, aims: Aims) -> None:
        """Refuse a study that aims at more, or less, than the formula is about.

        Raises
        ------
        SpecificationError
            Naming both.
        """
        if bool(aims.objectives) != self.objectives:
            several = (
                f"several objectives: the value, {', '.join(aims.objectives)}" if aims.objectives else "one objective"
            )
            use = "'hypervolume' or 'parego'" if aims.objectives else "'log_ei'"
            expected = "several objectives" if self.objectives else "one objective"
            raise SpecificationError(
                f"acquisition '{self.name}': expected a study of {expected}, got one of {several}; use {use}"
            )
        if aims.constraints and not self.constraints:
            raise SpecificationError(
                f"acquisition '{self.name}': expected a study without constraints, got one with limits to "
                f"{', '.join(aims.constraints)}; use 'constrained_ei'"
            )

    def check(self, surrogate: Any) -> None:
        """Refuse a surrogate that lacks what the formula is about.

        Raises
        ------
        SpecificationError
            Naming both.
        """
        for member in getattr(surrogate, "members", (surrogate,)):
            if self.learns_function and member.determined:
                raise self._refusal(
                    member, "that leaves something of f open where its hyperparameters are known",
                    "use 'gp', or the acquisition 'bald' or 'log_ei'",
                )  # fmt: skip
            if (self.joint or self.draws_functions) and not member.is_joint:
                raise self._refusal(
                    member, "that says how f at one point belongs together with f at another",
                    "define `covariance_with_anchors`, or use an acquisition of single points, as 'log_ei'",
                )  # fmt: skip

    def check_noise(self, predictive: Any) -> None:
        """Refuse the predictive of a surrogate that does not know a further trial's noise, where the formula takes it.

        Raises
        ------
        SpecificationError
            Naming both.
        """
        if self.noisy and not predictive.says_noise:
            raise self._refusal(
                predictive.density.surrogate, "with a hyperparameter 'noise', the standard deviation of a trial's loss",
                "name it so, override `noise_at`, or use another acquisition, as 'log_ei'",
            )  # fmt: skip

    def _refusal(self, surrogate: Any, expected: str, remedy: str) -> SpecificationError:
        return SpecificationError(
            f"acquisition '{self.name}': expected a surrogate {expected}, got '{surrogate.name}'; {remedy}"
        )


def check_count(acquisition: str, argument: str, value: int) -> None:
    """Refuse a number of things that is none (SpecificationError)."""
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise SpecificationError(
            f"acquisition '{acquisition}': expected {argument} >= 1, a whole number, got {value!r}"
        )


class ExpectedUtility(Acquisition):
    """Log of the expectation over draws of what a trial brings beyond the incumbents."""

    improves = True

    @abstractmethod
    def log_utility(self, mean: Any, variance: Any, incumbent: Any) -> Any:
        """Log utility (S, m) of one more evaluation, for every draw.

        Parameters
        ----------
        mean, variance
            Of the latent function at the candidates (S, m), in standardised losses.
        incumbent
            Lowest mean of f among the finished trials (S,).
        """

    def over_draws(self, at: Candidates, known: Any, weight: Any) -> Any:
        """log of the weighted mean of utilities (m,), which may be too small for a number."""
        return log_mean(self.log_utility(at.mean, at.variance, known.incumbent), weight)


def log_mean(log_values: Any, weight: Any) -> Any:
    """log of the weighted mean (m,) of exp(log_values) (S, m)."""
    # No more than a change of units, of which derivatives know nothing.
    shift = disconnected_grad(pt.max(log_values, axis=0))
    return pt.log(pt.sum(weight * pt.exp(log_values - shift), axis=0)) + shift


def log_sum(log_values: Any, axis: int) -> Any:
    """log of the sum of exp(log_values) over an axis, with derivatives where all of them underflow, too."""
    shift = disconnected_grad(pt.max(log_values, axis=axis, keepdims=True))
    return pt.log(pt.sum(pt.exp(log_values - shift), axis=axis)) + pt.squeeze(shift, axis=axis)


def contracted(covariance: Any, values: Any) -> Any:
    """Sum (S, m, R) over anchors of covariances (S, m, a) times values (S, a, R); of objectives with these last.

    As a sum of products: a product of stacks of matrices takes PyTensor six times as long to compile.
    """
    return pt.sum(pt.expand_dims(covariance, 3) * pt.expand_dims(values, 1), axis=2)


def given(at: Candidates, pull: Any, whitening: Any) -> tuple[Any, Any]:
    """Means (S, m, R) and variances (S, m) of f at candidates given R functions at the anchors; of objectives (..., K).

    ``pull`` (S, a, R) and ``whitening`` (S, a, a) are those of `AnchoredDraws`.
    """
    mean = pt.expand_dims(at.mean, 2) + contracted(at.covariance, pull)
    explained = pt.sqr(contracted(at.covariance, whitening)).sum(axis=2)
    return mean, pt.maximum(at.variance - explained, 1e-12)
