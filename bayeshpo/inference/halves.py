"""Populations that move one half at a time, on what the other half shows."""

from __future__ import annotations

import numpy as np


def halves(draws: int, rng: np.random.Generator) -> tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """Which of an island's draws move and which rest, at random, and then the other way round."""
    order = rng.permutation(draws)
    one, other = order[: draws // 2], order[draws // 2 :]
    return (one, other), (other, one)
