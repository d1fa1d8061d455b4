"""Gaussian process of final losses that learning curves inform, those of trainings that were stopped among them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from bayeshpo.surrogates.base import NUGGET, Parameters, TrainingData
from bayeshpo.surrogates.columns import Columns
from bayeshpo.surrogates.curves import Curve
from bayeshpo.surrogates.gaussian_process import multivariate_normal
from bayeshpo.surrogates.gp import GaussianProcess
from bayeshpo.surrogates.kernels import stationary
from bayeshpo.surrogates.marginal_likelihood import gaussian_log_density
from bayeshpo.surrogates.priors import register
from bayeshpo.surrogates.symbolic import UNCOMPILED, function, pm, pt

# Where simulated curves are told, and those that are stopped before the end.
_SIMULATED = np.array([0.1, 0.2, 0.3, 0.45, 0.65, 1.0]), np.array([0.1, 0.2, 0.3, 0.45, 1.0])


@dataclass(frozen=True)
class LearningCurveGaussianProcess(GaussianProcess):
    """The final loss is that of `gp`; back from it a curve rises with slopes that follow one another.

    Along the power law phi(t) = (t^-rate - 1) / rate of the share t of the training, which is 0 at its end, the loss
    between two points of a curve falls by slope dphi, and after the last of them is y = f(x) + noise e. Slopes are

        slope_k = c(x) + persistence (slope_(k-1) - c(x)) + pace_k e_k,    c(x) = drop + spread h(x),

    with the first one's persistence nothing: how fast a loss falls depends on the configuration, h being a Gaussian
    process with f's kernel, and each curve leaves its power law for a while. How far differs from curve to curve: one
    that stands still will stand still, one that jumps will go on to jump, so that (a conditional variance as Engle's,
    1982)

        pace_k^2 = (memory wander^2 + sum r) / (memory + k),    r_j = (slope_j - persistence slope_(j-1))^2,

    the sum being over the k slopes of this curve before, and on the last stretch, to the end of the training, the pace
    is finish times that. A power law is one of the usual curves (Domhan, Springenberg and Hutter 2015); at a rate of 0
    it is a logarithm, below that losses fall faster towards the end. Slopes do not depend on the final loss, so that
    all is normal given the hyperparameters, and f and c are integrated out: what a curve says of c is one number, and
    what a stopped one says of f is its last loss, with what is still to go.

    Parameters are those of `GaussianProcess`. What is between two points that are told, or still to go, is one stretch:
    the process is one of stretches, about equally long in log t, and not of all t. Of a curve at most 6 points are used
    (`bayeshpo.surrogates.curves`). Without curves the likelihood is `gp`'s.
    """

    name = "learning_curve"
    foresees_trainings = True

    def arrays(self, columns: Columns, data: TrainingData) -> Mapping[str, np.ndarray]:
        """The stretches of all curves: P between points of T of them, and S that stopped trials had still to go.

        "start" and "end" (P + S,), the shares of the training between which one is; "before" (P + S,), where the
        stretch before it on the same curve starts, "rise_before" (P + S,), how much the loss falls along that, and
        "follows" (P + S,), 0 where there is none; "earlier" (P + S, P), 1 where another is on the same curve before it.
        "rise" (P,), how much the loss falls; "curve" (P, T), 1 where it belongs; "curve_X" (T, D). "stopped_X" (S, D)
        and "stopped_y" (S,), the losses at which trials were stopped.
        """
        curves = [curve.thinned for curve in data.curves]
        stopped = [curve for curve in curves if curve.stopped]
        between, to_go = _rows([_between(c) for c in curves], 5), _rows([_to_go(c) for c in stopped], 5)
        owner = np.repeat(np.arange(len(curves)), [len(c.y) - 1 for c in curves])
        last = np.flatnonzero([c.stopped for c in curves])
        start, end, before, rise_before, follows = np.concatenate([between, to_go]).T
        mine = np.append(owner, last)[:, None] == owner[None, :]
        X = _rows([c.x[None] for c in curves], columns.dimension)
        moved = np.unique(owner)
        return {
            "start": start,
            "end": end,
            "before": before,
            "rise_before": rise_before,
            "follows": follows,
            "earlier": (mine & (start[:, None] > start[None, : len(owner)])).astype(float),
            "rise": np.concatenate([np.empty(0), *(c.y[:-1] - c.y[1:] for c in curves)]),
            "curve": (owner[:, None] == moved[None, :]).astype(float),
            "curve_X": X[moved],
            "stopped_X": X[last],
            "stopped_y": np.array([c.y[-1] for c in stopped]),
        }

    def observes_more(self) -> bool:
        """Yes: curves."""
        return True

    def remarks(self, data: TrainingData) -> dict[str, Any]:
        """How many curves the fit has seen, and how many of them of stopped trials."""
        return {"curves": len(data.arrays["curve_X"]), "stopped": len(data.arrays["stopped_y"])}

    def priors(self, columns: Columns) -> Parameters:
        """Those of `gp`, and rate, drop, spread, persistence, wander, memory and finish."""
        return {
            **super().priors(columns),
            "rate": register("rate", pm.Normal.dist(0.1, 0.5)),
            "drop": register("drop", pm.Normal.dist(0.0, 0.5)),
            "spread": register("spread", pm.LogNormal.dist(-1.0, 1.0)),
            "persistence": register("persistence", pm.Uniform.dist(0.0, 1.0)),
            "wander": register("wander", pm.LogNormal.dist(-1.5, 1.0)),
            "memory": register("memory", pm.LogNormal.dist(0.5, 1.0)),
            "finish": register("finish", pm.LogNormal.dist(0.3, 0.5)),
        }

    def likelihood(self, columns: Columns, p: Parameters, data: Mapping[str, Any]) -> None:
        """Its log density is that of final losses and curves.

        Draws of the outcome, and functions of the prior, are of final losses alone, as if there were no curves.
        """
        mean, K, variance = self.moments(columns, p, data)
        pm.CustomDist(
            "outcome",
            self.mean(columns, p, data["X"]),
            self.covariance(columns, p, data["X"]),
            self.noise_variance(columns, p, data),
            K,
            (self.observed(p, data) - mean)[: mean.shape[0] - data["y"].shape[0]],
            variance,
            Said.of(p, data).log_rest,
            dist=lambda mean, K, variance, *rest: multivariate_normal(mean, K, variance, rest[-1]),
            signature="(n),(n,n),(),(m,m),(e),(m),()->(n)",
            logp=lambda value, mean, _, __, K, curves, variance, log_rest: (
                log_rest + gaussian_log_density(K, pt.concatenate([curves, value - mean]), variance)
            ),
            observed=data["y"],
        )

    def observed(self, p: Parameters, data: Mapping[str, Any]) -> Any:
        """What curves say (T,), the losses at which trials were stopped less what is kept (S,), final losses (n,)."""
        said = Said.of(p, data)
        return pt.concatenate([said.fall, data["stopped_y"] - said.kept, data["y"]])

    def moments(self, columns: Columns, p: Parameters, data: Mapping[str, Any]) -> tuple[Any, Any, Any]:
        """Mean (T + S + n,), covariance and the noise's variances of what is observed."""
        said, noise = Said.of(p, data), self.noise_variance(columns, p, data)
        of_f, of_h = self.loadings(p, data, said)
        K = stationary(self.kernel, pt.as_tensor(1.0), self.inputs(columns, p, _points(data)))
        mean, variance = zip(
            (p["drop"] * said.weight, pt.ones_like(said.weight)),
            (p["mean"] + p["drop"] * said.to_go, noise + said.variance),
            (self.mean(columns, p, data["X"]), pt.full(data["y"].shape, noise)),
            strict=True,
        )
        K = K * (of_f[:, None] * of_f[None, :] + of_h[:, None] * of_h[None, :])
        return pt.concatenate(mean), K, pt.concatenate(variance)

    def covariance_with_trials(self, columns: Columns, p: Parameters, data: Mapping[str, Any], Z: Any) -> Any:
        """Prior covariance (m, T + S + n) of f at Z (m, D) with what is observed."""
        of_f, _ = self.loadings(p, data, Said.of(p, data))
        return p["amplitude"] * of_f * self.correlation_with_trials(columns, p, data, Z)

    def correlation_with_trials(self, columns: Columns, p: Parameters, data: Mapping[str, Any], Z: Any) -> Any:
        """Of f, and of h, at Z (m, D) with themselves at the points of all that is observed (m, T + S + n)."""
        inputs = (self.inputs(columns, p, A) for A in (Z, _points(data)))
        return stationary(self.kernel, pt.as_tensor(1.0), *inputs)

    def finals(self, columns: Columns, p: Parameters, state: Parameters, data: Mapping[str, Any]) -> tuple[Any, Any]:
        """Mean and variance (S,) of what the stopped trials' losses would be at the end, under one draw.

        In place of f there is f + noise e, with the e that the loss at which a trial was stopped has too.
        """
        Z, T, S = data["stopped_X"], data["curve_X"].shape[0], data["stopped_y"].shape[0]
        noise = self.noise_variance(columns, p, data)
        k = self.covariance_with_trials(columns, p, data, Z)
        k = pt.inc_subtensor(k[:, T : T + S], noise * pt.eye(S))
        mean = self.mean(columns, p, Z) + k @ state["alpha"]
        variance = self.variance(columns, p, Z) + noise - pt.sqr(state["M"] @ k.T).sum(axis=0)
        return mean, pt.maximum(variance, 1e-12)

    def simulated(
        self,
        columns: Columns,
        p: Mapping[str, np.ndarray],
        blank: TrainingData,
        outcome: np.ndarray,
        rng: np.random.Generator,
    ) -> TrainingData:
        """Every trial with a curve, and every other one stopped, so that what it had still to go is one stretch."""
        variables = {name: pt.as_tensor(np.asarray(value, dtype=float)) for name, value in p.items()}
        u = self.inputs(columns, variables, pt.as_tensor(blank.X))
        k = function([], stationary(self.kernel, pt.as_tensor(1.0), u), mode=UNCOMPILED)()
        n = len(outcome)
        c = p["drop"] + p["spread"] * np.linalg.cholesky(k + NUGGET * np.eye(n)) @ rng.standard_normal(n)
        curves = []
        for i, (x, y, own) in enumerate(zip(blank.X, outcome, c, strict=True)):
            told = _SIMULATED[i % 2]
            whole = Curve(x, told, y + _risen(p, told, own, rng))
            curves.append(Curve(x, told[:-1], whole.y[:-1]) if i % 2 else whole)
        return replace(blank, X=blank.X[::2], y=outcome[::2], errors=None, curves=tuple(curves))

    def loadings(self, p: Parameters, data: Mapping[str, Any], said: Said) -> tuple[Any, Any]:
        """How much of f's process and of h there is in what is observed (T + S + n,) each, in units of f and c."""
        nothing, ends = pt.zeros(data["y"].shape), pt.ones(data["y"].shape)
        of_f = pt.concatenate([pt.zeros_like(said.weight), pt.ones_like(said.to_go), ends])
        return p["amplitude"] * of_f, p["spread"] * pt.concatenate([said.weight, said.to_go, nothing])


