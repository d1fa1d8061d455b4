"""Joint predictive of a surrogate: covariances of the latent function between candidates and anchors, for every draw.

Anchors are a few points of each draw's own at which more is asked than a mean and a variance: where its minimum may be,
or where the function has been seen with noise.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

import numpy as np

from bayeshpo.inference.over_draws import OverDraws
from bayeshpo.inference.predictive import (
    ConditionedDraws,
    ModelPredictive,
    Predictive,
    entries,
    like,
    own_arrays,
)
from bayeshpo.inference.stacked_predictive import StackedDraws
from bayeshpo.surrogates.base import NUGGET
from bayeshpo.surrogates.symbolic import grad, pt

# Of the anchors' mean variance: keeps covariances of anchors that are close together factorisable.
_JITTER = 1e-6


@dataclass(frozen=True, eq=False)
class AnchoredDraws:
    """Conditioned draws with what they say of f at their anchors.

    Attributes
    ----------
    draws
        The conditioned draws.
    anchors
        Points (S, a, D).
    mean, covariance
        Of f there, under each draw (S, a), (S, a, a).
    kept
        What covariances with candidates need, for each member's draws by name.
    """

    draws: ConditionedDraws | StackedDraws
    anchors: np.ndarray
    mean: np.ndarray
    covariance: np.ndarray
    kept: tuple[Mapping[str, np.ndarray], ...]

    @cached_property
    def factor(self) -> np.ndarray:
        """Lower Cholesky factors (S, a, a) of the covariances, with as little jitter as will do."""
        variance = np.diagonal(self.covariance, axis1=1, axis2=2)
        scale = np.maximum(variance.mean(axis=1), NUGGET)
        jitter = _JITTER
        while True:
            try:
                return np.linalg.cholesky(self.covariance + (jitter * scale)[:, None, None] * np.eye(variance.shape[1]))
            except np.linalg.LinAlgError:
                jitter *= 100.0

    def paths(self, count: int, rng: np.random.Generator) -> np.ndarray:
        """Joint draws (S, count, a) of f at the anchors, so many for each draw of the hyperparameters."""
        normals = rng.standard_normal((*self.mean.shape, count))
        return self.mean[:, None, :] + (self.factor @ normals).swapaxes(1, 2)

    def pull(self, f: np.ndarray) -> np.ndarray:
        """K^-1 (f - mean) (S, a, R) of values f (S, R, a) at the anchors: by c(x) of it the mean at x moves."""
        whitened = np.linalg.solve(self.factor, (f - self.mean[:, None, :]).swapaxes(1, 2))
        return np.linalg.solve(self.factor.swapaxes(1, 2), whitened)

    @cached_property
    def whitening(self) -> np.ndarray:
        """Transposed inverse factors (S, a, a): anchors explain the squares of c(x) times them, summed, of f(x)."""
        return np.linalg.inv(self.factor).swapaxes(1, 2)


class JointPredictive:
    """Mean, variance, noise, and covariance with anchors, for every draw of a predictive.

    Parameters
    ----------
    predictive
        Of one model or of several.
    noise
        Whether the variance of a further trial's noise is wanted too, which not every surrogate says.
    """

    def __init__(self, predictive: Predictive, *, noise: bool) -> None:
        self.predictive, self._noise = predictive, noise

    def anchored(self, draws: Any, anchors: np.ndarray) -> AnchoredDraws:
        """Conditioned draws, S of them, with anchors (S, a, D)."""
        found = [
            _compiled(part, self._noise).anchored(own, np.ascontiguousarray(A))
            for (part, own), A in self._parts(draws, anchors)
        ]
        mean, covariance = (np.concatenate(values) for values in list(zip(*found, strict=True))[:2])
        return AnchoredDraws(draws, anchors, mean, covariance, tuple(kept for _, _, kept in found))

    def __call__(self, anchored: AnchoredDraws, Z: np.ndarray) -> tuple[np.ndarray, ...]:
        """Mean (S, m), variance (S, m), covariance with anchors (S, m, a) and noise's variance (S, m) at Z (m, D)."""
        found = [
            _compiled(part, self._noise).predict(own, A, kept, np.ascontiguousarray(Z))
            for ((part, own), A), kept in zip(self._parts(anchored.draws, anchored.anchors), anchored.kept, strict=True)
        ]
        return tuple(np.concatenate(values) for values in zip(*found, strict=True))

    def pullback(self, anchored: AnchoredDraws, Z: np.ndarray, *slopes: np.ndarray) -> np.ndarray:
        """Derivative by Z (m, D) of a function whose derivatives by what calling this gives are given."""
        edges = self._edges(anchored.draws)
        parts = zip(
            self._parts(anchored.draws, anchored.anchors),
            anchored.kept,
            *(np.split(slope, edges) for slope in slopes),
            strict=True,
        )
        Z = np.ascontiguousarray(Z)
        return np.sum(
            [_compiled(m, self._noise).pullback(own, A, kept, Z, by) for ((m, own), A), kept, *by in parts], axis=0
        )

    def prepare(self) -> Iterator[Any]:
        """Compile now what is not compiled yet, a function a step."""
        for model in self.predictive.models:
            yield from _compiled(model, self._noise).prepare()

    def _edges(self, draws: Any) -> np.ndarray:
        return np.cumsum([len(own.fitted) for _, own in self.predictive.members(draws)])[:-1]

    def _parts(self, draws: Any, anchors: np.ndarray) -> Iterator[Any]:
        return zip(self.predictive.members(draws), np.split(anchors, self._edges(draws)), strict=True)


