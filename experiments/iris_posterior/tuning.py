"""The prior scale as a hyperparameter: three families of search for the mode of best cross-validated log loss."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from problem import HIGHEST, LOWEST, SoftmaxIris, folds, log_loss, mode

import bayeshpo
from bayeshpo.parallel import one_blas_thread
from bayeshpo.problem import evaluate
from bayeshpo.registry import create

FAMILIES = ("random", "hypergradient", "bayesian")


def curve(points: int) -> dict[str, list[float]]:
    """Log loss of the mode at so many scales, evenly over the logarithm."""
    problem, rng = SoftmaxIris(), np.random.default_rng(0)
    scales = np.geomspace(LOWEST, HIGHEST, points)
    losses = [problem.evaluate({"scale": float(s)}, rng=rng).value for s in scales]
    return {"scale": scales.tolist(), "loss": losses}


def search(family: str, seed: int, budget: int) -> dict[str, Any]:
    """Scales and losses of one study's trials, and the Newton steps that they took."""
    problem = SoftmaxIris()
    study = bayeshpo.Study(problem.space, create("searcher", family, {}), seed=seed, name="iris")
    rng = np.random.default_rng(seed)
    with one_blas_thread():
        for _ in range(budget):
            suggestion = study.ask()
            asked = {"rng": rng, "gradient": suggestion.needs_gradient}
            study.tell(suggestion, evaluate(problem, suggestion.configuration, **asked))
    trials = study.history.trials
    return {
        "family": family, "seed": seed, "scale": [t.configuration["scale"] for t in trials],
        "loss": [t.value for t in trials], "steps": sum(t.outcome.work for t in trials),
        "fits_ok": [row["status"] == "ok" for row in study.reports],
    }  # fmt: skip


def mode_on_folds(scale: float) -> dict[str, float]:
    """Log loss (nats) and accuracy of the mode on what each fold leaves out."""
    right, losses = [], []
    for fold in folds():
        weights = mode(fold.X, fold.y, scale).weights
        losses.append(log_loss(fold.X_left_out, fold.y_left_out, weights)[0])
        right.append((fold.X_left_out @ weights).argmax(axis=1) == fold.y_left_out)
    return {"log_loss": float(np.mean(losses)), "accuracy": float(np.mean(right))}


def typical(studies: Sequence[dict[str, Any]], family: str) -> float:
    """The best scale of the family's study of median loss."""
    of_family = sorted((s for s in studies if s["family"] == family), key=lambda s: min(s["loss"]))
    middle = of_family[len(of_family) // 2]
    return middle["scale"][int(np.argmin(middle["loss"]))]
