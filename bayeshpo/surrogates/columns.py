"""What a surrogate knows of a search space: the columns of X, and how far apart points are along each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from bayeshpo.errors import SpecificationError, unknown_name
from bayeshpo.space import SearchSpace
from bayeshpo.surrogates.symbolic import Tensor, pt

# (a, b, log) of a number, the centres of choices, or neither.
Scale = Any


@dataclass(frozen=True)
class Columns:
    """Columns of X; equal ones share compiled code.

    Attributes
    ----------
    names
        The hyperparameters.
    choices
        Centres of three or more unordered choices, by column.
    conditional
        Columns of hyperparameters that are inactive in some configurations. There X is `bayeshpo.space.INACTIVE`,
        below every active value.
    scales
        How each column's positions stand for values; may be left out where nobody asks.
    """

    names: tuple[str, ...]
    choices: tuple[tuple[int, tuple[float, ...]], ...] = ()
    conditional: tuple[int, ...] = ()
    scales: tuple[Scale, ...] = ()

    @classmethod
    def of(cls, space: SearchSpace) -> Columns:
        """The columns of a space."""
        choices = [
            (j, tuple(float(u) for u in encoding.points()))
            for j, encoding in enumerate(space.encodings)
            if encoding.kind == "categorical" and encoding.size > 2
        ]
        scales = tuple(
            encoding.line() or (tuple(float(u) for u in encoding.points()) if np.isfinite(encoding.size) else None)
            for encoding in space.encodings
        )
        return cls(space.names, tuple(choices), space.conditional, scales)

    @property
    def dimension(self) -> int:
        """Number of columns of X."""
        return len(self.names)

    @property
    def numbers(self) -> tuple[int, ...]:
        """Columns of floats and integers, on whatever scale."""
        return tuple(j for j, scale in enumerate(self.scales) if scale is None or _is_line(scale))

    @property
    def plain(self) -> tuple[int, ...]:
        """Columns that are the kernel's coordinates as they are: always active, and no three or more choices."""
        special = {j for j, _ in self.choices} | set(self.conditional)
        return tuple(j for j in range(self.dimension) if j not in special)

    def natural(self, X: Tensor, name: str) -> Tensor:
        """Values (n,) of a number in its own unit, at X (n, D).

        Raises
        ------
        SpecificationError
            If there is no such hyperparameter, or it is no uniform number on a linear or a log scale.
        """
        j = self._position(name)
        if not _is_line(self.scales[j]):
            raise SpecificationError(f"'{name}': expected a number on a linear or a log scale; choices have an index")
        a, b, log = self.scales[j]
        value = a + X[:, j] * (b - a)
        return pt.exp(value) if log else value

    def index(self, X: Tensor, name: str) -> Tensor:
        """Which choice (n,), counted from 0, a categorical or ordinal hyperparameter has at X (n, D).

        Raises
        ------
        SpecificationError
            If there is no such hyperparameter, or it is a number.
        """
        j = self._position(name)
        if _is_line(self.scales[j]) or self.scales[j] is None:
            raise SpecificationError(f"'{name}': expected choices, got a number; numbers have a natural value")
        return pt.argmin(pt.abs(X[:, j, None] - np.array(self.scales[j])[None, :]), axis=1)

    def _position(self, name: str) -> int:
        if name not in self.names:
            raise SpecificationError(unknown_name("hyperparameter", name, self.names))
        return self.names.index(name)

    def active(self, X: Tensor) -> Tensor:
        """Which hyperparameters are active at X (n, D), as ones and zeros (n, D)."""
        return pt.ge(X, 0.0).astype("float64")

    def along(self, X: Tensor, j: int, norm: int = 2) -> Tensor:
        """Column j of X (n, D) in coordinates (n, e) whose distances say how far apart its values are.

        Distances are Euclidean or, with ``norm`` 1, sums of absolute differences. Of three or more unordered choices
        all are equally far from each other: indicators. A conditional number x goes to (sin x, cos x) where it is
        active and to (0, 0) where it is not (after Hutter and Osborne 2013): active values are apart by the chord of
        their arc, active and inactive by 1 whatever the value, inactive ones not. With norm 1 it goes to
        (x, 1 - x, 1) / 2 where it is active: the same, but active values are apart by their difference.
        """
        x, choices = X[:, [j]], dict(self.choices)
        if j in choices:
            return pt.lt(pt.abs(x - np.array(choices[j])[None, :]), 1e-9).astype("float64")
        if j in self.conditional:
            parts = [pt.sin(x), pt.cos(x)] if norm == 2 else [0.5 * x, 0.5 - 0.5 * x, pt.full_like(x, 0.5)]
            return self.active(x) * pt.concatenate(parts, axis=1)
        return x

    def scaled(self, X: Tensor, lengthscale: Tensor, norm: int = 2) -> Tensor:
        """X (n, D) in the coordinates (n, E) of `along`, each column's divided by its lengthscale (D,)."""
        return self._by_column(X, lengthscale, lambda j: self.along(X, j, norm))

    def scaled_slopes(self, X: Tensor, directions: Tensor, lengthscale: Tensor) -> Tensor:
        """Derivatives (n, E) of `scaled` at X (n, D), each along a direction (D,) of its own; none along choices."""

        def along(j: int) -> Tensor:
            if j not in self.conditional or j in dict(self.choices):
                return pt.zeros_like(self.along(X, j))
            x = X[:, [j]]
            return directions[:, [j]] * self.active(x) * pt.concatenate([pt.cos(x), -pt.sin(x)], axis=1)

        return self._by_column(directions, lengthscale, along)

    def _by_column(self, values: Tensor, lengthscale: Tensor, along: Callable[[int], Tensor]) -> Tensor:
        """Columns over their lengthscales (D,): plain ones of (n, D), then what ``along`` makes of the others."""
        plain = list(self.plain)
        if len(plain) == self.dimension:
            return values / lengthscale
        blocks = [values[:, plain] / lengthscale[plain]] if plain else []
        special = (j for j in range(self.dimension) if j not in plain)
        return pt.concatenate([*blocks, *(along(j) / lengthscale[j] for j in special)], axis=1)


def _is_line(scale: Scale) -> bool:
    return scale is not None and len(scale) == 3 and isinstance(scale[2], bool)
