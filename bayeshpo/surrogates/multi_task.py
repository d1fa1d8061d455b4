"""Gaussian process that earlier studies inform: each is a task whose function is correlated with this study's."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from bayeshpo.errors import SpecificationError
from bayeshpo.history import History
from bayeshpo.surrogates import priors
from bayeshpo.surrogates.base import NUGGET, Parameters, TrainingData
from bayeshpo.surrogates.columns import Columns
from bayeshpo.surrogates.gaussian_process import multivariate_normal
from bayeshpo.surrogates.gp import GaussianProcess
from bayeshpo.surrogates.kernels import stationary
from bayeshpo.surrogates.marginal_likelihood import gaussian_log_density
from bayeshpo.surrogates.priors import given, register
from bayeshpo.surrogates.symbolic import pm, pt


@dataclass(frozen=True)
class EarlierTask:
    """The finished trials of an earlier study.

    Attributes
    ----------
    columns
        The columns of its space.
    X, y
        Points of the unit cube, a tuple of D numbers each, and their standardised losses.
    """

    columns: Columns
    X: tuple[tuple[float, ...], ...]
    y: tuple[float, ...]

    @classmethod
    def of(cls, history: History) -> EarlierTask:
        """The trials of a history, standardised by themselves."""
        data = TrainingData.of(history)
        return cls(Columns.of(history.space), tuple(map(tuple, data.X.tolist())), tuple(data.y.tolist()))


@dataclass(frozen=True)
class MultiTaskGaussianProcess(GaussianProcess):
    """f = mean + amplitude g,  f_t = mean_t + amplitude_t (rho_t g + sqrt(1 - rho_t^2) h_t)  for earlier tasks t.

    g and all h_t are independent with the kernel k(x / lengthscale, x' / lengthscale): a model of coregionalisation of
    one shared kernel (Bonilla, Chai and Williams 2008), in which earlier tasks are correlated by what they share with
    this study's alone. rho_t ~ Uniform(0, 1), where 0 is a task that says nothing. The earlier trials are data like
    others, each task with a noise of its own; a density costs the cube of all trials together. The first increment of a
    study's log evidence is that of the earlier trials too.

    Parameters
    ----------
    earlier
        The earlier tasks, see `after`; in an experiment's file folders of runs, ``RESULTS/runs/ID``. Without any it is
        `gp`. Means, amplitudes and noise of all tasks have the priors of this study's; see `GaussianProcess`.
    """

    earlier: tuple[EarlierTask, ...] = ()
    name = "multi_task"

    @classmethod
    def after(cls, histories: Iterable[History]) -> MultiTaskGaussianProcess:
        """With the trials of earlier studies on the same space: ``[study.history for study in ...]``."""
        return cls(earlier=tuple(EarlierTask.of(history) for history in histories))

    def check(self, columns: Columns) -> None:
        """Refuse earlier studies of another space."""
        for task in self.earlier:
            if task.columns != columns:
                raise SpecificationError(
                    f"surrogate 'multi_task': expected earlier studies of the same space, {list(columns.names)}, got "
                    f"one of {list(task.columns.names)}; names, ranges and choices must be equal"
                )

    def observes_more(self) -> bool:
        """Whether there are earlier trials."""
        return bool(self.earlier)

    def arrays(self, columns: Columns, data: TrainingData) -> Mapping[str, np.ndarray]:
        """Of earlier trials: "earlier_X" (N, D), "earlier_y" (N,) and "earlier_task" (N, T), 1 where one belongs."""
        self.check(columns)
        X = [np.array(task.X).reshape(-1, columns.dimension) for task in self.earlier]
        y = [np.array(task.y) for task in self.earlier]
        belongs = np.repeat(np.eye(len(self.earlier)), [len(t) for t in y], axis=0)
        return {
            "earlier_X": np.concatenate([np.empty((0, columns.dimension)), *X]),
            "earlier_y": np.concatenate([np.empty(0), *y]),
            "earlier_task": belongs,
        }

    def no_data(self, columns: Columns) -> TrainingData:
        """No trials of any task."""
        data = self.prepared(columns, TrainingData.none(columns.dimension))
        return replace(data, arrays={name: array[:0] for name, array in data.arrays.items()})

    def priors(self, columns: Columns) -> Parameters:
        """Those of `gp`, and task_mean, task_amplitude, correlation and task_noise (T,)."""
        p = super().priors(columns)
        if not self.earlier:
            return p
        pm.modelcontext(None).add_coord("task", range(len(self.earlier)))
        shared = {
            "task_mean": given(self.mean_prior, priors.mean_prior()),
            "task_amplitude": given(self.amplitude_prior, priors.amplitude_prior()),
            "correlation": pm.Uniform.dist(0.0, 1.0),
            "task_noise": given(self.noise_prior, priors.noise_prior()),
        }
        return {**p, **{name: register(name, prior, dims="task") for name, prior in shared.items()}}

    def likelihood(self, columns: Columns, p: Parameters, data: Mapping[str, Any]) -> None:
        """Its log density is that of all tasks' trials.

        Draws of the outcome, and functions of the prior, are this study's alone, as if there were no earlier trials.
        """
        mean, K, variance = self.moments(columns, p, data)
        pm.CustomDist(
            "outcome",
            self.mean(columns, p, data["X"]),
            self.covariance(columns, p, data["X"]),
            self.noise_variance(columns, p, data),
            K,
            (self.observed(p, data) - mean)[: data["earlier_y"].shape[0]],
            variance,
            dist=lambda mean, K, variance, *rest: multivariate_normal(mean, K, variance, rest[-1]),
            signature="(n),(n,n),(),(m,m),(e),(m)->(n)",
            logp=lambda value, mean, _, __, K, earlier, variance: gaussian_log_density(
                K, pt.concatenate([earlier, value - mean]), variance
            ),
            observed=data["y"],
        )

    def covariance_with_trials(self, columns: Columns, p: Parameters, data: Mapping[str, Any], Z: Any) -> Any:
        """Prior covariance of f at Z (m, D) with the functions of all tasks at their trials, the earlier ones first."""
        loading = self._of_trials(self._loadings(p), data)
        X = pt.concatenate([data["earlier_X"], data["X"]])
        one = pt.as_tensor(1.0)
        return p["amplitude"] * loading * stationary(self.kernel, one, *(self.inputs(columns, p, A) for A in (Z, X)))

    def observed(self, p: Parameters, data: Mapping[str, Any]) -> Any:
        """Losses of all trials (m,), the earlier ones first."""
        return pt.concatenate([data["earlier_y"], data["y"]])

    def moments(self, columns: Columns, p: Parameters, data: Mapping[str, Any]) -> tuple[Any, Any, Any]:
        """Mean (m,) and covariance of f (m, m) and variances of the noise (m,) of all trials, the earlier ones first.

        The covariance is k times loading loading' for all pairs, and amplitude_t^2 (1 - rho_t^2) more within a task.
        """
        K = stationary(
            self.kernel, pt.as_tensor(1.0), self.inputs(columns, p, pt.concatenate([data["earlier_X"], data["X"]]))
        )
        loading = self._of_trials(self._loadings(p), data)
        shared = loading[:, None] * loading[None, :]
        if self.earlier:
            own = pt.sqr(p["task_amplitude"]) * (1.0 - pt.sqr(p["correlation"]))
            belongs = pt.concatenate([data["earlier_task"], pt.zeros((data["y"].shape[0], len(self.earlier)))])
            shared = shared + (belongs * own) @ belongs.T
        mean, noise = (self._of_trials(self._of_tasks(p, name), data) for name in ("mean", "noise"))
        return mean, K * shared, pt.sqr(noise) + NUGGET

    def _loadings(self, p: Parameters) -> Any:
        """How much of g there is in this study's function and in each earlier task's (1 + T,)."""
        amplitude = self._of_tasks(p, "amplitude")
        return pt.concatenate([amplitude[:1], amplitude[1:] * p["correlation"]]) if self.earlier else amplitude

    def _of_tasks(self, p: Parameters, name: str) -> Any:
        """A hyperparameter of this study and of each earlier task (1 + T,)."""
        return pt.concatenate([p[name][None], *([p[f"task_{name}"]] if self.earlier else [])])

    def _of_trials(self, of_tasks: Any, data: Mapping[str, Any]) -> Any:
        """A number of this study and of each earlier task (1 + T,), for each trial, the earlier ones first (m,)."""
        return pt.concatenate([data["earlier_task"] @ of_tasks[1:], pt.full(data["y"].shape, of_tasks[0])])
