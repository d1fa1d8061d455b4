"""What several files of tests share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from simulated_clock import Simulated, drawn_seconds

from bayeshpo import evaluators
from bayeshpo.trial import Suggestion


@pytest.fixture
def on_a_clock(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Simulated]:
    def make(seconds: Callable[[Suggestion], float] = drawn_seconds, *rest: Any) -> Simulated:
        executor = Simulated(seconds, *rest)
        monkeypatch.setattr(evaluators, "wait", executor.wait)
        return executor

    return make


@pytest.fixture(scope="session")
def line():
    """A Gaussian process of known hyperparameters on a line, compiled: copies of its one draw, and six trials."""
    from functions_on_a_line import line_with_trials

    return line_with_trials()


@pytest.fixture(scope="session")
def truth():
    """Mean (25,) and covariance (25, 25) of that process on its grid, in numpy."""
    from functions_on_a_line import KNOWN, conditional

    return conditional(KNOWN)


@pytest.fixture(scope="session")
def functions(truth):
    """Many of its functions on the grid (N, 25)."""
    return np.random.default_rng(0).multivariate_normal(*truth, size=100_000, check_valid="ignore")
