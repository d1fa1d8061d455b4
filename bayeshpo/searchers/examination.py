"""A close look at one fit and at the decision that was made from it: what costs too much for every fit."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import numpy as np

from bayeshpo.history import History
from bayeshpo.maximizers import Maximizer, Maximum
from bayeshpo.randomness import Streams
from bayeshpo.searchers.base import next_index
from bayeshpo.searchers.beliefs import Beliefs, best_points
from bayeshpo.searchers.objectives import AcquisitionOverDraws
from bayeshpo.space import distance

if TYPE_CHECKING:
    from bayeshpo.inference.posterior import Posterior

# Draws of the hyperparameters that decide each by itself.
_DRAWS = 128
_PROBABILITIES = (0.05, 0.5, 0.95)


def examination(
    known: Beliefs, maximizer: Maximizer, history: History, taken: np.ndarray, maximum: Maximum, rng: Streams
) -> dict[str, Any]:
    """Entries of a row of inference; those that a surrogate or an aim has no answer to are left out.

    PSIS-LOO, sensitivity to prior and likelihood, how single draws and a point estimate would have decided, how much of
    what is not known of the proposal is the hyperparameters', where the optimum may be and how far away the
    recommendation is from it.

    Parameters
    ----------
    known, maximizer
        The beliefs that the proposal came from, and the inner search.
    history, taken
        The trials, and tried and pending points (n, D).
    maximum
        What was proposed.
    rng
        The study's streams.
    """
    start = time.perf_counter()
    posterior = known.posterior(history, rng)
    row: dict[str, Any] = _left_out(posterior) | _sensitivity(posterior)
    if known.objectives(history, rng).report.status != "failed":
        objective = known.objective(history, rng)
        row |= _decision(objective, taken, maximum.x)
        # Of a mixture, or of several objectives, there is no one point of highest density.
        if not history.aims.objectives and len(posterior.parts) == 1:
            row |= _by_point_estimate(objective, maximizer, history, taken, maximum.x, rng)
    if not history.aims.objectives:
        row |= _share(posterior, maximum.x) | _remaining(known, history, rng)
    return row | {"seconds_examine": time.perf_counter() - start}


def _left_out(posterior: Posterior) -> dict[str, Any]:
    from bayeshpo.errors import SpecificationError
    from bayeshpo.inference.limits import khat_limit
    from bayeshpo.inference.stacked import left_out

    try:
        found = left_out(posterior)
    except SpecificationError:
        return {}
    in_units = found.log_density - np.log(posterior.data.scale)
    return {
        "loo_elpd": float(in_units.sum()),
        "loo_se": float(np.sqrt(len(in_units)) * in_units.std()),
        "loo_khat_max": float(found.khat.max()),
        "loo_bad_share": float(np.mean(found.khat > khat_limit(min(part.size for part in posterior.parts)))),
    }


def _sensitivity(posterior: Posterior) -> dict[str, Any]:
    from bayeshpo.inference.sensitivity import log_components, of_members, sensitivity
    from bayeshpo.inference.stacked_posterior import StackedPosterior
    from bayeshpo.searchers.objectives import CHOICE_DRAWS

    if any(part.size < _DRAWS for part in posterior.parts):
        return {}
    if isinstance(posterior, StackedPosterior):
        return of_members(posterior, CHOICE_DRAWS)
    Q = posterior.thinned(CHOICE_DRAWS)
    return sensitivity(posterior, Q, log_components(posterior, Q))


def _decision(objective: AcquisitionOverDraws, taken: np.ndarray, x: np.ndarray) -> dict[str, Any]:
    """How far from each other single draws would go, and how far another prior or likelihood would.

    Among the candidates of the pool that are not taken, and what was proposed. A draw is of all that the acquisition is
    of: of several objectives one of each.
    """
    from bayeshpo.inference.sensitivity import COMPONENTS, FAR, under_powers

    pool, Q = objective.evidence.pool, objective.posterior.thinned(_DRAWS)
    if pool is None or len(Q) < _DRAWS:
        return {}
    Z = np.concatenate([x[None], pool[~(pool[:, None, :] == taken).all(axis=2).any(axis=1)]])
    state, powers = objective.compiled.state(Q, objective.evidence), under_powers(objective.posterior, Q, FAR)
    equal = np.full((1, len(Q)), 1.0 / len(Q))
    scaled = np.concatenate([powers[name] for name in COMPONENTS])
    values = objective.compiled.under(state, Z, np.concatenate([equal, scaled, np.eye(len(Q))]))
    best = Z[np.argmax(np.where(np.isfinite(values), values, -np.inf), axis=1)]
    moved = distance(best[1 : 1 + len(scaled)], best[0]).reshape(len(COMPONENTS), len(FAR)).max(axis=1)
    shifts = {f"decision_{name}_shift": float(by) for name, by in zip(COMPONENTS, moved, strict=True)}
    spread = distance(best[1 + len(scaled) :], x)
    return shifts | {"argmax_spread": float(np.sqrt(np.mean(spread**2)))}


def _by_point_estimate(
    objective: AcquisitionOverDraws, maximizer: Maximizer, history: History, taken: np.ndarray, x: np.ndarray,
    rng: Streams,
) -> dict[str, Any]:  # fmt: skip
    """How far from the proposal the same search goes with the hyperparameters of highest density alone.

    And what that costs: the acquisition here less that there, under all draws.
    """
    from bayeshpo.inference.map import MAP

    index, posterior = next_index(history), objective.posterior
    point = MAP().fit(posterior.density, posterior.data, rng=rng.generator("point estimate", index))
    if point.report.status == "failed":
        return {}
    alone = AcquisitionOverDraws(objective.compiled, point, objective.evidence)
    found = maximizer(alone, history.space, taken, best_points(history), rng.generator("acquisition", index))
    values, _ = objective.careful(np.stack([x, found.x]))
    return {"point_distance": float(distance(x, found.x)), "point_loss": float(values[0] - values[1])}


def _share(posterior: Posterior, x: np.ndarray) -> dict[str, Any]:
    """Of the predictive variance at the proposal (D,), the part that is the hyperparameters'."""
    from bayeshpo.acquisitions.decomposition import moments
    from bayeshpo.inference.predictive import predictive
    from bayeshpo.searchers.objectives import CHOICE_DRAWS

    said = moments(predictive(posterior.density), posterior.thinned(CHOICE_DRAWS), posterior.data, x[None])
    return {"hyperparameter_share": float(said.share[0])}


def _remaining(known: Beliefs, history: History, rng: Streams) -> dict[str, Any]:
    """Where the optimum may be, and the regret of the recommendation, in the problem's units."""
    found = known.remaining(history, rng)
    if found is None:
        return {}
    return {
        "optimum_entropy": found.entropy,
        "regret_expected": float(found.regret.mean()),
        "regret_quantiles": np.quantile(found.regret, _PROBABILITIES).tolist(),
    }
