"""Effects of problems and searchers that cross: what the models of runs on many problems share.

A searcher's effect is drawn from a population, and so is what a problem does to it: searcher[s] + interaction[p, s].
Data speak of its mean over the P problems at hand, of variance searcher_sd^2 + interaction_sd^2 / P; that mean and
interactions that sum to 0 are sampled, and the effect in the population of problems is drawn given the mean. It is the
same model, without two variables of which the data see only the sum, that samplers are slow on.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from bayeshpo.analysis.comparison.fitting import Fit
from bayeshpo.surrogates.symbolic import pm, pt


def crossed_effects(problems: int, searchers: int, *, searcher_scale: float) -> Any:
    """Register the effects in the model at hand: searcher + interaction (P, S).

    Parameters
    ----------
    problems, searchers
        How many.
    searcher_scale
        Of the half-normal priors of both standard deviations.
    """
    searcher_sd = pm.HalfNormal("searcher_sd", searcher_scale)
    interaction_sd = pm.HalfNormal("interaction_sd", searcher_scale)
    mean = pm.ZeroSumNormal("searcher_mean", pt.sqrt(searcher_sd**2 + interaction_sd**2 / problems), shape=searchers)
    standard = pm.Normal("standard", 0.0, 1.0, shape=(problems, searchers))
    # Centred twice: what problems or searchers have in common is in their own effects.
    over_problems, over_searchers = standard.mean(axis=0, keepdims=True), standard.mean(axis=1, keepdims=True)
    return mean[None, :] + interaction_sd * (standard - over_problems - over_searchers + standard.mean())


def population_effects(fit: Fit, problems: int, rng: np.random.Generator) -> np.ndarray:
    """Draws of the searchers' effects in the population of problems (draw, S), of which ``problems`` were seen."""
    mean = fit.pooled("searcher_mean")
    between, within = fit.pooled("searcher_sd")[:, None] ** 2, fit.pooled("interaction_sd")[:, None] ** 2 / problems
    noise = rng.standard_normal(mean.shape)
    noise -= noise.mean(axis=1, keepdims=True)
    share = between / (between + within)
    return share * mean + np.sqrt(share * within) * noise
