"""Limits that the diagnostics of a fit are held to."""

from __future__ import annotations

from math import log10

# Vehtari et al. (2021): rank-normalised split R-hat, and effective sample size of four chains, bulk and tail.
RHAT_LIMIT = 1.01
ESS_LIMIT = 400.0
# What that size means for a posterior mean: its Monte Carlo standard error in posterior standard deviations (the same).
MCSE_LIMIT = 0.05
# Share of divergent transitions: below it they are a corner of the posterior that averages hardly feel.
DIVERGENCE_LIMIT = 0.001
# Betancourt (2016): below it energies change so little from draw to draw that tails are not explored.
BFMI_LIMIT = 0.3
# Vehtari et al. (2024): above it averages over weighted draws cannot be trusted; of fewer draws see `khat_limit`.
KHAT_LIMIT = 0.7
# Draws of which the five largest weights make a tail that can be smoothed; of fewer there is no k-hat.
TAIL = 25
# Share of trials whose k-hat is above its limit when they are left out: with any of them, the error of the sum of
# leave-one-out densities is not known (Vehtari, Gelman and Gabry 2017).
LOO_BAD_LIMIT = 0.0
# Kallioinen et al. (2024): where prior and likelihood both matter more to a hyperparameter they may be in conflict.
SENSITIVITY_LIMIT = 0.05


def khat_limit(n: int) -> float:
    """Largest k-hat at which n draws give averages that can be trusted (Vehtari et al. 2024, section 3.2.3)."""
    return min(KHAT_LIMIT, 1.0 - 1.0 / log10(max(n, 2)))
