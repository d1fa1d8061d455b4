"""Seconds per suggestion over a whole study, with the point estimate and BoTorch's models on the same histories.

All take turns, trial by trial, so that a slow moment of the machine meets each of them.
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np
from histories import N_INITIAL, NAME, keep, prefix, problem, searcher, warm_up
from peer import Peer
from probe import Probe
from records import Cell, Records

import bayeshpo
from bayeshpo.history import History
from bayeshpo.inference.predictive import predictive
from bayeshpo.searchers.objectives import CHOICE_DRAWS

DIMENSION = 6
# Point estimates are timed at every fifth number of trials, several times.
_POINT_EVERY, _POINT_TIMES = 5, 3
# BoTorch's full posterior at every thirtieth, shifted from study to study, so that three studies have every tenth.
_FULL_EVERY = 30
_PREDICT_EVERY, CANDIDATES = 10, 512


def measure(cell: Cell, records: Records, peer: Peer) -> dict[str, Any]:
    """Timings of every suggestion from the first fit to the last trial; then what the acquisition would propose."""
    for engine in ("sequential", "map"):
        warm_up(DIMENSION, "gp", engine)
    function, probe = problem(DIMENSION), Probe("sequential")
    study = bayeshpo.Study(function.space, searcher(inference=probe), seed=cell["seed"], name=NAME)
    timings: dict[str, list[dict[str, float]]] = {"full": [], "map": [], "peer_map": [], "peer_full": []}
    predicting: list[float] = []
    for n in range(cell["trials"] + 1):
        suggestion = study.ask()
        if n >= N_INITIAL:
            timings["full"].append({"n": n, **split(study, suggestion.seconds)})
            if n % _PREDICT_EVERY == 0:
                predicting.append(seconds_to_predict(probe))
            for name, timing in _others(prefix(study.history, n), cell, peer):
                timings[name].append({"n": n, **timing})
        study.tell(suggestion, function.evaluate(suggestion.configuration, rng=np.random.default_rng(0)))
    history_cell = {"seed": cell["seed"], "trials": cell["trials"]}
    if records.result("history", history_cell) is None:
        keep(records, history_cell, study.history)
    statuses = [(row["status"], row["action"]) for row in study.reports]
    return {"timings": timings, "predict": predicting, "statuses": statuses, "peer_versions": peer.versions}


def split(study: bayeshpo.Study, seconds: float) -> dict[str, float]:
    """Seconds of the last `ask`: fit, maximise and what is left of the whole, compilations apart."""
    report = study.reports[-1]
    fit, maximise = report["seconds_sample"], report["seconds_maximise"]
    return {"seconds": seconds, "fit": fit, "maximise": maximise, "rest": seconds - fit - maximise}


def seconds_to_predict(probe: Probe) -> float:
    """Seconds to predict at 512 points under all draws of a probe's last posterior."""
    points = np.random.default_rng(0).random((CANDIDATES, probe.posterior.data.X.shape[1]))
    at = predictive(probe.posterior.density).at
    at(probe.posterior, points[:1], 1)
    start = time.perf_counter()
    at(probe.posterior, points, CHOICE_DRAWS)
    return time.perf_counter() - start


def point_estimate(history: History, seed: int, surrogate: str = "gp") -> dict[str, float]:
    """Seconds of a suggestion from the point estimate, by a searcher that knows nothing yet."""
    study = bayeshpo.Study(history.space, searcher(surrogate, "map"), seed=seed, name=NAME, trials=history.trials)
    return split(study, study.ask().seconds)


def _others(history: History, cell: Cell, peer: Peer) -> list[tuple[str, dict[str, float]]]:
    n, timings = len(history), []
    if n % _POINT_EVERY == 0:
        for repetition in range(_POINT_TIMES):
            timings.append(("map", point_estimate(history, repetition)))
            if cell["peer"]:
                timings.append(("peer_map", _ask_peer(peer, "map", history, repetition)))
    if cell["peer"] and n % _FULL_EVERY == 10 * ((cell["seed"] + 1) % 3):
        timings.append(("peer_full", _ask_peer(peer, "fully_bayesian", history, cell["seed"])))
    return timings


def _ask_peer(peer: Peer, model: str, history: History, seed: int) -> dict[str, float]:
    if not peer.versions:
        # The first answer of its process warms it up.
        peer.ask("map", history, seed)
    answer = peer.ask(model, history, seed)
    return {"seconds": answer["fit"] + answer["maximise"], "fit": answer["fit"], "maximise": answer["maximise"]}
