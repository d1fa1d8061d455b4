"""Each surrogate on a case that it was made for, beside gp: how well the function is known from a few trials.

    uv run python experiments/surrogates/run.py [CASE ...] [--seeds 4]

Trials are uniform draws; both surrogates see the same. Compared with the function itself at 200 other points: the root
mean square error of the posterior mean, in standard deviations of the function, and the mean log density of its
standardised values under the posterior's draws. Every finished fit is a line of the record
(results/surrogates/fits.jsonl by default), so a run that was stopped goes on.
"""

from __future__ import annotations

import argparse
import itertools
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from statistics import mean
from typing import Any

import numpy as np
from scipy.special import logsumexp
from scipy.stats import norm
from sklearn.ensemble import RandomForestRegressor

from bayeshpo.experiment.rows import Rows
from bayeshpo.history import History
from bayeshpo.inference.density import log_density
from bayeshpo.inference.predictive import predictive
from bayeshpo.inference.sequential import Sequential
from bayeshpo.parallel import one_blas_thread
from bayeshpo.problems.logistic_breast_cancer import LogisticBreastCancer
from bayeshpo.problems.synthetic import Branin
from bayeshpo.registry import create
from bayeshpo.space import SearchSpace, as_space
from bayeshpo.surrogates.base import Surrogate, TrainingData
from bayeshpo.surrogates.columns import Columns
from bayeshpo.surrogates.multi_task import MultiTaskGaussianProcess
from bayeshpo.testing.trials import history_of
from bayeshpo.trial import Outcome

HELD_OUT, _EARLIER = 200, 30


