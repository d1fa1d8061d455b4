"""What a training would tell of its end, were it begun or taken up again, under one draw of `learning_curve`.

Given the hyperparameters, final losses f and slopes c are jointly normal (`bayeshpo.surrogates.learning_curve`): how
much is known of f after a share t of the training does not depend on what the losses on the way will be, but for the
pace at which they wander. A conditional variance like this one's is expected to stay what it is, so that the present
pace is taken.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from bayeshpo.surrogates.base import NUGGET, Parameters
from bayeshpo.surrogates.columns import Columns
from bayeshpo.surrogates.learning_curve import LearningCurveGaussianProcess, Said, power_law
from bayeshpo.surrogates.symbolic import pt

# Stretches in which a curve is told: so many in a doubling of the training, and of a new one (`surrogates.curves`).
_PER_DOUBLING, _STRETCHES = 2.0, 4


@dataclass(frozen=True)
class TrainingOutlook:
    """One draw of the hyperparameters with what is kept of the trials.

    Attributes
    ----------
    model, columns
        The surrogate on a space.
    p, state, data
        Hyperparameters, what `condition` keeps, and the data, as expressions by name.
    """

    model: LearningCurveGaussianProcess
    columns: Columns
    p: Parameters
    state: Parameters
    data: Mapping[str, Any]

    def after_new(self, Z: Any, fidelities: Sequence[float]) -> Any:
        """Variance (m, L) that f at Z (m, D) is left with by a new training there up to each of L shares."""
        pace = pt.sqr(self.p["wander"])
        slopes = (1.0 + (_STRETCHES - 1) * pt.sqr(1.0 - self.p["persistence"])) / pace
        seen = self._known(Z).with_slopes(slopes)
        return seen.with_end(*self._end(np.asarray(fidelities)[None, :], pace)).ff

    def after_stopped(self, fidelities: Sequence[float]) -> Any:
        """The same (S, L) of stopped trainings that are taken up; of a share that is done already it means nothing.

        Among all trials that are known is the loss at which the training was stopped, which is forgotten first.
        """
        p, said, P = self.p, Said.of(self.p, self.data), self.data["rise"].shape[0]
        before = self.data["start"][P:, None]
        after = pt.maximum(np.asarray(fidelities)[None, :], before)
        to_go, variance = said.to_go[:, None], (self._noise + said.variance)[:, None]
        pace = said.variance[:, None] / pt.sqr(p["finish"] * power_law(p, before))
        stretches = pt.maximum(_PER_DOUBLING * pt.log2(after / before), 1.0)
        others = self._known(self.data["stopped_X"]).with_end(to_go, variance, forgotten=True)
        seen = others.with_slopes(stretches * pt.sqr(1.0 - p["persistence"]) / pace)
        return seen.with_end(*self._end(after, pace)).ff

    def _end(self, after: Any, pace: Any) -> tuple[Any, Any]:
        """The loss after a share of the training is N(f + to_go c, variance), what is kept of its slope aside."""
        to_go = power_law(self.p, after)
        variance = self._noise + pt.sqr(to_go * self.p["finish"]) * pace + NUGGET
        return (1.0 - self.p["persistence"]) * to_go, variance

    @property
    def _noise(self) -> Any:
        return self.model.noise_variance(self.columns, self.p, self.data)

    def _known(self, Z: Any) -> _Covariance:
        """Of f and c at Z (m, D), given all trials (m, 1)."""
        p, data = self.p, self.data
        of_f, of_h = self.model.loadings(p, data, Said.of(p, data))
        k = self.model.correlation_with_trials(self.columns, p, data, Z)
        f, c = (self.state["M"] @ (p[unit] * of * k).T for unit, of in (("amplitude", of_f), ("spread", of_h)))
        ff, fc, cc = (pt.sum(a * b, axis=0)[:, None] for a, b in ((f, f), (f, c), (c, c)))
        return _Covariance(pt.sqr(p["amplitude"]) - ff, -fc, pt.sqr(p["spread"]) - cc)


@dataclass(frozen=True)
class _Covariance:
    """Of f and c at some points."""

    ff: Any
    fc: Any
    cc: Any

    def with_slopes(self, precision: Any) -> _Covariance:
        """When c has been seen with so much precision."""
        share = precision / (1.0 + precision * self.cc)
        return _Covariance(
            self.ff - share * pt.sqr(self.fc), self.fc - share * self.fc * self.cc, self.cc - share * pt.sqr(self.cc)
        )

    def with_end(self, to_go: Any, variance: Any, *, forgotten: bool = False) -> _Covariance:
        """When f + to_go c has been seen with so much variance; or had been, and is forgotten."""
        of_f, of_c = self.ff + to_go * self.fc, self.fc + to_go * self.cc
        sign = -1.0 if forgotten else 1.0
        # What has been seen is known better than by itself; rounding must not say otherwise.
        total = sign * pt.maximum(variance + sign * (of_f + to_go * of_c), 1e-6 * variance)
        ff, fc, cc = (a - b / total for a, b in ((self.ff, of_f**2), (self.fc, of_f * of_c), (self.cc, of_c**2)))
        return _Covariance(pt.maximum(ff, 1e-12), fc, cc)
