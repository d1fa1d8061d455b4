"""Bayesian neural network of one hidden layer that is infinitely wide: all of its weights are integrated out.

The units of a finite one can be exchanged, and change their signs, without a change of f: as many modes, in as many
dimensions as there are weights. Here they are not sampled.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from bayeshpo.surrogates import priors
from bayeshpo.surrogates.base import Parameters
from bayeshpo.surrogates.columns import Columns
from bayeshpo.surrogates.gaussian_process import GaussianProcessSurrogate
from bayeshpo.surrogates.priors import Prior, given, register
from bayeshpo.surrogates.symbolic import pm, pt

# Variance of a number that is uniform over its range.
_UNIFORM = 1.0 / 12.0


@dataclass(frozen=True)
class BayesianNeuralNetwork(GaussianProcessSurrogate):
    """f = mean + sum_h v_h erf(b_h + w_h'(u(x) - centre)),  h = 1 ... H to infinity, in the limit of many hidden units.

    The prior of Neal (1996, chapter 2), v_h ~ N(0, amplitude^2 / H) and w_hj ~ N(0, weight_j^2), with a scale of the
    weights for each hyperparameter, and b_h ~ N(0, s^2), s^2 = bias^2 sum_j weight_j^2 / 12. In the limit f is a
    Gaussian process (Williams 1998, eq. 11; Rasmussen and Williams 2006, eq. 4.29) of covariance
    amplitude^2 2 / pi arcsin(2 q(x, x') / sqrt((1 + 2 q(x, x)) (1 + 2 q(x', x')))), where q is the covariance of what
    enters a unit: q(x, x') = s^2 + sum_j weight_j^2 (u_j(x) - centre_j) (u_j(x') - centre_j).

    Where weights are large units are steps, along any direction, that pass by the centre: f is steep there and flat
    far from it. Inputs u are those of `Columns.along`; only plain numbers have a centre.

    Parameters
    ----------
    mean_prior, amplitude_prior, noise_prior
        PyMC distributions of one number, in units of the standardised loss; by default those of
        `bayeshpo.surrogates.priors`.
    weight_prior
        Of the scale of one number's weights, by default that of one over a lengthscale of `gp`: smaller as dimensions
        are added.
    centre_prior
        Of one number's centre, by default Normal(0.5, 0.3), in the unit cube.
    bias_prior
        Of how far from the centre steps pass, by default LogNormal(0, 1), where 1 is all over a cube about it.

    Raises
    ------
    SpecificationError
        If a prior is no distribution of one number or has values that cannot be.
    """

    mean_prior: Prior | None = None
    amplitude_prior: Prior | None = None
    weight_prior: Prior | None = None
    centre_prior: Prior | None = None
    bias_prior: Prior | None = None
    noise_prior: Prior | None = None
    name = "bayesian_neural_network"

    def __post_init__(self) -> None:
        for argument in ("mean_prior", "centre_prior"):
            priors.check(argument, getattr(self, argument))
        for argument in ("amplitude_prior", "weight_prior", "bias_prior", "noise_prior"):
            priors.check(argument, getattr(self, argument), positive=True)

    def priors(self, columns: Columns) -> Parameters:
        """mean, amplitude, weight (D,), centre of each plain number, bias and noise."""
        p = {
            "mean": register("mean", given(self.mean_prior, priors.mean_prior())),
            "amplitude": register("amplitude", given(self.amplitude_prior, priors.amplitude_prior())),
            "weight": register("weight", self._weight(columns), dims="hyperparameter"),
            "bias": register("bias", given(self.bias_prior, pm.LogNormal.dist(0.0, 1.0))),
            "noise": register("noise", given(self.noise_prior, priors.noise_prior())),
        }
        if not columns.plain:
            return p
        pm.modelcontext(None).add_coord("plain", [columns.names[j] for j in columns.plain])
        return p | {"centre": register("centre", given(self.centre_prior, pm.Normal.dist(0.5, 0.3)), dims="plain")}

    def covariance(self, columns: Columns, p: Parameters, X: Any, X2: Any | None = None) -> Any:
        """amplitude^2 times the arcsine kernel."""
        a, bias = _weighed(columns, p, X), _bias_variance(p)
        a2 = a if X2 is None else _weighed(columns, p, X2)
        own, own2 = (1.0 + 2.0 * (bias + pt.sqr(v).sum(axis=1)) for v in (a, a2))
        return _arcsine(p, 2.0 * (bias + a @ a2.T) / pt.sqrt(own[:, None] * own2[None, :]))

    def variance(self, columns: Columns, p: Parameters, X: Any) -> Any:
        """The same of each point with itself."""
        own = 2.0 * (_bias_variance(p) + pt.sqr(_weighed(columns, p, X)).sum(axis=1))
        return _arcsine(p, own / (1.0 + own))

    def _weight(self, columns: Columns) -> Prior:
        # One over a lengthscale of `priors.lengthscale_prior`.
        location = -np.sqrt(2.0) - np.log(max(columns.dimension, 1)) / 2.0
        return given(self.weight_prior, pm.LogNormal.dist(location, np.sqrt(3.0)))


def _weighed(columns: Columns, p: Parameters, X: Any) -> Any:
    """Inputs (n, E) less their centre at X (n, D), each times the scale of its weights."""
    if columns.plain:
        X = pt.inc_subtensor(X[:, list(columns.plain)], -p["centre"])
    return columns.scaled(X, 1.0 / p["weight"])


def _bias_variance(p: Parameters) -> Any:
    return pt.sqr(p["bias"]) * pt.sqr(p["weight"]).sum() * _UNIFORM


def _arcsine(p: Parameters, correlation: Any) -> Any:
    return pt.sqr(p["amplitude"]) * (2.0 / np.pi) * pt.arcsin(correlation)
