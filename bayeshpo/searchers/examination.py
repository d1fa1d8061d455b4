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
from bayeshpo.space import INACTIVE, SearchSpace, distance

if TYPE_CHECKING:
    from bayeshpo.inference.posterior import Posterior

# Draws of the hyperparameters that decide each by itself.
_DRAWS = 128
_PROBABILITIES = (0.05, 0.5, 0.95)
# Intervals of a hyperparameter's positions that an entropy tells apart.
_INTERVALS = 20


def examination(
    known: Beliefs, maximizer: Maximizer, history: History, taken: np.ndarray, maximum: Maximum, rng: Streams
) -> dict[str, Any]:
    """Entries of a row of inference; those that a surrogate or an aim has no answer to are left out.

    PSIS-LOO, sensitivity to prior and likelihood, how single draws, halves of them and a point estimate would have
    decided, how much of what is not known of the proposal is the hyperparameters', where the optimum may be and how far
    away the recommendation is from it.

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
        row |= _by_halves(objective, maximizer, history, taken, rng)
        # Of a mixture, or of several objectives, there is no one point of highest density.
        if not history.aims.objectives and len(posterior.parts) == 1:
            row |= _by_point_estimate(objective, maximizer, history, taken, maximum.x, rng)
    if not history.aims.objectives:
        row |= _share(posterior, maximum.x) | _remaining(known, history, rng)
    return row | {"seconds_examine": time.perf_counter() - start}


def _left_out(posterior: Posterior) -> dict[str, Any]:
    from bayeshpo.errors import SpecificationError
    from bayeshpo.inference.stacked import left_out, untrusted

    try:
        found = left_out(posterior)
    except SpecificationError:
        return {}
    in_units = found.log_density - np.log(posterior.data.scale)
    row = {"loo_elpd": float(in_units.sum()), "loo_se": float(np.sqrt(len(in_units)) * in_units.std())}
    bad = untrusted(found, posterior)
    return row if bad is None else row | {"loo_khat_max": float(found.khat.max()), "loo_bad_share": bad}


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

    And how far apart the two halves of the draws are, as many draws of each: a shift that is no larger is Monte Carlo
    error. Among the candidates of the pool that are not taken, and what was proposed. A draw is of all that the
    acquisition is of: of several objectives one of each.
    """
    from bayeshpo.inference.sensitivity import COMPONENTS, FAR, under_powers

    pool, Q = objective.evidence.pool, objective.posterior.thinned(_DRAWS)
    if pool is None or len(Q) < _DRAWS:
        return {}
    Z = np.concatenate([x[None], pool[~(pool[:, None, :] == taken).all(axis=2).any(axis=1)]])
    state, powers = objective.compiled.state(Q, objective.evidence), under_powers(objective.posterior, Q, FAR)
    equal = np.full((1, len(Q)), 1.0 / len(Q))
    scaled = np.concatenate([powers[name] for name in COMPONENTS])

    def best(state: Any, weights: np.ndarray) -> np.ndarray:
        values = objective.compiled.under(state, Z, weights)
        return Z[np.argmax(np.where(np.isfinite(values), values, -np.inf), axis=1)]

    chosen = best(state, np.concatenate([equal, scaled, np.eye(len(Q))]))
    moved = distance(chosen[1 : 1 + len(scaled)], chosen[0]).reshape(len(COMPONENTS), len(FAR)).max(axis=1)
    shifts = {f"decision_{name}_shift": float(by) for name, by in zip(COMPONENTS, moved, strict=True)}
    draws = [half.thinned(_DRAWS) for half in objective.posterior.halves]
    one, other = (
        best(objective.compiled.state(q, objective.evidence), np.full((1, len(q)), 1 / len(q))) for q in draws
    )
    spread = distance(chosen[1 + len(scaled) :], x)
    return shifts | {
        "decision_halves_shift": float(distance(one, other)[0]),
        "argmax_spread": float(np.sqrt(np.mean(spread**2))),
    }


