"""Are the posteriors of `bayeshpo compare`'s model of log regret right on simulated results?

    uv run python experiments/comparison/sbc.py [--simulations 100]

Simulation-based calibration (Talts et al. 2018): effects and regrets of three searchers on six problems with four seeds
are drawn from the model, censored at its floor; the model is fitted to the regrets, and each true value is ranked
among 99 of its posterior draws. Every simulation is a line of results/comparison/sbc.jsonl, so a run that was stopped
goes on. Writes sbc.md.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import pymc as pm

from bayeshpo.analysis.comparison.crossed import population_effects
from bayeshpo.analysis.comparison.fitting import Fit, compiled, sampled
from bayeshpo.analysis.comparison.log_regret import LogRegrets, build
from bayeshpo.diagnostics.calibration import DRAWS, Calibration
from bayeshpo.experiment.rows import Rows
from bayeshpo.surrogates.symbolic import UNCOMPILED

PROBLEMS, SEARCHERS, SEEDS = 6, 3, 4
FLOOR = -3.0
NAMES = ("level", "problem_sd", "problem_level", "searcher_sd", "interaction_sd", "searcher_mean", "noise")
HERE = Path(__file__).resolve().parent


def main() -> None:
    """Simulate what is not on record yet, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--simulations", type=int, default=100)
    simulations = parser.parse_args().simulations
    rows = Rows(Path("results/comparison/sbc.jsonl"), "simulation")
    problem, searcher, _ = np.indices((PROBLEMS, SEARCHERS, SEEDS)).reshape(3, -1)
    blank = LogRegrets(problem, searcher, np.full(len(problem), FLOOR), FLOOR, (PROBLEMS, SEARCHERS))
    model = build(blank)
    [outcome] = model.observed_RVs
    drawn = pm.draw([*model.free_RVs, outcome], draws=simulations, random_seed=0, mode=UNCOMPILED)
    truths = {str(rv.name): np.asarray(v) for rv, v in zip(model.free_RVs, drawn, strict=False)}
    waiting = [i for i in range(simulations) if {"simulation": i} not in rows]
    density = compiled(model) if waiting else None
    for i in waiting:
        rng = np.random.default_rng([1, i])
        fit = sampled(density.with_data(y=drawn[-1][i]), model, len(problem), 500, rng)
        truth = Fit({name: values[i][None, None] for name, values in truths.items()}, fit.report)
        ranks = (_quantities(fit, rng) < _quantities(truth, rng)).sum(axis=0)
        rows.add({"simulation": i, "status": fit.report.status, "ranks": ranks.tolist()})
    _write(rows, _labels(truths), float((drawn[-1] <= FLOOR).mean()))


def _quantities(fit: Fit, rng: np.random.Generator) -> np.ndarray:
    """Thinned draws of all that is ranked (draw, K): the variables, and effects in the population of problems."""
    columns = [fit.pooled(name).reshape(len(fit.pooled(name)), -1) for name in NAMES]
    draws = np.concatenate([*columns, population_effects(fit, PROBLEMS, rng)], axis=1)
    return draws[np.linspace(0, len(draws) - 1, min(DRAWS, len(draws))).astype(int)]


def _labels(truths: dict[str, np.ndarray]) -> tuple[str, ...]:
    sizes = {name: int(np.prod(truths[name].shape[1:])) for name in NAMES} | {"population effect": SEARCHERS}
    return tuple(name if size == 1 else f"{name} {k + 1}" for name, size in sizes.items() for k in range(size))


def _write(rows: Rows, names: tuple[str, ...], censored: float) -> None:
    found = sorted(rows.finished, key=lambda row: row["simulation"])
    ranks, statuses = np.array([row["ranks"] for row in found]), tuple(row["status"] for row in found)
    calibration = Calibration(names, ranks, statuses)
    lines = [
        f"{calibration.verdict}. {censored:.0%} of the simulated regrets are censored.",
        "",
        "| quantity | mean rank (0.5) | p, 20 bins | p, largest deviation |",
        "|---|---|---|---|",
    ]
    columns = zip(names, ranks.T, calibration.chi_square, calibration.largest_deviation, strict=True)
    for name, column, chi_square, deviation in columns:
        lines.append(f"| {name} | {(column + 0.5).mean() / (DRAWS + 1):.2f} | {chi_square:.2g} | {deviation:.2g} |")
    (HERE / "sbc.md").write_text("\n".join(lines) + "\n")
    print("\n".join(lines))


if __name__ == "__main__":
    main()
