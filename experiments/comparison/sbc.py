"""Are the posteriors of `bayeshpo compare`'s models right on simulated results?

    uv run python -m experiments.comparison.sbc [MODEL ...] [--simulations 100]

Simulation-based calibration (Talts et al. 2018): parameters and results are drawn from the model, the model is fitted
to the results, and each true value is ranked among 99 of its posterior draws. `log_regret`: three searchers on six
problems with four seeds, censored at the floor. `correlated_t`: one difference on ten problems with four seeds. Every
simulation is a line of results/comparison/sbc.jsonl, so a run that was stopped goes on. Writes sbc.md.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

import numpy as np
import pymc as pm

from bayeshpo.analysis.comparison import correlated_t, log_regret
from bayeshpo.analysis.comparison.crossed import population_effects
from bayeshpo.analysis.comparison.fitting import Fit, compiled, fitted
from bayeshpo.diagnostics.calibration import DRAWS, Calibration
from bayeshpo.experiment.rows import Rows
from bayeshpo.surrogates.symbolic import UNCOMPILED

HERE = Path(__file__).resolve().parent
SEEDS = 4


class Simulator(Protocol):
    """A model, and draws of its parameters and data.

    Attributes
    ----------
    model
        As it is fitted.
    names
        What is ranked: variables, and the searchers' effects in the population of problems ("population").
    """

    model: pm.Model
    names: tuple[str, ...]

    def drawn(self, i: int) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
        """True variables and data of simulation i."""
        ...


class LogRegret:
    """Three searchers on six problems."""

    names = (
        "level", "problem_sd", "problem_level", "searcher_sd", "interaction_sd", "searcher_mean", "noise", "population",
    )  # fmt: skip
    problems = 6

    def __init__(self) -> None:
        problem, searcher, _ = np.indices((self.problems, 3, SEEDS)).reshape(3, -1)
        blank = log_regret.LogRegrets(problem, searcher, np.full(len(problem), -3.0), -3.0, (self.problems, 3))
        self.model = log_regret.build(blank)

    def drawn(self, i: int) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
        """See `Simulator`."""
        variables = [*self.model.free_RVs, *self.model.observed_RVs]
        *values, y = pm.draw(variables, random_seed=i, mode=UNCOMPILED)
        return dict(zip([str(v.name) for v in self.model.free_RVs], values, strict=True)), {"y": y}


class CorrelatedT:
    """Differences of two searchers on ten problems, correlated as folds of a cross-validation are."""

    names = ("mean", "spread", "nu")
    problems, rope, correlation = 10, 0.005, 0.25

    def __init__(self) -> None:
        blank, seeds = np.zeros(self.problems), np.full(self.problems, SEEDS)
        data = correlated_t.Differences(np.zeros(self.problems, int), blank, blank, seeds, 1)
        self.model = correlated_t.build(data, self.rope, self.correlation)

    def drawn(self, i: int) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
        """See `Simulator`: seeds by themselves, so that the sums that suffice are checked too."""
        rng = np.random.default_rng([2, i])
        with self.model:
            truth = dict(zip(self.names, pm.draw([self.model[n] for n in self.names], random_seed=i), strict=True))
        delta = truth["mean"] + truth["spread"] * rng.standard_t(truth["nu"], self.problems)
        sd = rng.choice(correlated_t.deviations(self.rope), self.problems)
        shared = np.sqrt(self.correlation) * rng.standard_normal((self.problems, 1))
        own = np.sqrt(1.0 - self.correlation) * rng.standard_normal((self.problems, SEEDS))
        difference = delta[:, None] + sd[:, None] * (shared + own)
        return truth, {"mean_difference": difference.mean(axis=1), "squares": difference.var(axis=1) * SEEDS}


SIMULATORS: Mapping[str, type[Simulator]] = {"log_regret": LogRegret, "correlated_t": CorrelatedT}


def main() -> None:
    """Simulate what is not on record yet, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="*", default=list(SIMULATORS), metavar="MODEL")
    parser.add_argument("--simulations", type=int, default=100)
    arguments = parser.parse_args()
    rows = Rows(Path("results/comparison/sbc.jsonl"), "model", "simulation")
    for name in arguments.models:
        _simulate(name, arguments.simulations, rows)
    sections = [_section(name, [r for r in rows.finished if r["model"] == name]) for name in SIMULATORS]
    text = "\n\n".join(section for section in sections if section)
    (HERE / "sbc.md").write_text(text + "\n")
    print(text)


def _simulate(name: str, simulations: int, rows: Rows) -> None:
    waiting = [i for i in range(simulations) if {"model": name, "simulation": i} not in rows]
    if not waiting:
        return
    simulator = SIMULATORS[name]()
    density = compiled(simulator.model)
    for i in waiting:
        rng = np.random.default_rng([1, i])
        truth, data = simulator.drawn(i)
        fit = fitted(simulator.model, len(next(iter(data.values()))), rng, density.with_data(**data))
        true = Fit({name: np.asarray(value)[None, None] for name, value in truth.items()}, fit.report)
        posterior, labels = _quantities(simulator, fit, rng)
        ranks = (posterior < _quantities(simulator, true, rng)[0]).sum(axis=0)
        found = {"status": fit.report.status, "names": labels, "ranks": ranks.tolist()}
        rows.add({"model": name, "simulation": i, **found})


def _quantities(simulator: Simulator, fit: Fit, rng: np.random.Generator) -> tuple[np.ndarray, list[str]]:
    """Thinned draws of all that is ranked (draw, K), and what each is called."""
    columns, labels = [], []
    for name in simulator.names:
        drawn = population_effects(fit, LogRegret.problems, rng) if name == "population" else fit.pooled(name)
        drawn = drawn.reshape(len(drawn), -1)
        columns.append(drawn)
        labels += [name if drawn.shape[1] == 1 else f"{name} {k + 1}" for k in range(drawn.shape[1])]
    draws = np.concatenate(columns, axis=1)
    return draws[np.linspace(0, len(draws) - 1, min(DRAWS, len(draws))).astype(int)], labels


def _section(name: str, rows: list[dict]) -> str:
    """The table of one model; empty where nothing of it is on record."""
    if not rows:
        return ""
    rows = sorted(rows, key=lambda row: row["simulation"])
    ranks, names = np.array([row["ranks"] for row in rows]), tuple(rows[0]["names"])
    calibration = Calibration(names, ranks, tuple(row["status"] for row in rows))
    lines = [
        f"**`{name}`**: {calibration.verdict}.",
        "",
        "| quantity | mean rank (0.5) | p, 20 bins | p, largest deviation |",
        "|---|---|---|---|",
    ]
    columns = zip(names, ranks.T, calibration.chi_square, calibration.largest_deviation, strict=True)
    for label, column, chi_square, deviation in columns:
        lines.append(f"| {label} | {(column + 0.5).mean() / (DRAWS + 1):.2f} | {chi_square:.2g} | {deviation:.2g} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
