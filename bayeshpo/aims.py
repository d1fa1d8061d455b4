"""What a study aims at beside its value: metrics that are objectives too, and metrics that have to keep to limits."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Self

import numpy as np

from bayeshpo.errors import SpecificationError

Direction = Literal["minimize", "maximize"]
# Log probability of finishing, and of keeping to limits, from which on a configuration may be recommended.
LIKELY = math.log(0.5)


def sign_of(direction: str) -> float:
    """Loss = sign x value."""
    return 1.0 if direction == "minimize" else -1.0


@dataclass(frozen=True)
class Limits:
    """What a metric has to be at least and at most."""

    at_least: float = -math.inf
    at_most: float = math.inf

    @classmethod
    def of(cls, metric: str, given: Any) -> Self:
        """From a pair, in which None stands for no limit.

        Raises
        ------
        SpecificationError
            If it is no such pair, or leaves nothing or everything.
        """
        pair = list(given) if isinstance(given, Sequence) and not isinstance(given, str) else []
        if len(pair) == 2 and all(limit is None or isinstance(limit, (int, float)) for limit in pair):
            low, high = pair
            limits = cls(-math.inf if low is None else float(low), math.inf if high is None else float(high))
            if limits.at_least < limits.at_most and (limits.at_least > -math.inf or limits.at_most < math.inf):
                return limits
        raise SpecificationError(
            f"constraint on '{metric}': expected a pair (at least, at most) in rising order, with None for no limit, "
            f"as (None, 8.0), got {given!r}"
        )

    def allow(self, values: np.ndarray) -> np.ndarray:
        """Which of some values are within."""
        return (values >= self.at_least) & (values <= self.at_most)

    @property
    def finite(self) -> list[float]:
        """Those of the two that are limits."""
        return [limit for limit in (self.at_least, self.at_most) if math.isfinite(limit)]

    def to_record(self) -> list[float | None]:
        """The pair as JSON values."""
        return [limit if math.isfinite(limit) else None for limit in (self.at_least, self.at_most)]


@dataclass(frozen=True)
class Aims:
    """What is asked of an outcome's metrics.

    Attributes
    ----------
    objectives
        Metrics to be as good as can be, as the value is, with their directions.
    constraints
        Metrics that have to keep to limits.
    """

    objectives: Mapping[str, Direction] = field(default_factory=dict)
    constraints: Mapping[str, Limits] = field(default_factory=dict)

    @classmethod
    def of(cls, objectives: Mapping[str, Any] | None, constraints: Mapping[str, Any] | None) -> Self:
        """From directions and pairs of limits by metric.

        Raises
        ------
        SpecificationError
            If a direction or a pair is none.
        """
        for metric, direction in (objectives or {}).items():
            if direction not in ("minimize", "maximize"):
                raise SpecificationError(
                    f"objective '{metric}': expected direction 'minimize' or 'maximize', got {direction!r}"
                )
        return cls(dict(objectives or {}), {m: Limits.of(m, pair) for m, pair in (constraints or {}).items()})

    @property
    def metrics(self) -> tuple[str, ...]:
        """Every metric that is asked for, objectives first."""
        return tuple(dict.fromkeys([*self.objectives, *self.constraints]))

    def missing(self, metrics: Mapping[str, float]) -> list[str]:
        """Those asked for that are not among an outcome's metrics, or no finite numbers there."""
        return [m for m in self.metrics if not math.isfinite(metrics.get(m, math.nan))]

    def to_record(self) -> dict[str, Any]:
        """As JSON values; nothing where nothing is asked."""
        constraints = {metric: limits.to_record() for metric, limits in self.constraints.items()}
        record: dict[str, Any] = {"objectives": dict(self.objectives)} if self.objectives else {}
        return record | ({"constraints": constraints} if constraints else {})
