"""Results folders made of random numbers, in the format of the records."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

PROBLEMS = {
    "hartmann6": {"optimum": -3.32237, "direction": "minimize", "dimension": 6},
    "svc_digits": {"optimum": None, "direction": "maximize", "dimension": 3},
}
SEARCHERS = ("random", "bayesian")


def trial(
    index: int, value: float | None, configuration: dict[str, Any] | None = None, **changes: Any
) -> dict[str, Any]:
    """A line of ``trials.jsonl``; a failed trial if the value is None."""
    record = {
        "index": index, "configuration": configuration or {}, "value": value,
        "status": "raised" if value is None else "finished", "reason": "boom" if value is None else None,
        "origin": "random", "seconds_ask": 0.01, "seconds_evaluate": 0.1, "work": 1.0, "gradient": None,
        "needs_gradient": False, "suggestion_info": {}, "outcome_info": {},
    }  # fmt: skip
    return record | changes


def write_experiment(
    path: Path, problems: dict[str, dict[str, Any]], searchers: tuple[str, ...], seeds: int, budget: int
) -> None:
    """``experiment.json``."""
    path.mkdir(parents=True, exist_ok=True)
    content = {
        "name": path.name, "budget": budget, "seeds": seeds, "keep": "last",
        "problems": [{"name": p, "label": p} for p in problems],
        "searchers": [{"name": s, "label": s} for s in searchers],
    }  # fmt: skip
    (path / "experiment.json").write_text(json.dumps(content))


def write_run(
    path: Path,
    problem: str,
    searcher: str,
    seed: int,
    trials: list[dict[str, Any]],
    *,
    inference: list[dict[str, Any]] | None = None,
    budget: int | None = None,
    optimum: float | None = None,
    direction: str = "minimize",
    space: tuple[str, ...] = ("x0",),
    status: str | None = "finished",
    stop: str | None = None,
    stopped_by: str | None = None,
    aims: dict[str, Any] | None = None,
) -> Path:
    """One run's folder; unfinished if the status is None. Its stopping rule may not be the one that it ended by."""
    folder = path / "runs" / f"{problem}-{searcher}-{seed}"
    folder.mkdir(parents=True)
    spec = {
        "problem": {"name": problem, "label": problem}, "searcher": _searcher(searcher), "seed": seed,
        "budget": len(trials) if budget is None else budget, "direction": direction, "optimum": optimum,
        "work_unit": "evaluation", "space": list(space), "keep": "last",
        "stop": stop, "aims": aims or {},
    }  # fmt: skip
    (folder / "spec.json").write_text(json.dumps(spec))
    (folder / "trials.jsonl").write_text("".join(json.dumps(t) + "\n" for t in trials))
    if inference:
        (folder / "inference.jsonl").write_text("".join(json.dumps(row) + "\n" for row in inference))
    if status is not None:
        done = {"status": status, "trials": len(trials), "best": None, "recommendation": None, "seconds": 1.0}
        done |= {"reason": "given", "stop": stopped_by or stop}
        (folder / "done.json").write_text(json.dumps(done))
    return folder


def write_results(path: Path, *, seeds: int = 3, budget: int = 20, problems: dict[str, Any] | None = None) -> Path:
    """A complete experiment with fits and kept posteriors; the bayesian searcher does better than random."""
    problems = PROBLEMS if problems is None else problems
    write_experiment(path, problems, SEARCHERS, seeds, budget)
    for p, (problem, facts) in enumerate(problems.items()):
        for searcher in SEARCHERS:
            for seed in range(seeds):
                rng = np.random.default_rng([p, searcher == "bayesian", seed])
                _random_run(path, problem, facts, searcher, seed, budget, rng)
    return path


def fit(n: int, rng: np.random.Generator, **changes: Any) -> dict[str, Any]:
    """A line of ``inference.jsonl``."""
    rhat, ess = 1.002 + 0.002 * rng.exponential(), 450 + 300 * rng.exponential()
    row = {
        "trial": n, "n": n, "action": "sampled", "status": "ok" if rhat < 1.01 else "not_converged", "reason": None,
        "chains": 4, "draws": 500, "rhat_max": rhat, "ess_bulk_min": ess, "ess_tail_min": 0.8 * ess,
        "ess_per_second": 200.0, "divergences": int(rng.poisson(0.2)), "bfmi_min": 0.9, "tree_depth_hits": 0,
        "khat": None, "evidence_increment": None, "seconds_compile": 20.0 if n == 4 else 0.0,
        "seconds_sample": 1.0 + 0.05 * n, "seconds_maximise": 0.4, "acquisition": -2.0, "acquisition_mcse": 0.1,
    }  # fmt: skip
    return row | changes


