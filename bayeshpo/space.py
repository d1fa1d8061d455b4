"""Search space: ConfigSpace configurations to and from points of the unit cube.

Every searchable hyperparameter is one column of ``X`` in [0, 1]; constants have none. The unit cube carries the
space's sampling distribution: a uniform point decodes to a draw of the space. Inactive conditional hyperparameters
are at -1 and left out of the decoded configuration.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import Any, cast

import numpy as np
from ConfigSpace import ConfigurationSpace
from ConfigSpace.conditions import AndConjunction, Conjunction, InCondition
from ConfigSpace.hyperparameters import (
    CategoricalHyperparameter,
    Constant,
    Hyperparameter,
    OrdinalHyperparameter,
    UniformFloatHyperparameter,
    UniformIntegerHyperparameter,
)

from bayeshpo.encoding import Choices, Continuous, Encoding, Integers, Quantiles
from bayeshpo.errors import SpaceExhausted, SpecificationError

Configuration = dict[str, Any]
INACTIVE = -1.0
# Where a hyperparameter is put that becomes active.
_CENTRE = 0.5
_DISTRIBUTION = "bayeshpo:distribution"
_MOST_REJECTIONS = 1000


class SearchSpace:
    """A ConfigSpace space with its encoding as the unit cube.

    Parameters
    ----------
    space
        The ConfigSpace space: uniform floats and integers (linear or log), ordinals, categoricals, constants,
        conditions and forbidden clauses.

    Raises
    ------
    SpecificationError
        If a hyperparameter is of another kind.
    """

    def __init__(self, space: ConfigurationSpace) -> None:
        self.configspace = space
        self.constants: Configuration = {name: hp.value for name, hp in space.items() if isinstance(hp, Constant)}
        self.names: tuple[str, ...] = tuple(name for name in space if name not in self.constants)
        self.encodings: tuple[Encoding, ...] = tuple(_encoding(space[name]) for name in self.names)
        self._position = {name: j for j, name in enumerate(self.names)}
        self._conditional = _in_order_of_dependence(space)

    @property
    def dimension(self) -> int:
        """Number of columns of ``X``."""
        return len(self.names)

    @property
    def is_conditional(self) -> bool:
        """Whether some hyperparameter is active only for some values of others."""
        return bool(self._conditional)

    @property
    def conditional(self) -> tuple[int, ...]:
        """Columns that are active only for some values of others."""
        return tuple(j for name, j in self._position.items() if name in self._conditional)

    @property
    def in_order(self) -> tuple[str, ...]:
        """Names of the hyperparameters, each after those that decide whether it is active."""
        free = tuple(name for name in self.names if name not in self._conditional)
        return free + tuple(name for name in self._conditional if name in self._position)

    @property
    def continuous(self) -> np.ndarray:
        """Which columns are continuous (D,)."""
        return np.array([e.kind == "continuous" for e in self.encodings], dtype=bool)

    @property
    def categorical(self) -> np.ndarray:
        """Which columns are unordered choices (D,)."""
        return np.array([e.kind == "categorical" for e in self.encodings], dtype=bool)

    @property
    def size(self) -> float:
        """Number of points of the grid, conditions and forbidden clauses aside; infinite if a column is continuous."""
        return math.prod(e.size for e in self.encodings)

    def encode(self, configurations: Iterable[Mapping[str, Any]]) -> np.ndarray:
        """Points of the unit cube (n, D) for configurations given as mappings.

        Raises
        ------
        ValueError
            If a value is outside its hyperparameter's range, or an unknown name is given.
        """
        rows = list(configurations)
        X = np.full((len(rows), self.dimension), INACTIVE)
        for i, row in enumerate(rows):
            unknown = set(row) - set(self.names) - set(self.constants)
            if unknown:
                raise ValueError(f"expected hyperparameters {list(self.names)}, got also {sorted(unknown)}")
            for name, value in row.items():
                if name in self._position:
                    j = self._position[name]
                    X[i, j] = self.encodings[j].encode(value, name)
        return X

    def decode(self, X: np.ndarray) -> list[Configuration]:
        """Configurations (plain dicts, active hyperparameters and constants only) for points (n, D)."""
        X = _placed(X)
        columns = [e.decode(X[:, j]) for j, e in enumerate(self.encodings)]
        active, _ = self._activity(columns, len(X))
        order = list(self.configspace)
        rows: list[Configuration] = []
        for i in range(len(X)):
            row = {name: columns[j][i] for name, j in self._position.items() if active[name][i]}
            row |= {name: value for name, value in self.constants.items() if active[name][i]}
            rows.append({name: row[name] for name in order if name in row})
        return rows

    def snap(self, X: np.ndarray) -> np.ndarray:
        """The nearest points (n, D) that stand for a configuration: choices at their centres, inactive ones at -1."""
        X = np.clip(_placed(X), 0.0, 1.0)
        snapped = np.column_stack([e.snap(X[:, j]) for j, e in enumerate(self.encodings)])
        return np.where(self.active(snapped), snapped, INACTIVE) if self.is_conditional else snapped

    def active(self, X: np.ndarray) -> np.ndarray:
        """Which hyperparameters are active at points (n, D): a boolean array (n, D)."""
        X = np.atleast_2d(X)
        if not self.is_conditional:
            return np.ones(X.shape, dtype=bool)
        columns = [e.decode(X[:, j]) for j, e in enumerate(self.encodings)]
        active, _ = self._activity(columns, len(X))
        return np.column_stack([active[name] for name in self.names])

    def is_active(self, name: str, values: Mapping[str, Any]) -> bool:
        """Whether a hyperparameter is active, given the active ones of those that come before it (`in_order`)."""
        if name not in self._conditional:
            return True
        return bool(self.active(_placed(self.encode([values])))[0, self._position[name]])

    def legal(self, X: np.ndarray) -> np.ndarray:
        """Which points (n, D) break no forbidden clause: a boolean array (n,)."""
        X = np.atleast_2d(X)
        clauses = self.configspace.forbidden_clauses
        if not clauses:
            return np.ones(len(X), dtype=bool)
        columns = [e.decode(X[:, j]) for j, e in enumerate(self.encodings)]
        _, vectors = self._activity(columns, len(X))
        # One row a hyperparameter is ConfigSpace's layout for its vectorised checks.
        forbidden = [np.asarray(clause.is_forbidden_vector_array(vectors.T)) for clause in clauses]
        return ~np.any(forbidden, axis=0)

    def sample(self, n: int, rng: np.random.Generator) -> np.ndarray:
        """Legal points (n, D), drawn from the space's own distribution and snapped.

        Raises
        ------
        SpaceExhausted
            If hardly any point is legal, so that drawing does not end.
        """
        kept: list[np.ndarray] = []
        count = 0
        for _ in range(_MOST_REJECTIONS):
            X = self.snap(rng.random((max(n - count, 1), self.dimension)))
            X = X[self.legal(X)]
            kept.append(X)
            count += len(X)
            if count >= n:
                return np.concatenate(kept)[:n]
        raise SpaceExhausted(f"expected {n} legal points, got {count} after {_MOST_REJECTIONS} rounds of drawing")

    def grid(self, limit: int = 1_000_000) -> np.ndarray:
        """Every legal configuration of a finite space as points (n, D), each once.

        Raises
        ------
        SpecificationError
            If a hyperparameter is continuous, or the product is larger than ``limit``.
        """
        infinite = [name for name, e in zip(self.names, self.encodings, strict=True) if not math.isfinite(e.size)]
        if infinite:
            raise SpecificationError(f"no finite grid: {', '.join(infinite)} continuous; give lists of values instead")
        if self.size > limit:
            raise SpecificationError(f"a grid of {self.size:.3g} points is above the limit of {limit}")
        axes = [e.points() for e in self.encodings]
        X = np.stack([a.ravel() for a in np.meshgrid(*axes, indexing="ij")], axis=1)
        X = np.unique(self.snap(X), axis=0)
        return X[self.legal(X)]

    def _activity(self, columns: Sequence[np.ndarray], n: int) -> tuple[dict[str, np.ndarray], np.ndarray]:
        """Active masks by name and ConfigSpace's own vectors (n, H), inactive entries NaN."""
        space = self.configspace
        vectors = np.empty((n, len(space)))
        for name, hp in space.items():
            if name in self.constants:
                vectors[:, space.index_of[name]] = hp.to_vector(hp.default_value)
            else:
                values = columns[self._position[name]]
                vectors[:, space.index_of[name]] = _vector(hp, values)
        active = {name: np.ones(n, dtype=bool) for name in space}
        for name in self._conditional:
            holds = np.ones(n, dtype=bool)
            for condition in space.parent_conditions_of[name]:
                holds &= _satisfied(condition, vectors, active)
            active[name] = holds
            vectors[~holds, space.index_of[name]] = np.nan
        return active, vectors


