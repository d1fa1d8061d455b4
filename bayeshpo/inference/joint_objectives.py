"""Joint predictive of several objectives: that of each, side by side."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from bayeshpo.inference.joint import AnchoredDraws, JointPredictive
from bayeshpo.inference.objectives import ObjectivesDraws, ObjectivesPredictive
from bayeshpo.inference.predictive import Predictive


@dataclass(frozen=True, eq=False)
class AnchoredObjectives:
    """What the draws of all objectives say at the same anchors; as `AnchoredDraws`, with the objectives (K) last.

    Attributes
    ----------
    draws, anchors
        The conditioned draws, and points (S, a, D).
    parts
        Those of each objective.
    """

    draws: ObjectivesDraws
    anchors: np.ndarray
    parts: tuple[AnchoredDraws, ...]

    def paths(self, count: int, rng: np.random.Generator) -> np.ndarray:
        """Joint draws (S, count, a, K)."""
        return np.stack([part.paths(count, rng) for part in self.parts], axis=3)

    def pull(self, f: np.ndarray) -> np.ndarray:
        """K^-1 (f - mean) (S, a, R, K) of values f (S, R, a, K)."""
        return np.stack([part.pull(f[..., k]) for k, part in enumerate(self.parts)], axis=3)

    @cached_property
    def whitening(self) -> np.ndarray:
        """Transposed inverse factors (S, a, a, K)."""
        return np.stack([part.whitening for part in self.parts], axis=3)


class JointObjectives:
    """As `JointPredictive`, with the objectives last in all that it says.

    Parameters
    ----------
    predictive
        Of all objectives.
    noise
        Whether the variance of a further trial's noise is wanted too.
    """

    def __init__(self, predictive: ObjectivesPredictive, *, noise: bool) -> None:
        self.predictive = predictive
        self._parts = [JointPredictive(part, noise=noise) for part in predictive.parts]

    def anchored(self, draws: ObjectivesDraws, anchors: np.ndarray) -> AnchoredObjectives:
        """Conditioned draws, S of them, with anchors (S, a, D)."""
        own = zip(self._parts, draws.parts, strict=True)
        return AnchoredObjectives(draws, anchors, tuple(part.anchored(d, anchors) for part, d in own))

    def __call__(self, anchored: AnchoredObjectives, Z: np.ndarray) -> tuple[np.ndarray, ...]:
        """Mean (S, m, K), variance (S, m, K), covariance with anchors (S, m, a, K), and noise, at Z (m, D)."""
        found = [part(own, Z) for part, own in zip(self._parts, anchored.parts, strict=True)]
        return tuple(np.stack(values, axis=-1) for values in zip(*found, strict=True))

    def pullback(self, anchored: AnchoredObjectives, Z: np.ndarray, *slopes: np.ndarray) -> np.ndarray:
        """Derivative by Z (m, D) of a function whose derivatives by what calling this gives are given."""
        own = enumerate(zip(self._parts, anchored.parts, strict=True))
        return np.sum([part.pullback(d, Z, *(by[..., k] for by in slopes)) for k, (part, d) in own], axis=0)

    def prepare(self) -> Iterator[Any]:
        """Compile now what is not compiled yet, a function a step."""
        for part in self._parts:
            yield from part.prepare()


def joint_predictive(predictive: Predictive, *, noise: bool) -> Any:
    """`JointPredictive` of one objective, `JointObjectives` of several."""
    if isinstance(predictive, ObjectivesPredictive):
        return JointObjectives(predictive, noise=noise)
    return JointPredictive(predictive, noise=noise)
