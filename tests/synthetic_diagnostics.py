"""Results folders with every diagnostic on record, made of random numbers; see also synthetic_results."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import norm
from synthetic_results import fit, trial, write_experiment, write_run

PROBLEMS = {"branin": 0.5, "hartmann6": -3.3}
NAMES = ("x1", "x2")


def diagnosed(n: int, rng: np.random.Generator, *, narrow: float = 1.0, bad: float = 0.0) -> dict[str, Any]:
    """A row of a fit after ``n`` trials.

    Parameters
    ----------
    narrow
        Outcomes scatter so many times as far as they were predicted to.
    bad
        Chance of a fit that did not converge.
    """
    reused = rng.random() < 0.4
    row = fit(n, rng, rhat_max=1.003 + 0.002 * rng.random(), ess_tail_min=640.0, divergences=None, bfmi_min=None)
    row |= {"status": "ok", "action": "reweighted" if reused else "moved", "rhat_nested_max": 1.004}
    row |= {"khat": 0.2 + 0.4 * rng.random() if reused else None, "ess_importance": 700.0 if reused else None}
    if rng.random() < bad:
        row |= {"rhat_max": 1.05, "ess_bulk_min": 90.0, "status": "not_converged", "action": "fell_back"}
    pit = float(norm.cdf(narrow * rng.standard_normal()))
    row |= {
        "ahead_trial": n - 1, "ahead_log_score": float(rng.normal()), "ahead_pit": pit,
        "ahead_in_50": abs(pit - 0.5) <= 0.25, "ahead_in_90": abs(pit - 0.5) <= 0.45,
        "quantiles": {f"lengthscale[{x}]": _around((j + 1) * 0.4, n) for j, x in enumerate(NAMES)},
        "information": {f"lengthscale[{x}]": 0.5 for x in NAMES},
    }  # fmt: skip
    if n % 4 == 0:
        row |= {
            "point_distance": float(rng.random() * 0.3), "point_loss": float(rng.exponential(0.2)),
            "optimum_entropy": max(0.05, 0.9 - 0.03 * n), "regret_expected": 2.0 * np.exp(-0.15 * n),
            "halves_distance": float(rng.random() * 0.1), "halves_loss": float(rng.exponential(0.05)),
            "optimum_place": {x: sorted(rng.beta(2.0, 2.0, 3).tolist()) for x in NAMES},
            "regret_quantiles": [0.0, 1.5 * np.exp(-0.15 * n), 6.0 * np.exp(-0.15 * n)],
        }  # fmt: skip
    return row


def write_diagnosed(path: Path, *, budget: int = 24, seeds: int = 3, **changes: Any) -> Path:
    """An experiment of two problems with a Bayesian searcher that has all diagnostics and one that fits nothing."""
    write_experiment(path, {name: {} for name in PROBLEMS}, ("random", "bayesian"), seeds, budget)
    for p, (problem, optimum) in enumerate(PROBLEMS.items()):
        for seed in range(seeds):
            rng = np.random.default_rng([p, seed])
            losses = optimum + 3.0 * np.exp(-0.15 * np.arange(budget)) * rng.uniform(0.2, 1.0, budget)
            best = [int(np.argmin(losses[:n])) if n > 4 else None for n in range(budget)]
            trials = [
                trial(i, float(v), suggestion_info={} if best[i] is None else {"recommended": best[i]})
                for i, v in enumerate(losses)
            ]
            fits = [diagnosed(n, rng, **changes) for n in range(5, budget)]
            write_run(path, problem, "bayesian", seed, trials, inference=fits, optimum=optimum, space=NAMES)
            plain = [trial(i, float(v)) for i, v in enumerate(rng.permutation(losses))]
            write_run(path, problem, "random", seed, plain, optimum=optimum)
    return path


def _around(centre: float, n: int) -> list[float]:
    width = 4.0 / np.sqrt(n)
    return [centre * float(np.exp(s * width)) for s in (-1.0, 0.0, 1.0)]
