"""Default priors, in units of the unit cube and of the standardised outcome."""

from __future__ import annotations

import numpy as np
from pymc.distributions.shape_utils import change_dist_size

from bayeshpo.surrogates.symbolic import Tensor, pm


def lengthscale_prior(dimension: int) -> Tensor:
    """LogNormal(sqrt(2) + ln(d) / 2, sqrt(3)): longer as dimensions are added (Hvarfner, Hellsten and Nardi 2024)."""
    return pm.LogNormal.dist(np.sqrt(2.0) + np.log(max(dimension, 1)) / 2.0, np.sqrt(3.0))


def amplitude_prior() -> Tensor:
    """Standard deviation of the latent function: LogNormal(0, 0.5), the standardised outcome's own scale."""
    return pm.LogNormal.dist(0.0, 0.5)


def noise_prior() -> Tensor:
    """Standard deviation of the noise: LogNormal(-3.5, 1), 95 % between 0.004 and 0.2; data can say more."""
    return pm.LogNormal.dist(-3.5, 1.0)


def mean_prior() -> Tensor:
    """Level of the latent function far from data: Normal(0, 1)."""
    return pm.Normal.dist(0.0, 1.0)


def register(name: str, distribution: Tensor, dims: str | None = None) -> Tensor:
    """Add a hyperparameter with this prior to the model that is open, repeated along ``dims`` if given."""
    model = pm.modelcontext(None)
    if dims is not None:
        distribution = change_dist_size(distribution, new_size=(len(model.coords[dims] or ()),))
    return model.register_rv(distribution, name, dims=None if dims is None else (dims,))
