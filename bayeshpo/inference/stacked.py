"""A mixture of surrogates: each a PyMC model of its own, fitted by itself, with weights that say how well it predicts.

A draw of the mixture is a member and a draw of its hyperparameters, as of a posterior over models (Carlin and Chib
1995): a row of an array, the member's number first. All that works on equally weighted draws works on these.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from bayeshpo.errors import SpecificationError
from bayeshpo.inference.density import LogDensity, density_of, log_density
from bayeshpo.inference.limits import TAIL, khat_limit
from bayeshpo.inference.posterior import Posterior
from bayeshpo.inference.predictive import predictive, predictive_of
from bayeshpo.inference.stacked_posterior import StackedPosterior, allotted, joined_report, labels
from bayeshpo.inference.stacked_predictive import StackedData, StackedPredictive
from bayeshpo.inference.stacking import LeaveOneOut, leave_one_out, mixed, probabilities, stacked
from bayeshpo.inference.step import goes_on
from bayeshpo.registry import create
from bayeshpo.space import as_space
from bayeshpo.surrogates.base import Surrogate, TrainingData
from bayeshpo.surrogates.columns import Columns

if TYPE_CHECKING:
    import pandas as pd

RULES = ("loo", "one_step_ahead")


@dataclass(frozen=True)
class StackedSurrogate:
    """f is member k's with probability w_k: each member fitted by itself, and the w_k by how well they predict.

    No PyMC model, but several: it has no `model` of its own, and otherwise all that a searcher asks of a `Surrogate`.

    Parameters
    ----------
    members
        Registered names, or surrogates.
    weights
        "loo": the weights that predict the trials best, each left out in turn; the default, for members none of which
        need be true. "one_step_ahead": the product of the densities with which a member has predicted each trial from
        those before it, which is its evidence; weights are posterior probabilities, the right ones if one member is
        true, and soon all on one. It takes an engine that reports evidences.

    Raises
    ------
    SpecificationError
        If there is no member, one is named twice, is a mixture, or has no evidence to be compared; or if there are no
        such weights.
    """

    members: Sequence[Any] = ("gp", "additive", "bayesian_neural_network")
    weights: str = "loo"
    uses_gradients: bool = field(default=False, init=False)
    name = "stacked"
    # What members say of the trials is compared, so all of them are told the same losses.
    expects_outliers = foresees_trainings = False

    def __post_init__(self) -> None:
        if self.weights not in RULES:
            raise self._error(f"expected weights of {' or '.join(map(repr, RULES))}, got {self.weights!r}")
        if isinstance(self.members, str) or not self.members:
            raise self._error(f"expected a list of surrogates, got {self.members!r}")
        members = tuple(create("surrogate", m, {}) if isinstance(m, str) else m for m in self.members)
        for i, member in enumerate(members):
            if not isinstance(member, Surrogate):
                raise self._error(f"expected members that are PyMC models, got {getattr(member, 'name', member)!r}")
            if member in members[:i]:
                raise self._error(f"expected each member once, got '{member.name}' twice")
            if self.needs_evidence and member.observes_more():
                raise self._error(
                    "expected members that observe losses alone, so that their evidences can be compared, got "
                    f"'{member.name}'; use weights='loo'"
                )
        object.__setattr__(self, "members", members)
        object.__setattr__(self, "uses_gradients", any(m.uses_gradients for m in members))

    @property
    def needs_evidence(self) -> bool:
        """Whether its posterior takes an engine that reports evidences."""
        return self.weights == "one_step_ahead"

    def check(self, columns: Columns) -> None:
        """Refuse columns that a member cannot stand for, and a member of which no trial can be left out."""
        for member in self.members:
            try:
                member.check(columns)
                # What a surrogate has of its own it has for all columns.
                if self.weights == "loo" and type(member).leave_one_out is Surrogate.leave_one_out:
                    predictive(log_density(member, columns)).check_left_out()
            except SpecificationError as error:
                raise self._error(f"{error}; or leave it out of the members") from None

    def describe(self, space: Any) -> pd.DataFrame:
        """The members' tables of priors, one below the other, "gp: noise"; see `Surrogate.describe`."""
        import pandas as pd

        tables = [member.describe(as_space(space)) for member in self.members]
        return pd.concat(
            [t.rename(f"{name}: {{}}".format) for name, t in zip(labels(self.members), tables, strict=True)]
        )

    def prior_functions(
        self, columns: Columns, X: np.ndarray, draws: int, rng: np.random.Generator
    ) -> tuple[dict[str, np.ndarray], np.ndarray]:
        """Draws of the latent f (S, n) at X (n, D), as many of each member, mixed, with the member's number (S,)."""
        counts = allotted(np.full(len(self.members), 1.0 / len(self.members)), draws)
        f = [m.prior_functions(columns, X, n, rng)[1] for m, n in zip(self.members, counts, strict=True) if n]
        # The first few, which figures show, are of all members.
        order = rng.permutation(draws)
        return {"member": np.repeat(np.arange(len(self.members)), counts)[order]}, np.concatenate(f)[order]

    def model(self, columns: Columns, X: np.ndarray, y: np.ndarray) -> Any:
        """There is none.

        Raises
        ------
        SpecificationError
            Always, with whom to ask instead.
        """
        raise self._error(
            f"it is a mixture, not one PyMC model; ask its members, {', '.join(labels(self.members))}, one by one"
        )

    def prepared(self, columns: Columns, data: TrainingData) -> StackedData:
        """The data as each member prepares them without a posterior before."""
        return StackedData.joined([member.prepared(columns, data) for member in self.members])

    @property
    def is_joint(self) -> bool:
        """Whether all members are."""
        return all(member.is_joint for member in self.members)

    def believing(self, columns: Columns, data: StackedData, X: np.ndarray, y: np.ndarray) -> StackedData:
        """The data of a fit with more points (m, D) and outcomes (m,), for each member."""
        pairs = zip(self.members, data.members, strict=True)
        return StackedData.joined([member.believing(columns, part, X, y) for member, part in pairs])

    def remarks(self, data: StackedData) -> dict[str, Any]:
        """What the members' rows of inference would say of their data."""
        found: dict[str, Any] = {}
        for member, part in zip(self.members, data.members, strict=True):
            found |= member.remarks(part)
        return found

    def _error(self, message: str) -> SpecificationError:
        return SpecificationError(f"surrogate 'stacked': {message}")