def _placed(X: np.ndarray) -> np.ndarray:
    """Points (n, D) with a value in every column: what may become active begins in the middle."""
    X = np.atleast_2d(np.asarray(X, dtype=float))
    return np.where(X == INACTIVE, _CENTRE, X)


def distance(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Root mean square over dimensions of the difference of points of the unit cube (..., D)."""
    return np.sqrt(np.mean((a - b) ** 2, axis=-1))


def as_space(space: Any) -> SearchSpace:
    """A `SearchSpace` from one, from a ConfigSpace space, or from a plain dict.

    A dict maps names to ``(low, high)`` tuples (integers if both are), lists of choices (ordinal if numbers in rising
    order, else categorical), frozen scipy distributions (as scikit-learn's RandomizedSearchCV takes them), or a single
    value for a constant. Unbounded distributions are cut at their 0.0005 and 0.9995 quantiles.

    Raises
    ------
    SpecificationError
        If an entry is none of these.
    """
    if isinstance(space, SearchSpace):
        return space
    if isinstance(space, ConfigurationSpace):
        return SearchSpace(space)
    if isinstance(space, Mapping):
        configspace = ConfigurationSpace()
        for name, spec in space.items():
            configspace.add(_from_entry(str(name), spec))
        return SearchSpace(configspace)
    raise SpecificationError(f"expected a ConfigSpace space or a dict of ranges, got {type(space).__name__}")


def _from_entry(name: str, spec: Any) -> Hyperparameter:
    if isinstance(spec, Hyperparameter):
        return spec
    if hasattr(spec, "rvs") and hasattr(spec, "ppf"):
        return _from_distribution(name, spec)
    if isinstance(spec, tuple):
        numbers = len(spec) == 2 and all(isinstance(v, (int, float)) and not isinstance(v, bool) for v in spec)
        if not numbers or not spec[0] < spec[1]:
            raise SpecificationError(
                f"'{name}': expected (low, high) with low < high, got {spec!r}; choices are a list"
            )
        low, high = spec
        if isinstance(low, int) and isinstance(high, int):
            return UniformIntegerHyperparameter(name, low, high)
        return UniformFloatHyperparameter(name, float(low), float(high))
    if isinstance(spec, (list, np.ndarray)):
        return _from_choices(name, [v.item() if isinstance(v, np.generic) else v for v in spec])
    if isinstance(spec, (str, int, float)):
        return Constant(name, spec)
    raise SpecificationError(
        f"'{name}': expected (low, high), a list of choices, a scipy distribution or a constant, got {spec!r}"
    )


def _from_choices(name: str, choices: list[Any]) -> Hyperparameter:
    if not choices:
        raise SpecificationError(f"'{name}': expected at least one choice, got an empty list")
    if len(choices) == 1:
        return Constant(name, choices[0])
    numeric = all(isinstance(v, (int, float)) and not isinstance(v, bool) for v in choices)
    if numeric and all(a < b for a, b in itertools.pairwise(choices)):
        return OrdinalHyperparameter(name, choices)
    return CategoricalHyperparameter(name, choices)


def _from_distribution(name: str, frozen: Any) -> Hyperparameter:
    low, high = (float(v) for v in frozen.support())
    family = frozen.dist.name
    if family in ("uniform", "loguniform", "reciprocal"):
        return UniformFloatHyperparameter(name, low, high, log=family != "uniform")
    if family == "randint":
        return UniformIntegerHyperparameter(name, int(low), int(high))
    low = low if math.isfinite(low) else float(frozen.ppf(0.0005))
    high = high if math.isfinite(high) else float(frozen.ppf(0.9995))
    meta: dict[Hashable, Any] = {_DISTRIBUTION: frozen}
    if hasattr(frozen, "pmf"):
        return UniformIntegerHyperparameter(name, int(low), int(high), meta=meta)
    return UniformFloatHyperparameter(name, low, high, meta=meta)


def _encoding(hp: Hyperparameter) -> Encoding:
    distribution = (hp.meta or {}).get(_DISTRIBUTION)
    if isinstance(hp, UniformFloatHyperparameter):
        if distribution is not None:
            return Quantiles(hp.lower, hp.upper, distribution)
        return Continuous(hp.lower, hp.upper, hp.log)
    if isinstance(hp, UniformIntegerHyperparameter):
        if distribution is not None:
            values = list(range(hp.lower, hp.upper + 1))
            return Choices(values, "ordinal", np.asarray(distribution.pmf(values)))
        return Integers(hp.lower, hp.upper, hp.log)
    if isinstance(hp, OrdinalHyperparameter):
        return Choices(list(hp.sequence), "ordinal")
    if isinstance(hp, CategoricalHyperparameter):
        masses = np.asarray(hp.probabilities, dtype=float)
        if (masses <= 0).any():
            raise SpecificationError(f"'{hp.name}': a choice with weight 0 cannot be searched; leave it out")
        return Choices(list(hp.choices), "categorical", masses)
    raise SpecificationError(
        f"'{hp.name}': {type(hp).__name__} is not supported; give uniform floats or integers, ordinals, categoricals, "
        "constants, or a dict with scipy distributions"
    )


def _vector(hp: Hyperparameter, values: np.ndarray) -> np.ndarray:
    if isinstance(hp, (CategoricalHyperparameter, OrdinalHyperparameter)):
        choices = hp.choices if isinstance(hp, CategoricalHyperparameter) else hp.sequence
        index = {v: float(i) for i, v in enumerate(choices)}
        return np.array([index[v] for v in values])
    return np.asarray(hp.to_vector(np.asarray(values.tolist())), dtype=float)


def _satisfied(condition: Any, vectors: np.ndarray, active: Mapping[str, np.ndarray]) -> np.ndarray:
    if isinstance(condition, Conjunction):
        parts = [_satisfied(part, vectors, active) for part in condition.components]
        return cast(np.ndarray, (np.all if isinstance(condition, AndConjunction) else np.any)(parts, axis=0))
    # A comparison with an inactive parent is never satisfied, whatever its operator.
    known = active[condition.parent.name]
    if isinstance(condition, InCondition):
        values = [condition.parent.to_vector(v) for v in condition.values]
        return known & np.isin(vectors[:, condition.parent_vector_id], values)
    return known & np.asarray(condition.satisfied_by_vector_array(vectors.T))


def _in_order_of_dependence(space: ConfigurationSpace) -> tuple[str, ...]:
    """Names of the conditional hyperparameters, parents before children."""
    waiting = [name for name in space if space.parent_conditions_of[name]]
    ordered: list[str] = []
    while waiting:
        ready = [n for n in waiting if not any(p.name in waiting for p in space.parents_of[n])]
        ordered += ready
        waiting = [n for n in waiting if n not in ready]
    return tuple(ordered)
