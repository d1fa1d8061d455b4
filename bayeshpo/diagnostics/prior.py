"""What a surrogate believes of a problem before its first trial: functions drawn from the prior, along each number.

Prior predictive checks (Gabry et al. 2019) of the latent function: draws that look like no performance surface that one
has ever seen speak against the priors, whatever the data will say.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from bayeshpo.encoding import Encoding
from bayeshpo.errors import SpecificationError
from bayeshpo.space import SearchSpace
from bayeshpo.surrogates.base import Surrogate
from bayeshpo.surrogates.columns import Columns

DRAWS = 1000
# Draws that are shown one by one.
_SHOWN = 8
# Points along a hyperparameter, and hyperparameters that are looked at.
_POSITIONS = 61
MOST = 6
# Points among which one is looked for where a conditional hyperparameter is active.
_SAMPLES = 500


@dataclass(frozen=True, eq=False)
class PriorProfile:
    """Functions from the prior along one hyperparameter, the others at the centre of the space.

    Attributes
    ----------
    hyperparameter, logarithmic
        Its name, and whether it is on a log scale.
    values
        In its own unit (P,), rising.
    f
        Draws of the latent function (S, P), standardised losses; row s is of the same function in all profiles.
    """

    hyperparameter: str
    logarithmic: bool
    values: np.ndarray
    f: np.ndarray

    def interval(self, probability: float) -> np.ndarray:
        """Limits (2, P) that hold the central share of the draws at each value."""
        return np.quantile(self.f, [(1.0 - probability) / 2.0, (1.0 + probability) / 2.0], axis=0)

    def to_record(self) -> dict[str, Any]:
        """What a figure shows of it, as JSON values: eight draws, and the 50 % and 90 % intervals."""
        return {
            "hyperparameter": self.hyperparameter,
            "logarithmic": self.logarithmic,
            "values": self.values.tolist(),
            "draws": self.f[:_SHOWN].tolist(),
            "50 %": self.interval(0.5).tolist(),
            "90 %": self.interval(0.9).tolist(),
        }


def prior_profiles(surrogate: Surrogate, space: SearchSpace, rng: np.random.Generator) -> list[PriorProfile]:
    """Profiles along the first six numbers (floats and integers) of a space, 1000 joint draws.

    Raises
    ------
    SpecificationError
        If the surrogate refuses the space, or there is no number in it.
    """
    columns = Columns.of(space)
    surrogate.check(columns)
    if not (numbers := _numbers(space)[:MOST]):
        raise SpecificationError(f"expected a space with a float or an integer, got {', '.join(space.names)}")
    lines = [_line(space, j, rng) for j in numbers]
    _, f = surrogate.prior_functions(columns, np.concatenate([Z for Z, _ in lines]), DRAWS, rng)
    parts = np.split(f, np.cumsum([len(Z) for Z, _ in lines])[:-1], axis=1)
    return [
        PriorProfile(space.names[j], _is_logarithmic(space.encodings[j]), values, part)
        for j, (_, values), part in zip(numbers, lines, parts, strict=True)
    ]


def prior_record(surrogate: Surrogate, space: SearchSpace, rng: np.random.Generator) -> dict[str, Any]:
    """The profiles as JSON values, with how many draws they are of and how many numbers the space has."""
    profiles = [profile.to_record() for profile in prior_profiles(surrogate, space, rng)]
    return {"draws": DRAWS, "numbers": len(_numbers(space)), "profiles": profiles}


def _numbers(space: SearchSpace) -> list[int]:
    """Columns of floats and integers."""
    return [j for j, encoding in enumerate(space.encodings) if encoding.kind in ("continuous", "integer")]


def _line(space: SearchSpace, j: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Points (P, D) along column j, and their values (P,) of it, each value once.

    They go through the point nearest to the centre where that hyperparameter is active.
    """
    points = np.concatenate([space.snap(np.full((1, space.dimension), 0.5)), space.sample(_SAMPLES, rng)])
    inactive, distance = ~space.active(points)[:, j], np.abs(points - 0.5).sum(axis=1)
    encoding = space.encodings[j]
    positions = np.unique(encoding.snap(np.linspace(0.0, 1.0, _POSITIONS)))
    Z = np.tile(points[np.lexsort((distance, inactive))[0]], (len(positions), 1))
    Z[:, j] = positions
    return space.snap(Z), encoding.decode(positions).astype(float)


def _is_logarithmic(encoding: Encoding) -> bool:
    line = encoding.line()
    return line is not None and line[2]
