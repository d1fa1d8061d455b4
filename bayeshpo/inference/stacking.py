"""Weights of a mixture of surrogates: stacking of leave-one-out densities, and posterior probabilities."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bayeshpo.inference.importance import pareto_smoothed
from bayeshpo.inference.log_sum_exp import log_sum_exp

# How near to its limit the ascent stops, and the steps that it may take.
_NEAR = 1e-9
_MOST = 10_000


@dataclass(frozen=True)
class LeaveOneOut:
    """What a posterior would have predicted of each trial, had it not seen it.

    Attributes
    ----------
    log_density
        Of each outcome given all the others (n,), standardised; -inf where no draw stands for the others.
    khat
        Pareto shape of each trial's importance weights (n,): above `khat_limit` its density cannot be trusted.
    """

    log_density: np.ndarray
    khat: np.ndarray


def leave_one_out(left_out: np.ndarray, log_weights: np.ndarray | None = None) -> LeaveOneOut:
    """Leave-one-out predictive densities by Pareto-smoothed importance sampling (Vehtari, Gelman and Gabry 2017).

    The posterior without trial i is p(theta | y) / p(y_i | y_-i, theta) but for a constant, whether or not outcomes
    are independent given theta, so p(y_i | y_-i) is the mean of p(y_i | y_-i, theta) under weights proportional to
    its inverse.

    Parameters
    ----------
    left_out
        log p(y_i | y_-i, theta_s) of posterior draws (S, n).
    log_weights
        Log weights (S,) of the draws, where they have any.
    """
    found = np.full(left_out.shape[1], -np.inf), np.full(left_out.shape[1], np.inf)
    for i, logp in enumerate(left_out.T):
        importance = pareto_smoothed(-logp if log_weights is None else log_weights - logp)
        if importance is not None:
            # A weight of nothing is that, whatever the density there.
            terms = np.where(np.isneginf(importance.log_weights), -np.inf, importance.log_weights + logp)
            found[0][i], found[1][i] = log_sum_exp(terms), importance.khat
    return LeaveOneOut(*found)


def mixed(members: Sequence[LeaveOneOut], weights: np.ndarray, *, probable: bool) -> LeaveOneOut:
    """Leave-one-out of a mixture of members with weights (K,), each above 0; k-hats are the worst of the members'.

    The density is sum_k v_ik p_k(y_i | y_-i). Stacked weights are held, v_ik = w_k: leaving one of many trials out
    changes them little. Probabilities without trial i are v_ik proportional to w_k / p_k(y_i | y_-i), for a member's
    evidence is the product of both; so the density is 1 / sum_k (w_k / p_k(y_i | y_-i)).

    Parameters
    ----------
    members, weights
        Of each member.
    probable
        Whether the weights are posterior probabilities.
    """
    log_density = np.stack([member.log_density for member in members])
    sign = -1.0 if probable else 1.0
    terms = np.log(weights)[:, None] + sign * log_density
    mixture = np.array([sign * log_sum_exp(column) for column in terms.T])
    return LeaveOneOut(mixture, np.max([member.khat for member in members], axis=0))


def stacked(log_densities: np.ndarray) -> np.ndarray:
    """Weights (K,) that predict best of K members' predictive densities, given their logs for n outcomes (n, K).

    The maximum of sum_i log sum_k w_k p_ik (Yao, Vehtari, Simpson and Gelman 2018, eq. 4) times a Dirichlet(2, ..., 2)
    density, the mode of a posterior of the weights: as if each member had been the only one to predict one more
    outcome. Without outcomes the weights are equal, and what a few say by chance does not count as certain. By
    expectation maximisation (Dempster, Laird and Rubin 1977, section 4.3), of a concave function.
    """
    # An outcome of which no member has an idea tells nothing.
    told = log_densities[np.isfinite(log_densities).any(axis=1)]
    n, K = told.shape
    densities = np.exp(told - told.max(axis=1, keepdims=True, initial=-np.inf))
    weights = np.full(K, 1.0 / K)
    for _ in range(_MOST):
        share = weights * densities
        share /= share.sum(axis=1, keepdims=True)
        before, weights = weights, (share.sum(axis=0) + 1.0) / (n + K)
        if np.abs(weights - before).max() < _NEAR:
            break
    return weights


def probabilities(log_evidences: np.ndarray) -> np.ndarray:
    """Posterior probabilities (K,) of members that were equally likely, from their log evidences (K,).

    The evidence is the product of one-step-ahead predictive densities, in any order of the trials (Dawid 1984).
    """
    return np.exp(log_evidences - log_sum_exp(log_evidences))
