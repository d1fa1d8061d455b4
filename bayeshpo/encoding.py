"""Encodings of one hyperparameter as a number in [0, 1], uniform under the hyperparameter's sampling distribution."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import Any, Literal

import numpy as np

Kind = Literal["continuous", "integer", "ordinal", "categorical"]


class Encoding(ABC):
    """Value to unit interval and back, without loss (floats to rounding error)."""

    kind: Kind
    size: float

    @abstractmethod
    def encode(self, value: Any, name: str) -> float:
        """Position of a value in [0, 1]; ValueError naming the hyperparameter if it is out of range."""

    @abstractmethod
    def decode(self, u: np.ndarray) -> np.ndarray:
        """Values (n,), as Python objects, at positions (n,)."""

    @abstractmethod
    def snap(self, u: np.ndarray) -> np.ndarray:
        """Nearest positions (n,) that stand for a value."""

    def line(self) -> tuple[float, float, bool] | None:
        """(a, b, log) where the value at u is a + u (b - a), or its exponential if ``log``; None for other scales."""
        return None

    def points(self) -> np.ndarray:
        """Positions of all values (size,); ValueError if they are not finitely many."""
        raise ValueError("expected finitely many values, got a continuous hyperparameter")


class Continuous(Encoding):
    """A float on a linear or a log scale."""

    kind: Kind = "continuous"
    size = math.inf

    def __init__(self, lower: float, upper: float, log: bool) -> None:
        self.lower, self.upper, self.log = lower, upper, log
        self._a, self._b = (math.log(lower), math.log(upper)) if log else (lower, upper)

    def line(self) -> tuple[float, float, bool] | None:
        return self._a, self._b, self.log

    def encode(self, value: Any, name: str) -> float:
        _check_range(value, self.lower, self.upper, name)
        t = math.log(value) if self.log else float(value)
        return min(max((t - self._a) / (self._b - self._a), 0.0), 1.0)

    def decode(self, u: np.ndarray) -> np.ndarray:
        t = self._a + np.asarray(u) * (self._b - self._a)
        return np.clip(np.exp(t) if self.log else t, self.lower, self.upper).astype(object)

    def snap(self, u: np.ndarray) -> np.ndarray:
        return u


class Quantiles(Encoding):
    """A float encoded by the distribution function of a frozen scipy distribution, cut at both ends."""

    kind: Kind = "continuous"
    size = math.inf

    def __init__(self, lower: float, upper: float, distribution: Any) -> None:
        self.lower, self.upper, self.distribution = lower, upper, distribution
        self._a, self._b = (float(distribution.cdf(v)) for v in (lower, upper))

    def encode(self, value: Any, name: str) -> float:
        _check_range(value, self.lower, self.upper, name)
        p = float(self.distribution.cdf(value))
        return min(max((p - self._a) / (self._b - self._a), 0.0), 1.0)

    def decode(self, u: np.ndarray) -> np.ndarray:
        values = self.distribution.ppf(self._a + np.asarray(u) * (self._b - self._a))
        return np.clip(values, self.lower, self.upper).astype(object)

    def snap(self, u: np.ndarray) -> np.ndarray:
        return u


class Integers(Encoding):
    """An integer on a linear or a log scale; each value sits inside its own cell, on the scale."""

    kind: Kind = "integer"

    def __init__(self, lower: int, upper: int, log: bool) -> None:
        self.lower, self.upper, self.log = int(lower), int(upper), log
        self.size = float(self.upper - self.lower + 1)
        ends = (self.lower - 0.5, self.upper + 0.5)
        self._a, self._b = (math.log(ends[0]), math.log(ends[1])) if log else ends

    def line(self) -> tuple[float, float, bool] | None:
        return self._a, self._b, self.log

    def encode(self, value: Any, name: str) -> float:
        _check_range(value, self.lower, self.upper, name)
        if int(value) != value:
            raise ValueError(f"'{name}': expected an integer, got {value!r}")
        t = math.log(value) if self.log else float(value)
        return (t - self._a) / (self._b - self._a)

    def decode(self, u: np.ndarray) -> np.ndarray:
        t = self._a + np.asarray(u) * (self._b - self._a)
        values = np.clip(np.rint(np.exp(t) if self.log else t), self.lower, self.upper)
        return np.array([int(v) for v in values], dtype=object)

    def snap(self, u: np.ndarray) -> np.ndarray:
        values = self.decode(u).astype(float)
        return ((np.log(values) if self.log else values) - self._a) / (self._b - self._a)

    def points(self) -> np.ndarray:
        values = np.arange(self.lower, self.upper + 1, dtype=float)
        return ((np.log(values) if self.log else values) - self._a) / (self._b - self._a)


class Choices(Encoding):
    """One of finitely many values, each the owner of an interval as wide as its probability."""

    def __init__(self, values: list[Any], kind: Kind, masses: np.ndarray | None = None) -> None:
        self.values = [v.item() if isinstance(v, np.generic) else v for v in values]
        self.kind, self.size = kind, float(len(values))
        masses = np.ones(len(values)) if masses is None else masses
        edges = np.concatenate([[0.0], np.cumsum(masses / masses.sum())])
        self._edges, self._centres = edges, (edges[:-1] + edges[1:]) / 2
        self._index = {v: i for i, v in enumerate(self.values)}

    def encode(self, value: Any, name: str) -> float:
        value = value.item() if isinstance(value, np.generic) else value
        if value not in self._index:
            raise ValueError(f"'{name}': expected one of {self.values}, got {value!r}")
        return float(self._centres[self._index[value]])

    def decode(self, u: np.ndarray) -> np.ndarray:
        values = np.empty(len(u), dtype=object)
        values[:] = [self.values[i] for i in self._cell(u)]
        return values

    def snap(self, u: np.ndarray) -> np.ndarray:
        return self._centres[self._cell(u)]

    def points(self) -> np.ndarray:
        return self._centres

    def _cell(self, u: np.ndarray) -> np.ndarray:
        return np.clip(np.searchsorted(self._edges, u, side="right") - 1, 0, len(self.values) - 1)


def _check_range(value: Any, lower: float, upper: float, name: str) -> None:
    slack = 1e-12 * max(abs(lower), abs(upper))
    if not lower - slack <= value <= upper + slack:
        raise ValueError(f"'{name}': expected a value in [{lower}, {upper}], got {value!r}")
