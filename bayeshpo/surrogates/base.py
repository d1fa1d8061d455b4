"""The surrogate contract: a PyMC model of the performance surface, and its predictive."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pymc

from bayeshpo.errors import SpecificationError
from bayeshpo.space import as_space
from bayeshpo.surrogates.columns import Columns
from bayeshpo.surrogates.symbolic import pt
from bayeshpo.surrogates.training_data import TrainingData

if TYPE_CHECKING:
    import pandas as pd

Parameters = Mapping[str, Any]

# Variance added to the noise's, in units of the standardised outcome: keeps covariances factorisable, so that the
# density has no steps where jitter would have to set in.
NUGGET = 1e-6


class Surrogate(ABC):
    """A PyMC model of the performance surface. Frozen: equal arguments make equal surrogates."""

    name: str
    # Whether trials should bring the objective's gradient, where the problem gives one.
    uses_gradients: bool = False
    # Whether it is told the standard errors that trials bring.
    reads_errors: bool = False
    # Whether its posterior takes an engine that reports evidences.
    needs_evidence: bool = False
    # Whether the model makes something of losses that are far off, so that they should be told as they are.
    expects_outliers: bool = False
    # Whether the hyperparameters say all of f, so that a draw has nothing left to learn.
    determined: bool = False
    # Whether it says what a training that goes on would tell of its end (`bayeshpo.surrogates.training_outlook`).
    foresees_trainings: bool = False

    @staticmethod
    def from_model(build: Callable[[np.ndarray, np.ndarray, Columns], Any], name: str | None = None) -> Surrogate:
        """A surrogate from a function that builds a PyMC model.

        Parameters
        ----------
        build
            ``build(X, y, columns) -> pymc.Model``. The model has ``pm.Data("X", X)`` (n, D), points of the unit cube,
            ``pm.Data("y", y)`` (n,), standardised losses, and ``pm.Deterministic("f", ...)`` (n,), the loss without
            noise, as an expression of X and of continuous hyperparameters. `Columns.natural` and `Columns.index` give
            values of X in their own units.
        name
            How reports and records call it; the function's name if not given.
        """
        from bayeshpo.surrogates.own_model import ModelSurrogate

        return ModelSurrogate(build, name or build.__name__)

    def describe(self, space: Any) -> pd.DataFrame:
        """The hyperparameters' priors on a space, a row each; see `bayeshpo.surrogates.description`."""
        from bayeshpo.surrogates.description import describe

        return describe(self, Columns.of(as_space(space)))

    def prior_functions(
        self, columns: Columns, X: np.ndarray, draws: int, rng: np.random.Generator
    ) -> tuple[dict[str, np.ndarray], np.ndarray]:
        """Joint draws from the prior: hyperparameters by name, each (S, ...), and the latent f (S, n) at X (n, D).

        f is the model's deterministic "f" or, where it is integrated out, the outcome with the hyperparameter "noise"
        at nothing, so that the nugget alone remains of it; overridden where it is neither.

        Raises
        ------
        SpecificationError
            If the model has neither.
        """
        from bayeshpo.surrogates.prior_functions import prior_functions

        return prior_functions(self, columns, X, draws, rng)

    def check(self, columns: Columns) -> None:  # noqa: B027 - most surrogates can work on all
        """Refuse columns that the surrogate cannot stand for; one that refuses any is ``restricted`` in the registry.

        Raises
        ------
        SpecificationError
            Saying what is needed and what would be right.
        """

    def observes_more(self) -> bool:
        """Whether its density is of more than a study's losses, so that its evidence is not that of others."""
        return self.uses_gradients

    @abstractmethod
    def model(self, columns: Columns, X: np.ndarray, y: np.ndarray) -> pymc.Model:
        """The PyMC model, with X (n, D), y (n,) and the arrays of `prepared` in `pm.Data` of those names."""

    @abstractmethod
    def condition(self, columns: Columns, p: Parameters, data: Mapping[str, Any]) -> dict[str, Any]:
        """What one draw's predictive keeps of the data: named tensors, computed once a posterior.

        ``data`` has X (n, D), y (n,) and the arrays of `prepared` by name, as symbolic variables.
        """

    @abstractmethod
    def predict(
        self, columns: Columns, p: Parameters, state: Parameters, data: Mapping[str, Any], Z: Any
    ) -> tuple[Any, Any]:
        """Mean (m,) and variance (m,) of one draw's latent f at candidates Z (m, D)."""

    @property
    def is_joint(self) -> bool:
        """Whether it says how f at one point belongs together with f at another."""
        return self.determined or type(self).covariance_with_anchors is not Surrogate.covariance_with_anchors

    def anchored(
        self, columns: Columns, p: Parameters, state: Parameters, data: Mapping[str, Any], A: Any
    ) -> dict[str, Any]:
        """What the covariances of one draw's f with f at anchors A (a, D) keep of these; here nothing."""
        return {}

    def covariance_with_anchors(
        self, columns: Columns, p: Parameters, state: Parameters, data: Mapping[str, Any], A: Any, Z: Any
    ) -> Any:
        """Covariance (m, a) of one draw's f at candidates Z (m, D) with f at anchors A (a, D), given the trials.

        ``state`` has the tensors of `anchored` too. Where the hyperparameters say all of f there is none.

        Raises
        ------
        SpecificationError
            If the surrogate does not say; override both then.
        """
        if not self.is_joint:
            raise SpecificationError(
                f"surrogate '{self.name}': expected covariances of f between points, as this acquisition needs them, "
                "got a surrogate without `covariance_with_anchors`; define it, or use an acquisition of single points"
            )
        return pt.zeros((Z.shape[0], A.shape[0]))

    def noise_at(self, columns: Columns, p: Parameters, state: Parameters, data: Mapping[str, Any], Z: Any) -> Any:
        """Variance (m,) of the noise of a further trial at candidates Z (m, D); of the hyperparameter "noise" here.

        Raises
        ------
        SpecificationError
            If there is no such hyperparameter; override it then.
        """
        if "noise" not in p:
            raise SpecificationError(
                f"surrogate '{self.name}': expected a hyperparameter 'noise', the standard deviation of a trial's "
                f"loss, as this acquisition needs it, got {', '.join(p)}; name it so, or override `noise_at`"
            )
        return pt.full((Z.shape[0],), pt.sqr(p["noise"]) + NUGGET)

    def outcome_at(
        self, columns: Columns, p: Parameters, state: Parameters, data: Mapping[str, Any], Z: Any, y: Any
    ) -> tuple[Any, Any] | None:
        """Log density (m,) and distribution function (m,) of further trials' outcomes at Z (m, D) and y (m,).

        Under one draw, standardised. None, as here, where they are normal, with the moments of `predict` and the
        variance of `noise_at` added; override it, and `outcomes`, where they are not.

        Raises
        ------
        SpecificationError
            If the surrogate does not say.
        """
        return None

    @property
    def normal(self) -> Surrogate:
        """The surrogate of a normal f, of which this one's rises, with its hyperparameters and state; here itself."""
        return self

    def of_normal(self, p: Mapping[str, np.ndarray], data: Mapping[str, np.ndarray], h: np.ndarray) -> np.ndarray:
        """f (S, ...) where that of `normal` is h (S, ...), under draws p of the hyperparameters, each (S, ...)."""
        return h

    def outcomes(
        self,
        columns: Columns,
        p: Mapping[str, np.ndarray],
        data: Mapping[str, np.ndarray],
        X: np.ndarray,
        f: np.ndarray,
        noise: np.ndarray | None,
        rng: np.random.Generator,
    ) -> np.ndarray:
        """Outcomes (S, n) of new trials at X (n, D), drawn.

        Parameters
        ----------
        columns, p, data, X
            The columns of the space, draws of the hyperparameters, each (S, ...), the trials by name, and the points.
        f, noise
            Of `normal`: its f there (S, n), and its `noise_at` (S, n); None where it does not say.
        rng
            Source of the noise.
        """
        assert noise is not None
        return f + np.sqrt(noise) * rng.standard_normal(f.shape)

    def fitted(self, columns: Columns, p: Parameters, state: Parameters, data: Mapping[str, Any]) -> Any:
        """Mean (n,) of one draw's latent f at the training points; overridden where it is cheaper than `predict`."""
        return self.predict(columns, p, state, data, data["X"])[0]

    def leave_one_out(self, columns: Columns, p: Parameters, state: Parameters, data: Mapping[str, Any]) -> Any:
        """Log density (n,) of each outcome given all the others, under one draw.

        Here of outcomes that are independent given the hyperparameters: the terms of the model's likelihood.

        Raises
        ------
        SpecificationError
            If the likelihood is no sum over trials; override it then.
        """
        from bayeshpo.surrogates.pointwise import pointwise

        return pointwise(self, columns, p, data)

    def arrays(self, columns: Columns, data: TrainingData) -> Mapping[str, np.ndarray]:
        """What this surrogate computes from the trials once a fit, by name; here nothing."""
        return {}

    def prepared(
        self,
        columns: Columns,
        data: TrainingData,
        draws: Mapping[str, np.ndarray] | None = None,
        before: TrainingData | None = None,
    ) -> TrainingData:
        """The data with their `arrays`; overridden where these depend on the posterior before.

        Parameters
        ----------
        columns, data
            The columns of the space, and the trials.
        draws
            A few draws of the hyperparameters, each (S, ...), from the posterior before; None where there is none.
        before
            The data of that posterior, with their arrays.
        """
        return replace(data, arrays=self.arrays(columns, data))

    def remarks(self, data: TrainingData) -> dict[str, Any]:
        """What the row of inference of a fit to these prepared data should say of them (JSON values)."""
        return {}

    def no_data(self, columns: Columns) -> TrainingData:
        """The data under which the density is the prior's: no trials at all."""
        return self.prepared(columns, TrainingData.none(columns.dimension))

    def simulated(
        self,
        columns: Columns,
        p: Mapping[str, np.ndarray],
        blank: TrainingData,
        outcome: np.ndarray,
        rng: np.random.Generator,
    ) -> TrainingData:
        """Data of simulated trials; overridden where they have more than losses.

        Parameters
        ----------
        columns, p
            The columns of the space, and one draw of the hyperparameters.
        blank
            The trials, with anything finite where losses belong, and whatever else is told.
        outcome
            What `model` has drawn for these given p.
        rng
            Source of what is drawn beside.
        """
        return replace(blank, y=outcome)

    def believing(self, columns: Columns, data: TrainingData, X: np.ndarray, y: np.ndarray) -> TrainingData:
        """The data of a fit with more points (m, D) and outcomes (m,), which `condition` is to take for observed."""
        return data.extended(X, y)
