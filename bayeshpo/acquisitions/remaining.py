"""What is left to be gained: where the minimum may be, and how far a recommendation is from it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bayeshpo.acquisitions.outlook import Outlook
from bayeshpo.inference.predictive import Predictive


@dataclass(frozen=True, eq=False)
class Remaining:
    """Functions drawn from the posterior, each with its minimum among the points that it may be at.

    Of a finite set of points: in many dimensions there may be none near a function's minimum, so that the regret
    is too small.

    Attributes
    ----------
    place, value
        Where each function is lowest (R, D), and how low (R,).
    regret
        f at the recommendation less the minimum (R,).
    """

    place: np.ndarray
    value: np.ndarray
    regret: np.ndarray


def remaining(predictive: Predictive, outlook: Outlook, recommended: np.ndarray, count: int) -> Remaining:
    """Draw ``count`` functions under each draw of the hyperparameters, for a recommended point (D,).

    The outlook is of the predictive's `normal`: of functions that are normal, of which f rises.
    """
    candidates = outlook.may_be_lowest
    points = np.concatenate([candidates, np.tile(recommended, (len(candidates), 1, 1))], axis=1)
    paths = outlook.anchored(points).paths(count, outlook.rng)
    # Where it is among the candidates, jitter would tell it from itself.
    itself = (points == recommended).all(axis=2)[:, None, :]
    paths = np.where(itself, paths[:, :, -1:], paths)
    place = np.take_along_axis(points, paths.argmin(axis=2)[:, :, None], axis=1)
    lowest, at_recommended = (predictive.of_normal(outlook.draws, h) for h in (paths.min(axis=2), paths[:, :, -1]))
    return Remaining(place.reshape(-1, place.shape[2]), lowest.ravel(), (at_recommended - lowest).ravel())
