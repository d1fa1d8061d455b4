"""learning_curve on real learning curves, beside gp and beside the last value: what a stopped training says of its end.

    BAYESHPO_DATA=FOLDER uv run python experiments/curves/run.py [TASK ...] [--seeds 1]

FOLDER has taskset_text (eight text classifiers, Metz et al. 2020; logarithm of the validation loss) and
lcbench_surrogate_table (Zimmer, Lindauer and Hutter 2021, by the YAHPO surrogate; logarithm of the validation
cross-entropy). Of 20 random configurations, diverged ones (NaN) aside, 10 are trained to the end, and 10 to a share of
it. Predicted are the final losses of these 10 and of 100 further configurations: the root mean square error, the mean
log density, and how many are within intervals of 50 and 90 %, all of standardised, capped losses. gp sees the finished
trials alone; the last value comes with the error that it has on the finished ones. Configurations are told by their
learning rate, so that the default engine takes seconds from the prior. Every prediction is a line of the
record (results/curves/predictions.jsonl by default), so a run that was stopped goes on.
"""

from __future__ import annotations

import argparse
import itertools
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from statistics import mean
from typing import Any

import numpy as np
from scipy.special import logsumexp
from scipy.stats import norm

from bayeshpo.errors import SpecificationError
from bayeshpo.experiment.rows import Rows
from bayeshpo.history import History
from bayeshpo.inference.density import LogDensity, log_density
from bayeshpo.inference.over_draws import OverDraws
from bayeshpo.inference.posterior import Posterior
from bayeshpo.inference.predictive import predictive
from bayeshpo.inference.sequential import Sequential
from bayeshpo.parallel import one_blas_thread
from bayeshpo.problems.curves import FIDELITIES, TASKSET, LCBench, TaskSet
from bayeshpo.registry import create
from bayeshpo.space import SearchSpace, as_space
from bayeshpo.surrogates.base import NUGGET, TrainingData
from bayeshpo.surrogates.columns import Columns
from bayeshpo.surrogates.learning_curve import LearningCurveGaussianProcess
from bayeshpo.surrogates.scale import Scale
from bayeshpo.surrogates.symbolic import pt
from bayeshpo.trial import Outcome, Suggestion, Trial

_FINISHED, _STOPPED, _UNSEEN, _DRAWS = 10, 10, 100, 256
_SHARES = (0.5, 0.25)
_MODELS = ("learning_curve", "gp", "last value")
_LCBENCH = ("7593", "34539", "126026", "126029", "167104", "167149", "167161", "167168")


@dataclass(frozen=True)
class Task:
    """Learning rates on the unit interval (n, 1), and losses (n, 50) after each fiftieth of the training."""

    X: np.ndarray
    losses: np.ndarray

    @property
    def space(self) -> SearchSpace:
        """The unit interval."""
        return as_space({"learning_rate": (0.0, 1.0)})


def task_of(name: str) -> Task:
    """A task of TaskSet or LCBench by its name."""
    problem = LCBench(int(name)) if name in _LCBENCH else TaskSet(name)
    rates = problem.table.X[:, [problem.space.names.index("learning_rate")]]
    kept = np.isfinite(problem.table.losses).all(axis=1)
    return Task(((rates - rates.min()) / (rates.max() - rates.min()))[kept], problem.table.losses[kept])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tasks", nargs="*", metavar="TASK")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--output", type=Path, default=Path("results/curves"))
    arguments = parser.parse_args()
    tasks = [*TASKSET, *_LCBENCH]
    if unknown := sorted(set(arguments.tasks) - set(tasks)):
        parser.error(f"expected tasks of {', '.join(tasks)}, got {', '.join(unknown)}")
    try:
        task_of(tasks[0])
    except SpecificationError as error:
        parser.error(str(error))
    rows = Rows(arguments.output / "predictions.jsonl", "task", "share", "model", "seed")
    for seed, share, name, model in itertools.product(
        range(arguments.seeds), _SHARES, arguments.tasks or tasks, _MODELS
    ):
        row = {"task": name, "share": share, "model": model, "seed": seed}
        if row not in rows:
            with one_blas_thread():
                rows.add(row | _predicted(task_of(name), share, model, seed))
    text = "\n".join(_table(rows.finished))
    (arguments.output / "table.md").write_text(text + "\n")
    print(text)


