"""Surrogates compared on the same trials: by leaving one out, and by predicting each trial from those before it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from bayeshpo.errors import SpecificationError
from bayeshpo.history import History
from bayeshpo.inference.base import Engine
from bayeshpo.inference.density import log_density
from bayeshpo.inference.fitting import fit
from bayeshpo.inference.foresight import foresee
from bayeshpo.inference.stacked import left_out, untrusted
from bayeshpo.inference.stacking import stacked
from bayeshpo.registry import create
from bayeshpo.surrogates.base import Surrogate, TrainingData
from bayeshpo.surrogates.columns import Columns

# What is compared unless told otherwise: the default surrogate, and those that differ from it in one belief each, on
# outliers, on noise, on the hyperparameters' scales, on the loss's scale, and on interactions. None needs further data.
USUAL = ("gp", "student_t", "heteroscedastic", "warped", "warped_outcome", "additive")


@dataclass(frozen=True, eq=False)
class Predictions:
    """What one surrogate says of the finished trials of one study, in units of the loss.

    Attributes
    ----------
    loo
        Log density of each trial given all others (n,); NaN of a surrogate of which none can be left out.
    ahead, pit
        Log density of each trial given those before it (m,), from the first fit on, and the share of the predictive
        distribution below its loss.
    bad
        Share of trials whose Pareto k-hat is above its limit, so that ``loo`` cannot be trusted; NaN of a point
        estimate, which has none.
    not_ok
        Share of fits that did not pass their checks.
    """

    loo: np.ndarray
    ahead: np.ndarray
    pit: np.ndarray
    bad: float
    not_ok: float


def predictions(
    surrogate: Surrogate, history: History, engine: Engine, rng: np.random.Generator, first: int | None = None
) -> Predictions:
    """Fit a surrogate to the first trials, then with one more after the other, and score each before it enters.

    Parameters
    ----------
    surrogate, history, engine, rng
        What is scored, on which trials, fitted by what, with which randomness.
    first
        Number of trials of the first fit; by default D + 2, at least 4.

    Raises
    ------
    SpecificationError
        If fewer than two trials are left to be predicted, or the surrogate has nothing to say of them.
    """
    first = first or max(4, history.space.dimension + 2)
    places = np.flatnonzero(history.finished)
    if len(places) < first + 2:
        raise SpecificationError(f"expected at least {first + 2} finished trials to predict some, got {len(places)}")
    density = log_density(surrogate, Columns.of(history.space))
    posterior: Any = None
    said, statuses = [], []
    for n in range(first, len(places) + 1):
        seen = replace(history, trials=history.trials[: places[n - 1] + 1], pending=())
        data = TrainingData.of(seen, surrogate)
        posterior = fit(engine, density, data, rng=rng, previous=posterior if engine.sequential else None)
        statuses.append(posterior.report.status)
        if statuses[-1] == "failed":
            raise SpecificationError(f"surrogate '{surrogate.name}', {n} trials: {posterior.report.reason}")
        if n < len(places):
            at = places[n : n + 1]
            said.append(foresee(posterior, history.X[at], history.losses[at], history.standard_errors[at]))
    if any(s is None for s in said):
        raise SpecificationError(f"surrogate '{surrogate.name}': it says nothing of further trials of this study")
    loo, bad = np.full(len(places), np.nan), None
    try:
        found = left_out(posterior)
        loo, bad = found.log_density - np.log(posterior.data.scale), untrusted(found, posterior)
    except SpecificationError:
        pass
    scores = [(one.log_score, one.pit) for s in said if s is not None for one in s]
    ahead, pit = np.array(scores).T
    return Predictions(loo, ahead, pit, np.nan if bad is None else bad, float(np.mean([s != "ok" for s in statuses])))


def usual(histories: Sequence[History]) -> list[str]:
    """Those of `USUAL` that can stand for the spaces of all histories."""
    columns = [Columns.of(history.space) for history in histories]
    return [name for name in USUAL if all(_stands_for(create("surrogate", name, {}), c) for c in columns)]


def _stands_for(surrogate: Surrogate, columns: Columns) -> bool:
    try:
        surrogate.check(columns)
    except SpecificationError:
        return False
    return True


def compare(found: Mapping[str, Sequence[Predictions]]) -> Iterator[dict[str, Any]]:
    """A row a surrogate, best first by one-step-ahead scores, all studies together (JSON values).

    Sums of log densities, their differences from the best with standard errors, and the weights of a mixture that
    predicts best (`bayeshpo.inference.stacking.stacked`).

    Parameters
    ----------
    found
        For each surrogate, by name, its predictions for the same studies in the same order.
    """
    names = list(found)
    columns = {
        kind: np.column_stack([np.concatenate([getattr(p, kind) for p in found[name]]) for name in names])
        for kind in ("loo", "ahead")
    }
    weights = {}
    for kind, values in columns.items():
        known = np.isfinite(values).any(axis=0)
        weights[kind] = np.zeros(len(names))
        weights[kind][known] = stacked(values[:, known]) if known.any() else 0.0
    total = columns["ahead"].sum(axis=0)
    best = int(np.argmax(total))
    for k in np.argsort(-total, kind="stable"):
        row: dict[str, Any] = {"surrogate": names[k]}
        for kind, values in columns.items():
            difference = values[:, k] - values[:, best]
            row |= {
                kind: _number(values[:, k].sum()),
                f"{kind}_difference": _number(difference.sum()),
                f"{kind}_se": _number(np.sqrt(len(difference)) * difference.std()),
                f"{kind}_weight": float(weights[kind][k]),
            }
        pits = np.concatenate([p.pit for p in found[names[k]]])
        yield row | {
            "trials": len(pits),
            "in_50": float(np.mean(np.abs(pits - 0.5) <= 0.25)),
            "in_90": float(np.mean(np.abs(pits - 0.5) <= 0.45)),
            "bad_khat": _number(np.mean([p.bad for p in found[names[k]]])),
            "not_ok": float(np.mean([p.not_ok for p in found[names[k]]])),
        }


def _number(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
