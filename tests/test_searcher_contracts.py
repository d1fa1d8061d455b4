"""Every registered searcher keeps what searchers promise, on the spaces that it takes."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from bayeshpo.registry import SEARCHERS, create
from bayeshpo.testing import check_searcher

ALL = ("continuous", "mixed", "conditional", "finite")
TINY = [sys.executable, str(Path(__file__).parent / "tiny_peer.py")]
# Registered name, arguments, spaces that it works on.
QUICK: list[tuple[str, dict[str, Any], tuple[str, ...]]] = [
    ("random", {}, ALL),
    ("sobol", {}, ALL),
    ("grid", {}, ("finite",)),
    ("finite_difference", {}, ("continuous",)),
    ("hypergradient", {}, ("continuous",)),
    ("successive_halving", {}, ALL),
    ("sklearn_random", {}, ("continuous", "mixed", "finite")),
    ("sklearn_grid", {}, ("finite",)),
    ("optuna", {"options": {"n_startup_trials": 4}}, ("continuous", "mixed", "finite")),
    ("optuna", {"sampler": "cmaes"}, ("continuous", "mixed", "finite")),
    ("external", {"command": TINY}, ("continuous", "mixed", "finite")),
]
SLOW: list[tuple[str, dict[str, Any], tuple[str, ...]]] = [
    ("smac", {"n_trials": 16}, ALL),
    ("smac", {"n_trials": 16, "facade": "blackbox"}, ALL),
    ("bayesian", {"n_initial": 4}, ALL),
]


@pytest.mark.parametrize(("name", "arguments", "spaces"), QUICK, ids=lambda v: v if isinstance(v, str) else "")
def test_searcher_keeps_its_promises(name: str, arguments: dict[str, Any], spaces: tuple[str, ...]) -> None:
    assert check_searcher(partial(create, "searcher", name, arguments)) == spaces


@pytest.mark.slow
@pytest.mark.parametrize(("name", "arguments", "spaces"), SLOW, ids=lambda v: v if isinstance(v, str) else "")
def test_slow_searcher_keeps_its_promises(name: str, arguments: dict[str, Any], spaces: tuple[str, ...]) -> None:
    assert check_searcher(partial(create, "searcher", name, arguments), trials=8) == spaces


def test_every_registered_searcher_is_tested() -> None:
    assert {name for name, _, _ in (*QUICK, *SLOW)} == set(SEARCHERS)