def _random_run(
    path: Path, problem: str, facts: dict[str, Any], searcher: str, seed: int, budget: int, rng: np.random.Generator
) -> None:
    names = tuple(f"x{j}" for j in range(facts["dimension"]))
    X = rng.uniform(size=(budget, len(names)))
    optimum, sign = facts["optimum"], 1.0 if facts["direction"] == "minimize" else -1.0
    rate = 0.25 if searcher == "bayesian" else 0.06
    losses = 2.5 * np.exp(-rate * np.arange(budget)) * rng.uniform(0.3, 1.0, budget)
    values = [(optimum or 1.0) + sign * float(loss) for loss in losses]
    configurations = [{n: math.exp(8 * x - 4) for n, x in zip(names, row, strict=True)} for row in X]
    trials = [trial(i, v, c) for i, (v, c) in enumerate(zip(values, configurations, strict=True))]
    fits = []
    if searcher == "bayesian":
        trials = [
            t | {"origin": "initial" if i < 4 else "acquisition", "seconds_ask": 1.5} for i, t in enumerate(trials)
        ]
        fits = [fit(n, rng) for n in range(4, budget)]
    folder = write_run(
        path, problem, searcher, seed, trials,
        inference=fits, optimum=optimum, direction=facts["direction"], space=names,
    )  # fmt: skip
    if searcher == "bayesian":
        write_posterior(folder, names, X, np.array(values), rng)


def write_posterior(
    folder: Path, names: tuple[str, ...], X: np.ndarray, values: np.ndarray, rng: np.random.Generator
) -> None:
    """A kept posterior with all its groups."""
    d, n = len(names), len(X)
    centre = np.log(0.3 * 1.6 ** np.arange(d))
    position = np.linspace(0, 1, 51)
    waves = np.sin(position * 6 + rng.normal(0, 0.5, (40, d, 1))) * 0.3 + values.mean()
    grid = ("hyperparameter", "position")
    standard = (values - values.mean()) / values.std()
    replicated = standard + 0.3 * rng.normal(size=(4, 25, n))
    tree = xr.DataTree.from_dict(
        {
            "posterior": _hyperparameters(np.exp(centre + 0.4 * rng.normal(size=(4, 500, d))), names, rng),
            "prior": _hyperparameters(np.exp(math.sqrt(2) + 0.9 * rng.normal(size=(1, 1000, d))), names, rng),
            "sample_stats": xr.Dataset({"diverging": (("chain", "draw"), np.zeros((4, 500), dtype=bool))}),
            "observed_data": xr.Dataset({"outcome": ("trial", standard)}),
            "posterior_predictive": xr.Dataset({"outcome": (("chain", "draw", "trial"), replicated)}),
            "constant_data": xr.Dataset(
                {"X": (("trial", "hyperparameter"), X), "location": values.mean(), "scale": values.std()}
            ),
            "slice": xr.Dataset(
                {
                    "f": (("slice_draw", *grid), waves),
                    "mean": (grid, waves.mean(axis=0)),
                    "sd": (grid, waves.std(axis=0)),
                    "acquisition": (grid, -3 - 20 * (position - 0.6) ** 2 + np.zeros((d, 1))),
                    "at": ("hyperparameter", X[int(np.argmin(values))]),
                },
                coords={"hyperparameter": list(names), "position": position},
            ),
        }
    )
    tree.to_zarr(folder / "posterior" / f"{n:05d}.zarr", mode="w", consolidated=False)


def _hyperparameters(lengthscale: np.ndarray, names: tuple[str, ...], rng: np.random.Generator) -> xr.Dataset:
    shape = lengthscale.shape[:2]
    return xr.Dataset(
        {
            "lengthscale": (("chain", "draw", "hyperparameter"), lengthscale),
            "noise": (("chain", "draw"), np.exp(rng.normal(size=shape))),
        },
        coords={"hyperparameter": list(names)},
    )


def _searcher(name: str) -> dict[str, Any]:
    """Its entry in an experiment file; a Bayesian one has an acquisition with an argument."""
    arguments = {"acquisition": {"name": "ucb", "beta": 3.0}} if name == "bayesian" else {}
    return {"name": name, "label": name} | arguments
