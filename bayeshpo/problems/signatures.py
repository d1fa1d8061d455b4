"""Signatures: a problem's values at fixed probe points, so that a changed problem is noticed.

    uv run python -m bayeshpo.problems.signatures

makes those of all suites anew, in ``signatures.json`` beside this file: a line each, whose differences show what a
change of a problem, or of a library that it uses, has done.
"""

from __future__ import annotations

import json
import math
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from bayeshpo.problem import Problem, TrueValue, evaluate

FILE = Path(__file__).with_name("signatures.json")
_PROBES = 4
# Other processors and libraries round otherwise; a changed problem differs by more.
_RELATIVE, _ABSOLUTE = 1e-6, 1e-9

Signature = list[float | None]


def signature(problem: Problem) -> Signature:
    """Values at four configurations drawn from the space with a fixed seed; None where an evaluation fails."""
    X = problem.space.sample(_PROBES, np.random.default_rng(0))
    points = enumerate(problem.space.decode(X))
    return [evaluate(problem, c, rng=np.random.default_rng([i])).value for i, c in points]


def change(identity: str, problem: Problem) -> str | None:
    """How a problem differs from its committed signature, in words; None if it does not, or has none.

    Parameters
    ----------
    identity
        What defines it, by `bayeshpo.problems.build.identity`.
    problem
        The problem itself.
    """
    expected = _committed().get(identity)
    if expected is None:
        return None
    for i, (was, now) in enumerate(zip(expected, signature(problem), strict=True), 1):
        if not _same(was, now):
            return f"expected {_shown(was)} at probe point {i}, got {_shown(now)}"
    return None


def cheap_change(identity: str, problem: Problem) -> str | None:
    """As `change`, for problems that cost no more than a look-up; None for others, whose runs must not wait for it."""
    return change(identity, problem) if isinstance(problem, TrueValue) else None


def _same(was: float | None, now: float | None) -> bool:
    if was is None or now is None:
        return was is now
    return math.isclose(was, now, rel_tol=_RELATIVE, abs_tol=_ABSOLUTE)


def _shown(value: float | None) -> str:
    return "a failure" if value is None else f"{value:.9g}"


@cache
def _committed() -> dict[str, Signature]:
    return json.loads(FILE.read_text(encoding="utf-8"))


def main() -> None:
    """Write the file."""
    from bayeshpo.problems.build import identity
    from bayeshpo.registry import SUITES, load

    found: dict[str, Any] = {}
    for name in SUITES:
        suite = load("suite", name)
        for label in suite:
            key = identity(*suite.parts(label))
            if key not in found:
                found[key] = signature(suite[label])
    lines = [f"{json.dumps(key)}: {json.dumps(values)}" for key, values in sorted(found.items())]
    FILE.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")
    print(f"{FILE}: {len(found)} problems")


if __name__ == "__main__":
    main()