class StackedDensity:
    """The members' densities, and how their posteriors are joined to one.

    Parameters
    ----------
    surrogate, columns
        The mixture, and the columns of the space.
    """

    def __init__(self, surrogate: StackedSurrogate, columns: Columns) -> None:
        self.surrogate, self.columns = surrogate, columns
        self.parts: tuple[LogDensity, ...] = tuple(log_density(m, columns) for m in surrogate.members)
        self.blocks = [part.blocks for part in self.parts]

    @property
    def dimension(self) -> int:
        """Length of a row that is a draw of the mixture."""
        return 1 + max(part.dimension for part in self.parts)

    def rows(self, member: int, Q: np.ndarray) -> np.ndarray:
        """A member's draws Q (S, Q) as draws of the mixture (S, 1 + the largest Q): its number, they, and zeros."""
        rows = np.zeros((len(Q), self.dimension))
        rows[:, 0], rows[:, 1 : 1 + Q.shape[1]] = member, Q
        return rows

    def prior_draws(self, n: int, rng: np.random.Generator) -> np.ndarray:
        """Draws of the mixture from the priors, as many of each member."""
        counts = allotted(np.full(len(self.parts), 1.0 / len(self.parts)), n)
        pairs = enumerate(zip(self.parts, counts, strict=True))
        return np.concatenate([self.rows(k, part.prior_draws(n, rng)) for k, (part, n) in pairs if n])

    def joined(self, posteriors: Sequence[Posterior], previous: Any) -> StackedPosterior:
        """The mixture of the members' posteriors; evidences go on from those of ``previous``.

        A member whose fit failed has no weight.

        Raises
        ------
        SpecificationError
            If weights are to be of evidences and the engine has none.
        """
        start = time.perf_counter()
        former = previous if isinstance(previous, StackedPosterior) else None
        evidences = self._evidences(posteriors, former)
        weights, scores = np.zeros(len(posteriors)), [{} for _ in posteriors]
        usable = [k for k, p in enumerate(posteriors) if p.report.status != "failed"]
        if usable:
            weights[usable], told = self._weighed([posteriors[k] for k in usable], evidences[usable])
            scores = [told[usable.index(k)] if k in usable else {} for k in range(len(posteriors))]
        before = np.full(len(weights), 1.0 / len(weights)) if former is None else former.weights
        report = joined_report(posteriors, before, weights, scores)
        report = replace(report, seconds_sample=report.seconds_sample + time.perf_counter() - start)
        data = StackedData.joined([p.data for p in posteriors])
        return StackedPosterior(self, tuple(posteriors), weights, data, report, evidences)

    def _evidences(self, posteriors: Sequence[Posterior], former: StackedPosterior | None) -> np.ndarray:
        """Log evidences (K,) of all trials, in units of the loss: what has come, and what there was; NaN if unknown."""
        increments = [p.report.evidence_increment for p in posteriors]
        if self.surrogate.needs_evidence and None in increments:
            raise SpecificationError(
                "surrogate 'stacked': expected an engine that reports evidences for weights='one_step_ahead', got "
                f"'{posteriors[0].report.engine}'; use 'sequential' or 'smc', or weights='loo'"
            )
        found = np.array(increments, dtype=float)
        if former is not None:
            # A member that begins anew is told of all trials at once.
            going = [goes_on(p, part) for p, part in zip(former.parts, self.parts, strict=True)]
            found += np.where(going, former.evidences, 0.0)
        return found

    def _weighed(
        self, posteriors: Sequence[Posterior], evidences: np.ndarray
    ) -> tuple[np.ndarray, list[dict[str, float]]]:
        """Weights (K,), and what they are of: each member's sum of log predictive densities, in units of the loss."""
        if self.surrogate.needs_evidence:
            return probabilities(evidences), [{"score": float(e)} for e in evidences]
        found, unit = [left_out(p) for p in posteriors], float(np.log(posteriors[0].data.scale))
        return stacked(np.stack([loo.log_density for loo in found], axis=1)), [
            {
                "score": float(loo.log_density.sum() - len(loo.khat) * unit),
                "loo_khat": float(loo.khat.max(initial=0.0)),
                "loo_bad": float((loo.khat > khat_limit(p.size)).sum() / max(len(loo.khat), 1)),
            }
            for p, loo in zip(posteriors, found, strict=True)
        ]