@dataclass(frozen=True)
class Said:
    """What curves say, given the hyperparameters.

    Attributes
    ----------
    weight, fall
        fall (T,) ~ N(weight c, 1) is what the stretches of each curve say of its c.
    to_go, kept, variance
        A stopped trial's last loss less its final one is N(to_go c + kept, variance) (S,).
    log_rest
        Log density of the stretches, less that of fall.
    """

    weight: Any
    fall: Any
    to_go: Any
    kept: Any
    variance: Any
    log_rest: Any

    @classmethod
    def of(cls, p: Parameters, data: Mapping[str, Any]) -> Said:
        """Each stretch is rise ~ N(step_c c + kept, v): so c has the precision sum step_c^2 / v = weight^2."""
        rise, P = data["rise"], data["rise"].shape[0]
        step = power_law(p, data["start"]) - power_law(p, data["end"])
        persistence = p["persistence"] * data["follows"]
        slope_before = data["rise_before"] / (power_law(p, data["before"]) - power_law(p, data["start"]))
        step_c, kept = (1.0 - persistence) * step, persistence * slope_before * step
        innovation = pt.sqr((rise - kept[:P]) / step[:P])
        pace = p["memory"] * pt.sqr(p["wander"]) + data["earlier"] @ innovation
        pace = pace / (p["memory"] + data["earlier"].sum(axis=1))
        finish = pt.switch(pt.eq(data["end"], 1.0), pt.sqr(p["finish"]), 1.0)
        variance = pt.sqr(step) * finish * pace + NUGGET
        known, own, v = rise - kept[:P], step_c[:P], variance[:P]
        weight = pt.sqrt(data["curve"].T @ (pt.sqr(own) / v))
        fall = data["curve"].T @ (own * known / v) / weight
        log_stretches = -0.5 * (pt.sqr(known) / v + pt.log(2.0 * np.pi * v)).sum()
        log_fall = -0.5 * (pt.sqr(fall) + np.log(2.0 * np.pi)).sum()
        return cls(weight, fall, step_c[P:], kept[P:], variance[P:], log_stretches - log_fall)