def _by_halves(
    objective: AcquisitionOverDraws, maximizer: Maximizer, history: History, taken: np.ndarray, rng: Streams
) -> dict[str, Any]:
    """How far apart the same search goes with one half of the draws and with the other, and what the worse one loses.

    What distances between decisions are judged against: two halves differ by Monte Carlo error alone.
    """
    if len(objective.posterior.thinned(2 * _DRAWS)) < 2 * _DRAWS:
        return {}
    found = [_elsewhere(objective, half, maximizer, history, taken, rng) for half in objective.posterior.halves]
    values, _ = objective.careful(np.stack(found))
    return {"halves_distance": float(distance(*found)), "halves_loss": float(np.ptp(values))}


def _by_point_estimate(
    objective: AcquisitionOverDraws, maximizer: Maximizer, history: History, taken: np.ndarray, x: np.ndarray,
    rng: Streams,
) -> dict[str, Any]:  # fmt: skip
    """How far from the proposal the same search goes with the hyperparameters of highest density alone.

    And what that costs: the acquisition here less that there, under all draws.
    """
    from bayeshpo.inference.map import MAP

    posterior = objective.posterior
    point = MAP().fit(posterior.density, posterior.data, rng=rng.generator("point estimate", next_index(history)))
    if point.report.status == "failed":
        return {}
    found = _elsewhere(objective, point, maximizer, history, taken, rng)
    values, _ = objective.careful(np.stack([x, found]))
    return {"point_distance": float(distance(x, found)), "point_loss": float(values[0] - values[1])}


def _elsewhere(
    objective: AcquisitionOverDraws, posterior: Posterior, maximizer: Maximizer, history: History, taken: np.ndarray,
    rng: Streams,
) -> np.ndarray:  # fmt: skip
    """Where (D,) the search that made the proposal goes with other draws of the hyperparameters."""
    alone = AcquisitionOverDraws(objective.compiled, posterior, objective.evidence)
    search = rng.generator("acquisition", next_index(history))
    return maximizer(alone, history.space, taken, best_points(history), search).x


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
        "optimum_entropy": _entropy(found.place, history.space, rng.generator("anywhere", next_index(history))),
        "optimum_place": _place(found.place, history.space),
        "regret_expected": float(found.regret.mean()),
        "regret_quantiles": np.quantile(found.regret, _PROBABILITIES).tolist(),
    }


def _entropy(points: np.ndarray, space: SearchSpace, rng: np.random.Generator) -> float:
    """How little is known of where points (R, D) are: 0 if they are all at one place, 1 if they may be anywhere.

    Entropies of their positions by each hyperparameter, in twentieths of the unit interval and where it is inactive, in
    units of those of points from all of the space. Not of the candidates that they are chosen from: there are more of
    these near good trials, so that a place that is known well would seem to be one of many.
    """
    own, anywhere = (sum(map(_of_intervals, places.T)) for places in (points, space.sample(len(points), rng)))
    return min(float(own / anywhere), 1.0) if anywhere > 0.0 else 0.0


def _of_intervals(at: np.ndarray) -> float:
    """Entropy (nats) of positions (R,), inactive ones in an interval of their own."""
    interval = np.where(at == INACTIVE, -1, np.minimum(np.floor(_INTERVALS * at), _INTERVALS - 1))
    _, times = np.unique(interval, return_counts=True)
    share = times / times.sum()
    return float(-np.sum(share * np.log(share)))


def _place(points: np.ndarray, space: SearchSpace) -> dict[str, list[float]]:
    """Quantiles of the positions of points (R, D), by hyperparameter, over those where it is active.

    Unordered choices have none, nor has what is active nowhere.
    """
    ordered = [(name, points[:, j]) for j, name in enumerate(space.names) if not space.categorical[j]]
    active = ((name, at[at != INACTIVE]) for name, at in ordered)
    return {name: np.quantile(at, _PROBABILITIES).tolist() for name, at in active if len(at)}
