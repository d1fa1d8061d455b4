"""The map of an outcome warping: a rising cubic, with its inverse and the moments of a normal variable under it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from bayeshpo.surrogates.symbolic import pt


@dataclass(frozen=True)
class CubicMap:
    """w(h) = lowest + g(h + c),  g(u) = (u + bend u^3) / (1 + bend),  with c = g^-1(-lowest), so that w(0) = 0.

    Parameters
    ----------
    lowest
        Where w is least steep: expressions or numbers, as is bend.
    bend
        Positive; towards 0 w(h) is h.
    math
        Of which functions are taken: PyTensor's, or numpy's for numbers.
    """

    lowest: Any
    bend: Any
    math: Any = pt

    def __call__(self, h: Any) -> Any:
        """w(h)."""
        u = h + self._shift
        return self.lowest + (u + self.bend * u**3) / (1.0 + self.bend)

    def inverse(self, y: Any) -> Any:
        """h with w(h) = y."""
        return self._root(y - self.lowest) - self._shift

    def log_slope(self, h: Any) -> Any:
        """log w'(h)."""
        return self.math.log((1.0 + 3.0 * self.bend * (h + self._shift) ** 2) / (1.0 + self.bend))

    def moments(self, m: Any, s: Any) -> tuple[Any, Any]:
        """Mean and variance of w(h) for a normal h of mean m and variance s.

        With u = h + c, of mean m: E u^3 = m^3 + 3 m s, Var u^3 = 9 m^4 s + 36 m^2 s^2 + 15 s^3 and
        Cov(u, u^3) = 3 m^2 s + 3 s^2.
        """
        m, bend = m + self._shift, self.bend
        mean = self.lowest + m * (1.0 + bend * (m**2 + 3.0 * s)) / (1.0 + bend)
        of_cube = 9.0 * m**4 + 36.0 * m**2 * s + 15.0 * s**2
        return mean, s * (1.0 + 6.0 * bend * (m**2 + s) + bend**2 * of_cube) / (1.0 + bend) ** 2

    def mean_derivatives(self, m: Any, s: Any) -> Any:
        """Means (3, m) of the three derivatives of w at normal h of means m and variances s (m,)."""
        m, third = m + self._shift, 6.0 * self.bend * self.math.ones_like(m)
        return self.math.stack([1.0 + 3.0 * self.bend * (m**2 + s), third * m, third]) / (1.0 + self.bend)

    @property
    def _shift(self) -> Any:
        return self._root(-self.lowest)

    def _root(self, v: Any) -> Any:
        """u with g(u) = v: the real root of the cubic, by hyperbolic functions."""
        root = self.math.sqrt(3.0 * self.bend)
        return 2.0 / root * self.math.sinh(self.math.arcsinh(1.5 * root * (1.0 + self.bend) * v) / 3.0)
