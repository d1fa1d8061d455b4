"""Surrogates whose posterior is known, and surrogates that cannot work."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pymc as pm
from scipy import stats
from scipy.special import logsumexp

from bayeshpo.inference.density import LogDensity, log_density
from bayeshpo.surrogates.base import Surrogate, TrainingData
from bayeshpo.surrogates.columns import Columns
from bayeshpo.surrogates.parametric import ParametricSurrogate
from bayeshpo.surrogates.priors import register
from bayeshpo.surrogates.symbolic import pt

LINE = Columns(("x",), ())


class Toy(Surrogate):
    """A surrogate for the tests of engines: it predicts a bowl at the level of its first parameter."""

    def condition(self, columns, p, data):
        return {"level": next(iter(p.values())).sum()}

    def predict(self, columns, p, state, data, Z):
        mean = state["level"] + pt.sqr(Z - 0.3).sum(axis=1)
        return mean, pt.ones_like(mean)


@dataclass(frozen=True)
class Level(Toy):
    """mean ~ N(0, 2), y ~ N(mean, sd): the posterior is normal."""

    sd: float = 1.0
    name = "level"

    def model(self, columns, X, y):
        with pm.Model() as model:
            pm.Data("X", X)
            outcome = pm.Data("y", y)
            mean = pm.Normal("mean", 0.0, 2.0)
            pm.Normal("outcome", mean, self.sd, observed=outcome)
        return model

    def exact(self, y):
        """Mean and standard deviation of the posterior, and the log evidence."""
        precision = 1.0 / 4.0 + len(y) / self.sd**2
        covariance = self.sd**2 * np.eye(len(y)) + 4.0
        evidence = stats.multivariate_normal(np.zeros(len(y)), covariance).logpdf(y) if len(y) else 0.0
        return np.sum(y) / self.sd**2 / precision, precision**-0.5, evidence


@dataclass(frozen=True)
class LevelAndSpread(Toy):
    """mean ~ N(0, 2), sd ~ LogNormal(0, 1), y ~ N(mean, sd): the posterior by quadrature."""

    name = "level_and_spread"

    def model(self, columns, X, y):
        with pm.Model() as model:
            pm.Data("X", X)
            outcome = pm.Data("y", y)
            mean, sd = pm.Normal("mean", 0.0, 2.0), pm.LogNormal("sd", 0.0, 1.0)
            pm.Normal("outcome", mean, sd, observed=outcome)
        return model

    def exact(self, y):
        """Means (2,) and standard deviations (2,) of mean and log sd, and the log evidence, on a grid."""
        mean, log_sd = np.linspace(-14.0, 14.0, 1201)[:, None], np.linspace(-7.0, 7.0, 1001)[None, :]
        logp = stats.norm(0.0, 2.0).logpdf(mean) + stats.norm(0.0, 1.0).logpdf(log_sd)
        squares = np.sum(np.square(y)) - 2.0 * mean * np.sum(y) + len(y) * mean**2
        logp = logp - 0.5 * squares * np.exp(-2.0 * log_sd) - len(y) * (log_sd + 0.5 * np.log(2.0 * np.pi))
        total = logsumexp(logp)
        weight = np.exp(logp - total)
        moments = []
        for values in (mean, log_sd):
            centre = np.sum(weight * values)
            moments.append((centre, np.sqrt(np.sum(weight * (values - centre) ** 2))))
        cell = (mean[1, 0] - mean[0, 0]) * (log_sd[0, 1] - log_sd[0, 0])
        means, sds = np.array(moments).T
        return means, sds, total + np.log(cell)


@dataclass(frozen=True)
class Broken(Toy):
    """A density that is ``value`` wherever there are data and its parameter, N(0, 1), is below ``limit``."""

    value: float
    limit: float = np.inf
    name = "broken"

    def model(self, columns, X, y):
        with pm.Model() as model:
            pm.Data("X", X)
            outcome = pm.Data("y", y)
            mean = pm.Normal("mean", 0.0, 1.0)
            bad = pt.and_(outcome.shape[0] > 0, mean < self.limit)
            pm.Potential("broken", pt.switch(bad, self.value, 0.0))
        return model


@dataclass(frozen=True)
class Funnel(Toy):
    """Neal's funnel (2003): v ~ N(0, depth), so many x ~ N(0, exp(v / 2)); nothing in it depends on data."""

    depth: float = 3.0
    width: int = 4
    name = "funnel"

    def model(self, columns, X, y):
        with pm.Model() as model:
            pm.Data("X", X)
            pm.Data("y", y)
            v = pm.Normal("v", 0.0, self.depth)
            pm.Normal("x", 0.0, pm.math.exp(v / 2.0), shape=self.width)
        return model


@dataclass(frozen=True)
class NoGradient(Toy):
    """mean ~ N(0, 2), y ~ N(mean, sd), with a finite density whose gradient is NaN everywhere once there are data."""

    sd: float = 1.0
    name = "no_gradient"

    def model(self, columns, X, y):
        model = Level(self.sd).model(columns, X, y)
        with model:
            # sqrt(0 m^2) has the slope 0 x infinity; the zero is one that no rewriting sees.
            zero = pt.maximum(0.0, -pt.abs(model["y"]).sum())
            pm.Potential("nothing", pt.sqrt(zero * pt.sqr(model["mean"])))
        return model


@dataclass(frozen=True)
class Slope(ParametricSurrogate):
    """f = level + sum(slope X): right in everything, and cheap."""

    name = "slope"

    def priors(self, columns):
        return {
            "level": register("level", pm.Normal.dist(0.0, 1.0)),
            "slope": register("slope", pm.Normal.dist(0.0, 1.0), dims="hyperparameter"),
            "noise": register("noise", pm.HalfNormal.dist(0.5)),
        }

    def latent(self, columns, p, X):
        return p["level"] + (X * p["slope"]).sum(axis=1)


def toy_density(surrogate: Surrogate) -> LogDensity:
    """The compiled density of a toy, shared by all tests of a process."""
    return log_density(surrogate, LINE)


def outcomes(y, location=0.0, scale=1.0) -> TrainingData:
    """Outcomes without a place, standardised as told."""
    y = np.asarray(y, dtype=float)
    return TrainingData(np.full((len(y), 1), 0.5), (y - location) / scale, location, scale, np.empty((0, 1)))