class _ModelJoint:
    """The compiled functions of one model: what `JointPredictive` calls for its draws."""

    def __init__(self, predictive: ModelPredictive, noise: bool) -> None:
        self._predictive, self._symbols, self._noise = predictive, predictive.symbols, noise
        self._surrogate, self._columns = predictive.surrogate, predictive.density.columns
        s, self._A = self._symbols, pt.dmatrix("A")
        self._keeping = self._surrogate.anchored(self._columns, s.p, s.state, s.data, self._A)
        self._kept = like(self._keeping)

    def anchored(self, draws: ConditionedDraws, A: np.ndarray) -> tuple[np.ndarray, np.ndarray, dict[str, np.ndarray]]:
        """Mean (S, a) and covariance (S, a, a) at anchors A (S, a, D), and what is kept of them."""
        size = draws.fitted.shape[1] * (draws.fitted.shape[1] + A.shape[1])
        mean, covariance, *kept = self._anchor(*own_arrays(draws), A, *draws.data.values(), entries=size)
        return mean, covariance, dict(zip(self._kept, kept, strict=True))

    def predict(
        self, draws: ConditionedDraws, A: np.ndarray, kept: Mapping[str, np.ndarray], Z: np.ndarray
    ) -> tuple[np.ndarray, ...]:
        """Mean (S, m), variance (S, m), covariance (S, m, a) and noise (S, m)."""
        return self._predict(*own_arrays(draws), A, *kept.values(), *draws.data.values(), Z, entries=entries(draws, Z))

    def pullback(
        self,
        draws: ConditionedDraws,
        A: np.ndarray,
        kept: Mapping[str, np.ndarray],
        Z: np.ndarray,
        slopes: Sequence[np.ndarray],
    ) -> np.ndarray:
        """Derivative by Z (m, D), given those by what `predict` returns."""
        own = [*own_arrays(draws), A, *kept.values(), *map(np.ascontiguousarray, slopes)]
        return self._pullback(*own, *draws.data.values(), Z, entries=entries(draws, Z))[0].sum(axis=0)

    def prepare(self) -> Iterator[Any]:
        """Compile now what is not compiled yet, a function a step."""
        yield self._anchor
        yield self._predict
        yield self._pullback

    @cached_property
    def _anchor(self) -> OverDraws:
        s, A = self._symbols, self._A
        mean, _ = self._surrogate.predict(self._columns, s.p, s.state, s.data, A)
        covariance = self._covariance({**s.state, **self._keeping}, A)
        outputs = [mean, covariance, *self._keeping.values()]
        return self._predictive.compiled("anchors", [A], [], outputs, [self._one])

    @cached_property
    def _predict(self) -> OverDraws:
        return self._predictive.compiled(
            "joint predictive", self._own, [self._symbols.Z], [*self._outputs], self._example
        )

    @cached_property
    def _pullback(self) -> OverDraws:
        slopes = [pt.tensor(dtype="float64", shape=(None,) * output.ndim) for output in self._outputs]
        total = sum(pt.sum(slope * output) for slope, output in zip(slopes, self._outputs, strict=True))
        example = [*self._example, *(np.ones((1,) * slope.ndim) for slope in slopes)]
        return self._predictive.compiled(
            "gradient of the joint predictive",
            [*self._own, *slopes],
            [self._symbols.Z],
            [grad(total, self._symbols.Z)],
            example,
        )

    @cached_property
    def _outputs(self) -> tuple[Any, ...]:
        s, state = self._symbols, {**self._symbols.state, **self._kept}
        outputs = *self._predictive.moments, self._covariance(state, s.Z)
        return (
            (*outputs, self._surrogate.noise_at(self._columns, s.p, s.state, s.data, s.Z)) if self._noise else outputs
        )

    def _covariance(self, state: Mapping[str, Any], Z: Any) -> Any:
        s = self._symbols
        return self._surrogate.covariance_with_anchors(self._columns, s.p, state, s.data, self._A, Z)

    @property
    def _own(self) -> list[Any]:
        return [self._A, *self._kept.values()]

    @property
    def _one(self) -> np.ndarray:
        return np.zeros((1, self._columns.dimension))

    @cached_property
    def _example(self) -> list[np.ndarray]:
        _, _, kept = self.anchored(self._predictive.example, self._one[None])
        return [self._one, *(values[0] for values in kept.values())]


@lru_cache(maxsize=32)
def _compiled(predictive: ModelPredictive, noise: bool) -> _ModelJoint:
    return _ModelJoint(predictive, noise)