@dataclass(frozen=True)
class Case:
    """A surrogate, and a function that it is for: of X (n, D), with noise of this standard deviation at X.

    Trials bring the function's gradient (n, D) where there is one here, and the noise's standard deviation where it is
    ``told``; those above the ``limit`` are censored there. ``gp`` makes nothing of all that.
    """

    surrogate: str
    about: str
    dimension: int
    trials: int
    function: Callable[[np.ndarray], np.ndarray]
    noise: Callable[[np.ndarray], Any] = lambda X: 0.05
    gradient: Callable[[np.ndarray], np.ndarray] | None = None
    told: bool = False
    limit: float = np.inf
    choices: int = 0

    @property
    def space(self) -> SearchSpace:
        """The unit cube, and of so many choices one, whose column is the last."""
        numbers: dict[str, Any] = {f"x{j + 1}": (0.0, 1.0) for j in range(self.dimension)}
        return as_space(numbers | ({"z": [str(k) for k in range(self.choices)]} if self.choices else {}))

    def observed(self, X: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Noisy losses (n,) at X (n, D)."""
        return self.function(X) + self.noise(X) * rng.standard_normal(len(X))

    def trials_at(self, X: np.ndarray, rng: np.random.Generator) -> History:
        """A history of trials at X (n, D)."""
        gradients = None
        if self.gradient is not None:
            gradients = [dict(zip(self.space.names, map(float, g), strict=True)) for g in self.gradient(X)]
        losses, errors = self.observed(X, rng), self.noise(X).tolist() if self.told else None
        censored, told = losses > self.limit, np.minimum(losses, self.limit).tolist()
        configurations = self.space.decode(X)
        return history_of(
            self.space, configurations, told, gradients=gradients, errors=errors, censored=censored.tolist()
        )


def learning_rate(X: np.ndarray) -> np.ndarray:
    """A parabola in the logarithm of the first number, which is told as it is."""
    return (np.log10(X[:, 0] + 1e-3) + 2.0) ** 2 + 0.3 * (X[:, 1] - 0.6) ** 2


def steep(X: np.ndarray) -> np.ndarray:
    """Losses from 1 to some 100: the good ones close together, the bad ones anywhere."""
    return np.exp(6.0 * np.sqrt((X[:, 0] - 0.3) ** 2 + 0.5 * (X[:, 1] - 0.6) ** 2))


def waves(X: np.ndarray) -> np.ndarray:
    """A wave of its own along each number."""
    return np.sin(2.0 * np.pi * X * np.linspace(0.4, 1.2, X.shape[1])).sum(axis=1)


def four_of_many(X: np.ndarray) -> np.ndarray:
    """A smooth function of the first four numbers."""
    return np.sin(4.0 * X[:, 0]) + 2.0 * (X[:, 1] - 0.5) * X[:, 2] + 2.0 * (X[:, 3] - 0.3) ** 2


def three_of_many(X: np.ndarray) -> np.ndarray:
    """Products of the first three numbers, and the third alone."""
    Z = X[:, :3] - 0.5
    return 4.0 * Z[:, 0] * Z[:, 1] + 1.5 * np.sin(4.0 * X[:, 1] * X[:, 2]) + X[:, 2]


def two_of_many(X: np.ndarray) -> np.ndarray:
    """A fiftieth of Branin's function of the first two numbers."""
    return np.array([Branin().function(x) for x in 15.0 * X[:, :2] - [5.0, 0.0]]) / 50.0


def response_surface(X: np.ndarray) -> np.ndarray:
    """Linear in two numbers, quadratic in a third, with one interaction."""
    return X[:, 0] - 0.7 * X[:, 1] + 2.0 * (X[:, 2] - 0.4) ** 2 + 1.5 * (X[:, 0] - 0.5) * (X[:, 3] - 0.5)


def few_effects(X: np.ndarray) -> np.ndarray:
    """Effects of five numbers, and one interaction of the strongest."""
    effects = X[:, :5] @ np.array([2.0, -1.5, 1.0, 1.0, -0.7])
    return effects + 2.0 * (X[:, 0] - 0.5) * (X[:, 1] - 0.5)


def cliff(X: np.ndarray) -> np.ndarray:
    """Nearly flat on both sides of a cliff that runs across all numbers, a fifth of their range off the middle."""
    across = (X - 0.5) @ np.array([1.0, 0.6, -0.5])[: X.shape[1]]
    return np.tanh(15.0 * (across - 0.25)) + 0.3 * X[:, 1]


def valley(X: np.ndarray) -> np.ndarray:
    """A bent valley."""
    return np.sin(5.0 * X[:, 0]) + 3.0 * (X[:, 1] - 0.5 - 0.3 * np.cos(3.0 * X[:, 0])) ** 2


def one_in_eight(X: np.ndarray) -> np.ndarray:
    """Noise that is a hundred times as large for every eighth trial."""
    return np.where(np.arange(len(X)) % 8 == 3, 5.0, 0.05)


def hills(X: np.ndarray) -> np.ndarray:
    """Smooth, with every number in an interaction."""
    return np.sin(4.0 * X[:, 0] + 2.0 * X[:, 1]) + np.cos(4.0 * X[:, 2] - X[:, 0]) + X[:, 3] * X[:, 1]


def slopes_of_hills(X: np.ndarray) -> np.ndarray:
    """The gradient of the hills."""
    first, second = np.cos(4.0 * X[:, 0] + 2.0 * X[:, 1]), np.sin(4.0 * X[:, 2] - X[:, 0])
    return np.column_stack([4.0 * first + second, 2.0 * first + X[:, 3], -4.0 * second, X[:, 1]])


def one_tree(X: np.ndarray) -> np.ndarray:
    """Sixteen plateaus: the leaves of a regression tree."""
    return _forest(1).predict(X)


def forest(X: np.ndarray) -> np.ndarray:
    """The mean of ten such trees."""
    return _forest(10).predict(X)


@cache
def _forest(trees: int) -> RandomForestRegressor:
    """Fitted to the hills, of three numbers and a choice of four that does not come in order."""
    X = np.random.default_rng(0).random((500, 4))
    X[:, 3] = (np.floor(4.0 * X[:, 3]) + 0.5) / 4.0
    values = hills(np.column_stack([X[:, :2], 3.0 * X[:, 3] % 1.0, X[:, 2]]))
    return RandomForestRegressor(trees, max_leaf_nodes=16, random_state=0).fit(X, values)


def penalised(X: np.ndarray) -> np.ndarray:
    """Validation loss of logistic regression with a penalty for each of three groups of features."""
    return np.array([o.value for o in _penalised(X)])


def hypergradient(X: np.ndarray) -> np.ndarray:
    """Its derivatives by the penalties, by implicit differentiation."""
    return np.array([list((o.gradient or {}).values()) for o in _penalised(X)])


def here_and_there(X: np.ndarray) -> np.ndarray:
    """Standard deviations of the noise from 0.02 to 2 that neighbours do not share."""
    return 0.02 * 100.0 ** (37.0 * X.sum(axis=1) % 1.0)


def _penalised(X: np.ndarray) -> list[Outcome]:
    problem, rng = LogisticBreastCancer(), np.random.default_rng(0)
    return [problem.evaluate_with_gradient(c, rng=rng) for c in problem.space.decode(X)]


CASES = {
    "skewed": Case("warped", "a parabola of a logarithm", 2, 25, learning_rate),
    "skewed losses": Case(
        "warped_outcome", "exponential of the distance from the best place", 2, 25, steep, lambda X: 0.01 * steep(X)
    ),
    "noise at one end": Case(
        "heteroscedastic", "noise from 0.02 to 2", 2, 40, valley, lambda X: 0.02 * 100.0 ** X[:, 0]
    ),
    "told noise": Case(
        "known_noise", "noise from 0.02 to 2, here and there, told", 2, 40, valley, here_and_there, told=True
    ),
    "time limit": Case("censored", "runs that are ended at a limit, four in ten", 2, 25, valley, limit=0.8),
    "outliers": Case("student_t", "one trial in eight far off, too high or too low", 2, 32, valley, one_in_eight),
    "no interactions": Case("additive", "8 waves", 8, 40, waves),
    "4 of 25": Case("saas", "4 of 25 numbers matter", 25, 40, four_of_many),
    "3 of 25": Case("saas", "3 of 25 numbers matter, in products", 25, 40, three_of_many),
    "2 of 25": Case("saas", "2 of 25 numbers matter, Branin", 25, 40, two_of_many),
    "3 of 10": Case("saas", "3 of 10 numbers matter, in products", 10, 20, three_of_many),
    "3 of 10, more trials": Case("saas", "the same function as 3 of 10", 10, 60, three_of_many),
    "response surface": Case("horseshoe", "4 of 10 numbers, one in an interaction alone", 10, 25, response_surface),
    "response surface, more trials": Case("horseshoe", "the same surface", 10, 50, response_surface),
    "few effects": Case("horseshoe", "effects of 5 of 20 numbers, noise 0.3", 20, 30, few_effects, lambda X: 0.3),
    "cliff": Case("bayesian_neural_network", "a cliff across 2 numbers", 2, 40, cliff),
    "cliff in 3": Case("bayesian_neural_network", "a cliff across 3 numbers", 3, 40, cliff),
    "a tree": Case("bart", "a tree of 16 leaves across 3 numbers and a choice", 3, 50, one_tree, choices=4),
    "a forest": Case("bart", "ten trees of 16 leaves across 3 numbers and a choice", 3, 50, forest, choices=4),
    "a tree to a network": Case("bayesian_neural_network", "the same tree", 3, 50, one_tree, choices=4),
    "a forest to a network": Case("bayesian_neural_network", "the same forest", 3, 50, forest, choices=4),
    "no interactions to trees": Case("bart", "8 waves", 8, 40, waves),
    "a cliff to trees": Case("bart", "a cliff across 2 numbers", 2, 40, cliff),
    "penalties": Case(
        "derivative",
        "penalties of 3 groups of features, with the hypergradient",
        3,
        12,
        penalised,
        lambda X: 0.0,
        hypergradient,
    ),
    "hills": Case("derivative", "4 numbers that interact, with the gradient", 4, 15, hills, gradient=slopes_of_hills),
    "seen before": Case("multi_task", "30 trials of a function a little apart", 2, 6, valley),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cases", nargs="*", metavar="CASE", default=list(CASES), help=", ".join(CASES))
    parser.add_argument("--seeds", type=int, default=4)
    parser.add_argument("--output", type=Path, default=Path("results/surrogates"))
    arguments = parser.parse_args()
    if unknown := sorted(set(arguments.cases) - set(CASES)):
        parser.error(f"expected cases of {', '.join(CASES)}, got {', '.join(unknown)}")
    rows = Rows(arguments.output / "fits.jsonl", "case", "surrogate", "seed")
    for seed, name in itertools.product(range(arguments.seeds), arguments.cases):
        for which in (CASES[name].surrogate, "gp"):
            row = {"case": name, "surrogate": which, "seed": seed}
            if row not in rows:
                with one_blas_thread():
                    rows.add(row | _fitted(CASES[name], which, seed))
    text = "\n".join(_table(rows.finished))
    (arguments.output / "table.md").write_text(text + "\n")
    print(text)


def _fitted(case: Case, which: str, seed: int) -> dict[str, Any]:
    rng = np.random.default_rng(seed)
    X, Z = case.space.sample(case.trials, rng), case.space.sample(HELD_OUT, rng)
    history = case.trials_at(X, rng)
    surrogate = _surrogate(case, which, rng)
    data = TrainingData.of(history, surrogate)
    density = log_density(surrogate, Columns.of(case.space))
    posterior = Sequential().fit(density, surrogate.prepared(density.columns, data), rng=rng)
    found = measured(case, posterior, Z)
    # Log densities are in one unit for both surrogates.
    found["log_density"] += float(np.log(TrainingData.of(history).scale / data.scale))
    return found | {
        "status": posterior.report.status,
        "seconds": posterior.report.seconds_sample,
    }


def measured(case: Case, posterior: Any, Z: np.ndarray) -> dict[str, float]:
    """Root mean square error and mean log density of the function at points Z (m, D) under a posterior's draws."""
    location, unit = posterior.data.location, posterior.data.scale
    truth, scale = (case.function(Z) - location) / unit, case.function(Z).std() / unit
    means, variances = predictive(posterior.density).at(posterior, Z)
    densities = logsumexp(norm.logpdf(truth, means, np.sqrt(variances)), axis=0) - np.log(len(means))
    return {
        "error": float(np.sqrt(np.mean((means.mean(axis=0) - truth) ** 2)) / scale),
        "log_density": float(densities.mean()),
    }


def _surrogate(case: Case, which: str, rng: np.random.Generator) -> Surrogate:
    if which != "multi_task":
        return create("surrogate", which, {})
    # The same function a little to the side, in another unit.
    X = case.space.sample(_EARLIER, rng)
    losses = 3.0 * case.observed(X + 0.03, rng) + 5.0
    return MultiTaskGaussianProcess.after([history_of(case.space, case.space.decode(X), losses.tolist())])


def _table(rows: list[dict[str, Any]]) -> list[str]:
    lines = [
        "| case | trials | surrogate | error | of `gp` | log density | of `gp` | better in | fits ok |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for name, case in CASES.items():
        found = [r for r in rows if r["case"] == name]
        own, gp = ([r for r in found if r["surrogate"] == which] for which in (case.surrogate, "gp"))
        if not own or len(own) != len(gp):
            continue
        errors = [f"{mean(r['error'] for r in part):.3f}" for part in (own, gp)]
        densities = [f"{mean(r['log_density'] for r in part):.2f}" for part in (own, gp)]
        better = sum(a["log_density"] > b["log_density"] for a, b in zip(own, gp, strict=True))
        ok = sum(r["status"] == "ok" for r in (*own, *gp))
        cells = [f"{name}: {case.about}", str(case.trials), f"`{case.surrogate}`", *errors, *densities]
        lines.append("| " + " | ".join([*cells, f"{better} of {len(own)}", f"{ok} of {len(own) + len(gp)}"]) + " |")
    return lines


if __name__ == "__main__":
    main()