def untrusted(found: LeaveOneOut, posterior: Posterior | StackedPosterior) -> float | None:
    """Share of trials that leaving one out cannot be trusted for: of what is `left_out` those of a k-hat too large.

    None of a posterior with too few draws for a k-hat, as a point estimate: it has no weights that could be off.
    """
    size = min(part.size for part in posterior.parts)
    return None if size < TAIL else float(np.mean(found.khat > khat_limit(size)))


def left_out(posterior: Posterior | StackedPosterior) -> LeaveOneOut:
    """Leave-one-out predictive densities of the trials that a posterior has seen; see `leave_one_out`."""
    if isinstance(posterior, StackedPosterior):
        counting = [k for k, weight in enumerate(posterior.weights) if weight > 0.0]
        members = [left_out(posterior.parts[k]) for k in counting]
        return mixed(members, posterior.weights[counting], probable=posterior.density.surrogate.needs_evidence)
    log_weights = None if posterior.log_weights is None else posterior.log_weights.ravel()
    return leave_one_out(predictive(posterior.density).left_out(posterior.draws, posterior.data), log_weights)


@density_of.register
def _density(surrogate: StackedSurrogate, columns: Columns) -> Any:
    return StackedDensity(surrogate, columns)


@predictive_of.register
def _predictive(density: StackedDensity) -> Any:
    return StackedPredictive(density)
