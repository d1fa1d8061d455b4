"""What several files of tests share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

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
