"""Whether to begin a training or to take up a stopped one, and up to which share of it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from bayeshpo.history import History
from bayeshpo.searchers.beliefs import predictive_under
from bayeshpo.trial import Suggestion, Trial

if TYPE_CHECKING:
    from bayeshpo.acquisitions.outlook import Evidence
    from bayeshpo.inference.posterior import Posterior

# In place of a share that is done already.
_NOTHING = 1e-9
# Draws of the hyperparameters that trainings are compared under.
_DRAWS = 128
# Trainings of the initial design that are not stopped: what ends look like has to be seen.
_WHOLE = 3


@dataclass(frozen=True)
class NextTraining:
    """What is to be trained next.

    Attributes
    ----------
    stopped
        The trial whose training is to be taken up; None for a new one.
    fidelity
        Share of the training after which it is to stop.
    improvement
        Expected improvement of its final loss per expected cost, in standardised losses.
    """

    stopped: Trial | None
    fidelity: float
    improvement: float

    def of(self, suggestion: Suggestion) -> Suggestion:
        """The suggestion of a new configuration, as one of this training."""
        if self.stopped is None:
            return replace(suggestion, fidelity=self.fidelity)
        taken_up = self.stopped.suggestion
        return replace(
            suggestion, configuration=taken_up.configuration, fidelity=self.fidelity, continues=taken_up.index
        )

    def to_row(self) -> dict[str, Any]:
        """Entries of a row of inference."""
        continues = None if self.stopped is None else self.stopped.suggestion.index
        return {"fidelity": self.fidelity, "continues": continues, "improvement_per_cost": self.improvement}


def initial_fidelity(index: int, fidelities: tuple[float, ...]) -> float:
    """Share of the training of a trial of the initial design."""
    return 1.0 if index < _WHOLE or not fidelities else fidelities[0]


def next_training(
    posterior: Posterior, evidence: Evidence, fidelities: tuple[float, ...], history: History, x: np.ndarray
) -> NextTraining:
    """The training of most improvement per cost: that of a new configuration x (D,), or a stopped one."""
    from bayeshpo.acquisitions.freeze_thaw import improvement_per_cost
    from bayeshpo.inference.trainings import trainings

    of = predictive_under(posterior)
    compiled, draws = trainings(of, fidelities), of.condition(posterior.thinned(_DRAWS), evidence.conditions(of))
    stopped = [history.trials[i] for i in np.flatnonzero(history.stopped)]
    points = np.concatenate([x[None], history.X[history.stopped]])
    mean, variance = of(draws, points)
    left = np.concatenate([compiled.new(draws, x[None]), compiled.stopped(draws)], axis=1)
    finished = draws.fitted[:, : len(posterior.data.y)].min(axis=1, keepdims=True)
    begun = np.concatenate([evidence.incumbents(draws.fitted), mean[:, 1:]], axis=1)
    of_a_new_one = begun.min(axis=1, keepdims=True)
    incumbent = np.concatenate([of_a_new_one, np.repeat(finished, len(stopped), axis=1)], axis=1)
    whole = np.exp(evidence.cost.log_cost(points))[:, None]
    done = np.array([0.0, *(t.outcome.curve[-1][0] for t in stopped)])[:, None]
    shares = np.asarray(fidelities)[None, :]
    worth = improvement_per_cost(
        mean, variance, left, incumbent, whole * np.maximum(shares - done, _NOTHING), whole * (1.0 - shares)
    )
    worth = worth * np.exp(evidence.log_probability(points))[:, None]
    awaiting = {t.suggestion.index for t in history.awaiting}
    free = np.array([True, *(t.suggestion.index in awaiting for t in stopped)])[:, None]
    worth = np.where(free & (shares > done), worth, -np.inf)
    training, share = np.unravel_index(int(np.argmax(worth)), worth.shape)
    chosen = None if training == 0 else stopped[training - 1]
    return NextTraining(chosen, fidelities[share], float(worth[training, share]))
