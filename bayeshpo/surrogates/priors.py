"""Default priors, in units of the unit cube and of the standardised outcome."""

from __future__ import annotations

import numpy as np
from pymc.distributions.distribution import SymbolicRandomVariable
from pymc.distributions.shape_utils import change_dist_size
from pytensor.tensor.random.op import RandomVariable

from bayeshpo.errors import SpecificationError
from bayeshpo.surrogates.symbolic import UNCOMPILED, Tensor, pm

# What a PyMC distribution's `dist` returns.
Prior = Tensor
# Draws by which a prior's support is looked at.
_DRAWS = 1000


def lengthscale_prior(dimension: int, norm: int = 2) -> Tensor:
    """LogNormal(sqrt(2) + ln(d) / 2, sqrt(3)): longer as dimensions are added (Hvarfner, Hellsten and Nardi 2024).

    They grow as distances do: with sums of absolute differences, ``norm`` 1, by ln(d) in place of ln(d) / 2.
    """
    return pm.LogNormal.dist(np.sqrt(2.0) + np.log(max(dimension, 1)) / norm, np.sqrt(3.0))


def amplitude_prior(terms: int = 1) -> Tensor:
    """Standard deviation of the latent function: LogNormal(0, 0.5), the standardised outcome's own scale.

    Of each of so many terms that it is the sum of: LogNormal(-ln(terms) / 2, 0.5), so that the variance stays the same.
    """
    return pm.LogNormal.dist(np.log(1.0 / terms) / 2.0, 0.5)


def noise_prior() -> Tensor:
    """Standard deviation of the noise: LogNormal(-3.5, 1), 95 % between 0.004 and 0.2; data can say more."""
    return pm.LogNormal.dist(-3.5, 1.0)


def mean_prior() -> Tensor:
    """Level of the latent function far from data: Normal(0, 1)."""
    return pm.Normal.dist(0.0, 1.0)


def given(prior: Prior | None, default: Tensor) -> Tensor:
    """The prior that was given, else the default."""
    return default if prior is None else prior


def check(argument: str, prior: Prior | None, *, positive: bool = False) -> None:
    """Refuse what is no distribution of one number, or has values that a positive hyperparameter cannot have.

    Raises
    ------
    SpecificationError
        Naming the argument, what was expected and what was got.
    """
    if prior is None:
        return
    example = "for example pm.LogNormal.dist(0.0, 1.0)"
    operation = getattr(getattr(prior, "owner", None), "op", None)
    if not isinstance(operation, RandomVariable | SymbolicRandomVariable):
        raise SpecificationError(f"{argument}: expected a PyMC distribution, {example}, got {prior!r}")
    if prior.ndim != 0 or prior.dtype != "float64":
        kind = f"{prior.ndim} dimensions of {prior.dtype}"
        raise SpecificationError(f"{argument}: expected a distribution of one real number, {example}, got {kind}")
    lowest = float(np.min(pm.draw(prior, draws=_DRAWS, random_seed=0, mode=UNCOMPILED)))
    if positive and lowest <= 0.0:
        found = f"one with the value {lowest:.3g}"
        raise SpecificationError(f"{argument}: expected a distribution of positive numbers, {example}, got {found}")


def register(name: str, distribution: Tensor, dims: str | None = None) -> Tensor:
    """Add a hyperparameter with this prior to the model that is open, repeated along ``dims`` if given."""
    model = pm.modelcontext(None)
    size = () if dims is None else (len(model.coords[dims] or ()),)
    # A copy, so that a distribution that a user made serves any number of models.
    copy = change_dist_size(distribution, new_size=size)
    return model.register_rv(copy, name, dims=None if dims is None else (dims,))
