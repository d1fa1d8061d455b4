"""Several losses at a time: which points are not dominated, and the volume that they leave to be won."""

from __future__ import annotations

import numpy as np


def non_dominated(losses: np.ndarray) -> np.ndarray:
    """Which rows of losses (n, K) no other row is better than in one loss and at least as good in all (n,)."""
    better = (losses[:, None] <= losses[None]).all(axis=2) & (losses[:, None] < losses[None]).any(axis=2)
    return ~better.any(axis=0)


def lowest(losses: np.ndarray, equal: float) -> list[int]:
    """Which of losses (n,) is lowest, the first of those that are equal but for so much.

    Of losses (n, K) all rows that are not dominated, in order of the first loss.
    """
    if losses.ndim == 1:
        return [int(np.argmax(losses <= losses.min() + equal))]
    front = np.flatnonzero(non_dominated(losses))
    return front[np.argsort(losses[front, 0], kind="stable")].tolist()


def reference_point(losses: np.ndarray) -> np.ndarray:
    """Losses (K,) a tenth of the front's range worse than its worst ones; of a front of one point, of all rows' range.

    As Ishibuchi et al. 2011 have it, for want of one that is given.
    """
    front = losses[non_dominated(losses)]
    ideal, nadir = front.min(axis=0), front.max(axis=0)
    spread = np.where(nadir > ideal, nadir - ideal, np.ptp(losses, axis=0))
    return nadir + 0.1 * np.where(spread > 0.0, spread, 1.0)


def boxes(losses: np.ndarray, reference: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Disjoint boxes (J, K), lower and upper corners, of what is better than the reference and not dominated; K >= 2.

    Along the last loss the boxes of the other losses change where a point is passed: from there on it leaves less. One
    that stays is one box, so that of three losses there are at most 2 n + 1.
    """
    losses = losses[(losses < reference).all(axis=1)]
    if losses.shape[1] == 2:
        return _strips(losses, reference)
    losses = losses[np.argsort(losses[:, -1], kind="stable")]
    begun: dict[tuple[float, ...], float] = {}
    found: list[tuple[tuple[float, ...], float, float]] = []
    for i, edge in enumerate([-np.inf, *losses[:, -1]]):
        corners = np.concatenate(boxes(losses[:i, :-1], reference[:-1]), axis=1)
        now = dict.fromkeys(map(tuple, corners.tolist()), float(edge))
        found += [(box, low, float(edge)) for box, low in begun.items() if box not in now]
        begun = {box: begun.get(box, low) for box, low in now.items()}
    found += [(box, low, float(reference[-1])) for box, low in begun.items()]
    rows = np.array([(*box[: len(reference) - 1], low, *box[len(reference) - 1 :], high) for box, low, high in found])
    tall = rows[:, len(reference) - 1] < rows[:, -1]
    return rows[tall, : len(reference)], rows[tall, len(reference) :]


def _strips(losses: np.ndarray, reference: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Of two losses: between successive values of the first one, below the least second one so far."""
    losses = losses[np.lexsort((losses[:, 1], losses[:, 0]))]
    least = np.minimum.accumulate(np.concatenate([reference[1:], losses[:, 1]]))
    steps = losses[losses[:, 1] < least[:-1]]
    edges = np.concatenate([[-np.inf], steps[:, 0], reference[:1]])
    heights = np.concatenate([reference[1:], steps[:, 1]])
    below = np.full(len(heights), -np.inf)
    return np.column_stack([edges[:-1], below]), np.column_stack([edges[1:], heights])


def hypervolume(losses: np.ndarray, reference: np.ndarray) -> float:
    """Volume of what is dominated by rows of losses (n, K) and better than the reference (K,)."""
    inside = losses[(losses < reference).all(axis=1)]
    if len(inside) == 0:
        return 0.0
    ideal = inside.min(axis=0)
    lower, upper = (np.maximum(corner, ideal) for corner in boxes(inside, reference))
    return float(np.prod(reference - ideal) - np.prod(upper - lower, axis=1).sum())