def power_law(p: Parameters, fidelity: Any) -> Any:
    """The power law (t^-rate - 1) / rate."""
    return pt.expm1(-p["rate"] * pt.log(fidelity)) / p["rate"]


def _risen(p: Mapping[str, np.ndarray], fidelity: np.ndarray, c: float, rng: np.random.Generator) -> np.ndarray:
    """How much higher than at its end (k,) a simulated curve is after shares (k,) of the training, the last one 1."""
    phi = np.expm1(-p["rate"] * np.log(fidelity)) / p["rate"]
    steps, slopes, innovations = phi[:-1] - phi[1:], [], []
    for k, step in enumerate(steps):
        kept = p["persistence"] * slopes[-1] if slopes else 0.0
        mean = c * (1.0 - p["persistence"]) + kept if slopes else c
        pace = (p["memory"] * p["wander"] ** 2 + sum(innovations)) / (p["memory"] + k)
        finish = p["finish"] ** 2 if k == len(steps) - 1 else 1.0
        slopes.append(mean + np.sqrt(finish * pace + NUGGET / step**2) * rng.standard_normal())
        innovations.append((slopes[-1] - kept) ** 2)
    return np.append(np.cumsum((slopes * steps)[::-1])[::-1], 0.0)


def _points(data: Mapping[str, Any]) -> Any:
    """Points (T + S + n, D) of all that is observed."""
    return pt.concatenate([data["curve_X"], data["stopped_X"], data["X"]])


def _between(curve: Curve) -> np.ndarray:
    """Start, end, start of the one before, fall along that, and whether there is one, of each stretch (k - 1, 5)."""
    t, rise = curve.fidelity, curve.y[:-1] - curve.y[1:]
    # Where none is before, any other place than the start will do.
    before, follows = np.append(t[:1] / 2.0, t[:-2]), np.arange(len(rise)) > 0
    return np.column_stack([t[:-1], t[1:], before[: len(rise)], np.append(0.0, rise)[: len(rise)], follows])


def _to_go(curve: Curve) -> np.ndarray:
    """The same (1, 5) of the stretch to the end of a training that was stopped."""
    end = Curve(curve.x, np.append(curve.fidelity, 1.0), np.append(curve.y, np.nan))
    return _between(end)[-1:]


def _rows(parts: list[np.ndarray], width: int) -> np.ndarray:
    return np.concatenate([np.empty((0, width)), *parts])
