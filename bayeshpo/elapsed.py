"""How long trials took by the clock, those that were evaluated at once counted once."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def elapsed(
    indices: Sequence[int],
    told: Sequence[int | None],
    proposing: Sequence[float] | np.ndarray,
    evaluating: Sequence[float] | np.ndarray,
) -> np.ndarray:
    """Seconds from the first proposal until each trial was told (n,).

    The searcher proposes one trial after another, each as soon as those were told that it knew of; its evaluation
    begins at once. Where none was pending at a proposal, these are the sums of all seconds. Overheads and interruptions
    are left out, and seconds that a problem only states are counted as if they had passed.

    Parameters
    ----------
    indices, told
        Of each trial in the order of telling: its number in the order of proposing, and how many trials had been told
        then; None where that was all before it.
    proposing, evaluating
        What each took (seconds).
    """
    if all(known is None for known in told):
        return np.cumsum(np.array(proposing, dtype=float) + np.array(evaluating, dtype=float))
    ended = np.zeros(len(indices))
    clock, free, counted = 0.0, 0.0, 0
    for place in np.argsort(indices, kind="stable"):
        known = told[place]
        for earlier in range(counted, min(indices[place] if known is None else known, len(indices))):
            clock, counted = max(clock, ended[earlier]), earlier + 1
        free = max(free, clock) + proposing[place]
        ended[place] = free + evaluating[place]
    return np.maximum.accumulate(ended)
