"""The true effective sample size: how far posterior means of whole, repeated inferences are from a long reference.

The trials are those of one recorded study. Every repetition carries the posterior through all of them with random
numbers of its own. True ESS = posterior variance / mean squared error of the repetitions' means (bias counts).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from arviz_stats.base.array import array_stats
from histories import N_INITIAL, NAME, prefix, recorded, warm_up
from peer import Peer
from plan import truth_points
from records import Cell, Records
from reference import effective, reference
from scipy.stats import norm

from bayeshpo.acquisitions.compiled import compiled_acquisition
from bayeshpo.acquisitions.feasibility import Feasibility
from bayeshpo.acquisitions.log_ei import LogExpectedImprovement
from bayeshpo.acquisitions.outlook import Evidence
from bayeshpo.history import History
from bayeshpo.inference.density import LogDensity, log_density
from bayeshpo.inference.posterior import Posterior, resample
from bayeshpo.inference.predictive import predictive
from bayeshpo.inference.report import checked
from bayeshpo.randomness import Streams
from bayeshpo.registry import create
from bayeshpo.searchers.objectives import CHOICE_DRAWS
from bayeshpo.surrogates.base import TrainingData
from bayeshpo.surrogates.columns import Columns

# Draws of the reference on which the acquisition is averaged.
_ACQUISITION_DRAWS = 20_000


def measure(cell: Cell, records: Records, peer: Peer) -> dict[str, Any]:
    """A reference at one number of trials, one repetition of the whole study's inference, or one fit of BoTorch."""
    quick = cell.get("trials", cell.get("n", 0)) <= truth_points(True)[-1]
    last = truth_points(quick)[-1]
    history = recorded(records, {"seed": 0, "trials": last})
    if cell["kind"] == "peer":
        answer = peer.ask("fully_bayesian", prefix(history, cell["n"]), cell["seed"], maximise=False)
        return {"fit": answer["fit"], **_summary_of_peer(answer["draws"])}
    density = log_density(create("surrogate", "gp", {}), Columns.of(history.space))
    if cell["kind"] == "reference":
        return _reference(density, history, cell["n"], cell["draws"])
    return _repetition(density, history, cell["seed"], truth_points(quick))


def _reference(density: LogDensity, history: History, n: int, draws: int) -> dict[str, Any]:
    """Moments of posterior and acquisition; how far NUTS is from them, in standard errors of the difference."""
    data = TrainingData.of(prefix(history, n))
    posterior, nuts = reference(density, data, draws, np.random.default_rng(n))
    mean, variance, ess = effective(posterior)
    improvement = _improvement(posterior, history.X[n], _ACQUISITION_DRAWS)
    nuts_ess = array_stats.ess(nuts.unconstrained, chain_axis=0, draw_axis=1, method="mean")
    error = np.sqrt(variance / nuts_ess + variance / ess)
    # The draws that it is averaged over, and the weighted ones that these are a systematic resample of.
    improvement_ess = 1.0 / (1.0 / len(improvement) + 1.0 / ess.min())
    return {
        "names": [f"{b.name}[{i}]" if b.shape else b.name for b in density.blocks for i in range(b.stop - b.start)],
        "mean": mean.tolist(),
        "variance": variance.tolist(),
        "ess": ess.tolist(),
        "khat": posterior.report.khat,
        "nuts_largest_error": float(np.abs((nuts.draws.mean(axis=0) - mean) / error).max()),
        "acquisition": {
            "mean": float(improvement.mean()),
            "variance": float(improvement.var()),
            "ess": float(improvement_ess),
        },
    }


def _repetition(density: LogDensity, history: History, seed: int, points: tuple[int, ...]) -> dict[str, Any]:
    warm_up(history.space.dimension, "gp", "sequential")
    engine, streams = create("engine", "sequential", {}), Streams(NAME, seed + 1)
    posterior, seconds, kept = None, [], {}
    for n in range(N_INITIAL, points[-1] + 1):
        data = TrainingData.of(prefix(history, n))
        posterior = engine.fit(density, data, rng=streams.generator("inference", n), previous=posterior)
        seconds.append(posterior.report.seconds_sample)
        if n in points:
            kept[str(n)] = _summary(posterior, history.X[n])
    return {"seconds": seconds, "points": kept}


def _summary(posterior: Posterior, z: np.ndarray) -> dict[str, Any]:
    weights = None if posterior.log_weights is None else np.exp(posterior.log_weights.ravel())
    report, Q = posterior.report, posterior.unconstrained
    improvement = _improvement(posterior, z, CHOICE_DRAWS)
    return {
        "mean": np.average(posterior.draws, axis=0, weights=weights).tolist(),
        "reported": [_reported(posterior, j) for j in range(Q.shape[2])],
        "reported_min": report.ess_bulk_min,
        "action": report.action,
        "status": report.status,
        "acquisition": float(improvement.mean()),
        "acquisition_reported": _reported_for_acquisition(posterior, z, improvement),
    }


def _reported(posterior: Posterior, j: int) -> float | None:
    """What the report says of one hyperparameter: it is the least over those that it is given."""
    Q = posterior.unconstrained[:, :, [j]]
    if posterior.log_weights is not None:
        Q = resample(Q, posterior.log_weights)
    return checked(posterior.report, Q, {}).ess_bulk_min


def _improvement(posterior: Posterior, z: np.ndarray, draws: int) -> np.ndarray:
    """Expected improvement (S,) at a point z (D,) under each draw, written out anew (Mockus 1975)."""
    Z = np.concatenate([z[None], posterior.data.X])
    mean, variance = predictive(posterior.density).at(posterior, Z, draws)
    s = np.sqrt(variance[:, 0])
    t = (mean[:, 1:].min(axis=1) - mean[:, 0]) / s
    return s * (norm.pdf(t) + t * norm.cdf(t))


def _reported_for_acquisition(posterior: Posterior, z: np.ndarray, improvement: np.ndarray) -> float:
    """Effective draws behind the standard error that the searcher reports of the acquisition."""
    known = predictive(posterior.density)
    evidence = Evidence.of(known, posterior, np.empty((0, len(z))), CHOICE_DRAWS, Feasibility())
    compiled = compiled_acquisition(LogExpectedImprovement(), known)
    _, error, _ = compiled.over_all_draws(posterior.thinned(CHOICE_DRAWS), evidence, z[None])
    return float(improvement.var() / (improvement.mean() * error[0]) ** 2)


def _summary_of_peer(draws: dict[str, list]) -> dict[str, Any]:
    """Means and mean squares of the draws: logarithms of what is positive."""
    mean = np.array(draws["mean"])[:, None]
    Q = np.concatenate([mean, np.log(draws["lengthscale"]), np.log(draws["noise"])[:, None]], axis=1)
    return {"mean": Q.mean(axis=0).tolist(), "square": (Q**2).mean(axis=0).tolist(), "draws": len(Q)}
