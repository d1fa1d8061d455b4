"""What of a candidate's uncertainty, and of its worth, is the hyperparameters' and what is the function's.

By the law of total variance Var f(x) = E[s^2] + Var[m], with a draw's mean m and variance s^2 of f(x): the first is
left where the hyperparameters are known, the second where f is known given them. A trial's information about f and the
hyperparameters together is I(y; theta) + I(y; f | theta) by the chain rule (Depeweg et al. 2018, section 3, who split
both; of Gaussian processes Riis et al. 2022).

The worth of a candidate is split by taking away either part of the variance, with the mean kept:

    of the function alone         f(x) ~ Normal(E[m], E[s^2]),
    of the hyperparameters alone  f(x) = m under each draw.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from bayeshpo.acquisitions.compiled import AcquisitionState, CompiledAcquisition
from bayeshpo.acquisitions.outlook import Evidence, Outlook
from bayeshpo.inference.joint import JointPredictive
from bayeshpo.inference.predictive import Predictive

# Variance of a function that is known: formulas are of positive ones. And the log of what that alone may be worth.
_CERTAIN, _LOG_NOTHING = 1e-18, -700.0


@dataclass(frozen=True, eq=False)
class Moments:
    """What equally weighted draws of the hyperparameters say of f, in standardised losses.

    Attributes
    ----------
    mean, variance
        Of f at candidates under each draw (S, m).
    noise
        Variance of a further trial's noise (S, m); None where the surrogate does not know it.
    """

    mean: np.ndarray
    variance: np.ndarray
    noise: np.ndarray | None = None

    @property
    def of_function(self) -> np.ndarray:
        """Variance (m,) of f that is left where the hyperparameters are known, E[s^2]."""
        return self.variance.mean(axis=0)

    @property
    def of_hyperparameters(self) -> np.ndarray:
        """Variance (m,) of f's mean over the hyperparameters, Var[m]."""
        return self.mean.var(axis=0)

    @property
    def share(self) -> np.ndarray:
        """Share (m,) of the variance that is the hyperparameters'."""
        return self.of_hyperparameters / (self.of_hyperparameters + self.of_function)

    @property
    def share_error(self) -> np.ndarray:
        """Monte Carlo standard error of the share (m,), by the infinitesimal jackknife for independent draws."""
        square = np.square(self.mean - self.mean.mean(axis=0))
        influence = (1.0 - self.share) * square - self.share * self.variance
        total = self.of_hyperparameters + self.of_function
        return np.sqrt(np.square(influence).sum(axis=0)) / (len(self.mean) * total)

    @property
    def information(self) -> tuple[np.ndarray, np.ndarray]:
        """What a trial says of the hyperparameters, and given these of f, in nats (m,); NaN where the noise is unknown.

        The former with a normal distribution for the mixture over draws, which makes it an upper bound.
        """
        if self.noise is None:
            unknown = np.full(self.mean.shape[1], np.nan)
            return unknown, unknown
        variance = self.variance + self.noise
        mixture = np.log(variance.mean(axis=0) + self.of_hyperparameters)
        logs = np.log(variance).mean(axis=0)
        return 0.5 * (mixture - logs), 0.5 * (logs - np.log(self.noise).mean(axis=0))


@dataclass(frozen=True, eq=False)
class Worth:
    """An acquisition at candidates.

    Attributes
    ----------
    value, error
        As a proposal has it (m,), and its Monte Carlo standard error.
    of_function, of_hyperparameters
        Without the other part of the variance (m,); NaN of an acquisition that draws functions, takes the noise or
        stops trainings.
    """

    value: np.ndarray
    error: np.ndarray
    of_function: np.ndarray
    of_hyperparameters: np.ndarray


def moments(predictive: Predictive, Q: np.ndarray, conditions: Any, Z: np.ndarray) -> Moments:
    """At candidates Z (m, D) under draws Q (S, Q), conditioned on trials, in bounded memory."""
    parts = [_moments(predictive, draws, Z) for draws in predictive.in_chunks(Q, conditions)]
    mean, variance, noise = zip(*parts, strict=True)
    known = None if any(n is None for n in noise) else np.concatenate(noise)
    return Moments(np.concatenate(mean), np.concatenate(variance), known)


def worth(compiled: CompiledAcquisition, Q: np.ndarray, evidence: Evidence, Z: np.ndarray) -> Worth:
    """At candidates Z (m, D), over draws Q (S, Q), as far as `Acquisition.most_draws`.

    Of what is worth nothing without its uncertainty the logarithm is minus infinity.
    """
    value, error, _ = compiled.over_all_draws(Q, evidence, Z)
    acquisition = compiled.acquisition
    if acquisition.joint or acquisition.draws_functions or acquisition.fidelities:
        unknown = np.full(len(Z), np.nan)
        return Worth(value, error, unknown, unknown)
    draws = list(compiled.predictive.in_chunks(Q, evidence.conditions(compiled.predictive)))
    mean, variance = (np.concatenate(part) for part in zip(*(compiled.predictive(d, Z) for d in draws), strict=True))
    fitted = np.concatenate([d.fitted for d in draws])
    alone = _state(compiled, fitted.mean(axis=0, keepdims=True), evidence)
    certain = compiled.of_normals(mean, np.full_like(mean, _CERTAIN), _state(compiled, fitted, evidence), Z)
    if acquisition.logarithmic:
        certain = np.where(certain < _LOG_NOTHING, -np.inf, certain)
    one, its_variance = (values.mean(axis=0, keepdims=True) for values in (mean, variance))
    return Worth(value, error, compiled.of_normals(one, its_variance, alone, Z), certain)


@dataclass(frozen=True)
class _Fitted:
    """Means (S, n) at the trials, of draws that nothing else is asked of."""

    fitted: np.ndarray


def _state(compiled: CompiledAcquisition, fitted: np.ndarray, evidence: Evidence) -> AcquisitionState:
    """What is known of draws with these means at the trials (S, n)."""
    draws: Any = _Fitted(fitted)
    joint = JointPredictive(compiled.predictive, noise=False)
    outlook = Outlook(joint, draws, evidence, np.random.default_rng(evidence.seed))
    return AcquisitionState(draws, compiled.acquisition.look(outlook), evidence)


def _moments(predictive: Predictive, draws: Any, Z: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    members = predictive.members(draws)
    known = all(model.says_noise for model, _ in members)
    noise = np.concatenate([model.noise(own, Z) for model, own in members]) if known else None
    return *predictive(draws, Z), noise