def _predicted(task: Task, share: float, model: str, seed: int) -> dict[str, Any]:
    rng = np.random.default_rng(seed)
    chosen = rng.permutation(len(task.X))[: _FINISHED + _STOPPED + _UNSEEN]
    X, losses = task.X[chosen], task.losses[chosen]
    until = round(share * len(FIDELITIES))
    outcomes = [
        *(Outcome(float(curve[-1]), curve=_curve(curve)) for curve in losses[:_FINISHED]),
        *(Outcome.stopped(_curve(curve[:until])) for curve in losses[_FINISHED : _FINISHED + _STOPPED]),
    ]
    configurations = task.space.decode(X[: len(outcomes)])
    suggestions = [Suggestion(c, i, "random") for i, c in enumerate(configurations)]
    history = History(task.space, "minimize", tuple(map(Trial, suggestions, outcomes)))
    data = TrainingData.of(history)
    y = Scale.of(losses[:_FINISHED, -1])(losses)
    stopped, unseen = y[_FINISHED : len(outcomes)], y[len(outcomes) :, -1]
    if model == "last value":
        error = np.sqrt(np.mean((y[:_FINISHED, -1] - y[:_FINISHED, until - 1]) ** 2) + NUGGET)
        return {"stopped": _scores(stopped[None, :, until - 1], np.full((1, _STOPPED), error**2), stopped[:, -1])}
    surrogate = create("surrogate", model, {})
    density = log_density(surrogate, Columns.of(task.space))
    posterior = Sequential().fit(density, surrogate.prepared(density.columns, data), rng=rng)
    means, variances = predictive(density).at(posterior, X[_FINISHED:], _DRAWS)
    variances = variances + density.constrain(posterior.thinned(_DRAWS))["noise"][:, None] ** 2 + NUGGET
    ends = means[:, :_STOPPED], variances[:, :_STOPPED]
    if model == "learning_curve":
        ends = _ends(posterior)
    return {
        "stopped": _scores(*ends, stopped[:, -1]),
        "unseen": _scores(means[:, _STOPPED:], variances[:, _STOPPED:], unseen),
        "status": posterior.report.status,
        "seconds": posterior.report.seconds_sample,
    }


def _curve(losses: np.ndarray) -> tuple[tuple[float, float], ...]:
    return tuple(zip(FIDELITIES.tolist(), losses.tolist(), strict=False))


def _ends(posterior: Posterior) -> tuple[np.ndarray, np.ndarray]:
    """Means and variances (S, 10) of the stopped trials' losses at the end, under each draw."""
    density, draws, named = posterior.density, posterior.thinned(_DRAWS), posterior.data.named()
    mean, variance = _compiled_ends(density)(*density.constrain(draws).values(), *named.values())
    return mean, variance


@cache
def _compiled_ends(density: LogDensity) -> OverDraws:
    columns, data = density.columns, density.data_variables()
    surrogate = density.surrogate
    assert isinstance(surrogate, LearningCurveGaussianProcess)
    p = {b.name: pt.tensor(b.name, dtype="float64", shape=b.shape) for b in density.blocks}
    ends = surrogate.finals(columns, p, surrogate.condition(columns, p, data), data)
    values = density.constrain(np.zeros((1, density.dimension))).values()
    example = [*(v[0] for v in values), *density.example.named().values()]
    return OverDraws("ends", [*p.values()], [*data.values()], list(ends), example)


def _scores(means: np.ndarray, variances: np.ndarray, truth: np.ndarray) -> dict[str, float]:
    """Of a mixture over draws (S, m) at true values (m,)."""
    sd = np.sqrt(variances)
    rank = norm.cdf(truth, means, sd).mean(axis=0)
    return {
        "error": float(np.sqrt(np.mean((means.mean(axis=0) - truth) ** 2))),
        "log_density": float((logsumexp(norm.logpdf(truth, means, sd), axis=0) - np.log(len(means))).mean()),
        "within_50": float(np.mean(np.abs(rank - 0.5) <= 0.25)),
        "within_90": float(np.mean(np.abs(rank - 0.5) <= 0.45)),
    }


def _table(rows: list[dict[str, Any]]) -> list[str]:
    lines = [
        "| curves | trained | model | of | error | log density | within 50 % | within 90 % | beats `gp` in | fits ok |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    groups = {"TaskSet": lambda task: task not in _LCBENCH, "LCBench": lambda task: task in _LCBENCH}
    for (group, belongs), share, which, model in itertools.product(
        groups.items(), _SHARES, ("stopped", "unseen"), _MODELS
    ):
        mine = [r for r in rows if belongs(r["task"]) and (r["share"], r["model"]) == (share, model) and which in r]
        if not mine:
            continue
        gp = {(r["task"], r["seed"]): r for r in rows if (r["share"], r["model"]) == (share, "gp")}
        of_gp = [gp.get((r["task"], r["seed"])) for r in mine]
        better = sum(
            g is not None and r[which]["log_density"] > g[which]["log_density"]
            for r, g in zip(mine, of_gp, strict=True)
        )
        scores = [mean(r[which][k] for r in mine) for k in ("error", "log_density", "within_50", "within_90")]
        ok = f"{sum(r['status'] == 'ok' for r in mine)} of {len(mine)}" if model != "last value" else ""
        cells = [group, f"{share:.0%}", f"`{model}`" if model != "last value" else model, which]
        cells += [f"{s:.2f}" for s in scores]
        lines.append("| " + " | ".join([*cells, "" if model == "gp" else f"{better} of {len(mine)}", ok]) + " |")
    return lines


if __name__ == "__main__":
    main()
