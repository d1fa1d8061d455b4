"""The default engine with many hyperparameters: moves with and without trajectories along the gradient.

    uv run python experiments/many_hyperparameters/run.py [--dimensions 8 10 20 40] [--last 24]

Hartmann-6 in the first six of more coordinates, uniform draws; the posterior of gp, with D + 3 hyperparameters, is
carried from 10 trials on, one trial at a time. Printed and written to results/many_hyperparameters/table.md: fits that
passed their checks, and seconds of a fit. Both ways see the same trials, fit by fit in turn.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from time import perf_counter

import numpy as np

from bayeshpo.inference import step
from bayeshpo.inference.density import log_density
from bayeshpo.inference.sequential import Sequential
from bayeshpo.parallel import one_blas_thread
from bayeshpo.problems.synthetic import Hartmann6
from bayeshpo.space import as_space
from bayeshpo.surrogates.base import TrainingData
from bayeshpo.surrogates.columns import Columns
from bayeshpo.surrogates.gp import GaussianProcess
from bayeshpo.testing.trials import history_of

FIRST = 10
# With more hyperparameters than these some moves go along the gradient.
WAYS = {"with trajectories": 0, "without": 1000}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dimensions", type=int, nargs="+", default=[8, 10, 20, 40])
    parser.add_argument("--last", type=int, default=24)
    parser.add_argument("--output", type=Path, default=Path("results/many_hyperparameters"))
    arguments = parser.parse_args()
    lines = ["| D | moves | fits ok | median s | 95th percentile s |", "|---|---|---|---|---|"]
    for dimension in arguments.dimensions:
        with one_blas_thread():
            found = _measured(dimension, arguments.last)
        for way, rows in found.items():
            seconds, ok = [s for s, _ in rows], sum(status == "ok" for _, status in rows)
            middle, high = np.quantile(seconds, [0.5, 0.95])
            lines.append(f"| {dimension} | {way} | {ok} of {len(rows)} | {middle:.2g} | {high:.2g} |")
    arguments.output.mkdir(parents=True, exist_ok=True)
    (arguments.output / "table.md").write_text("\n".join(lines) + "\n")
    print("\n".join(lines))


def _measured(dimension: int, last: int) -> dict[str, list[tuple[float, str]]]:
    """Seconds and status of every fit, by way."""
    space, function = as_space({f"x{j}": (0.0, 1.0) for j in range(dimension)}), Hartmann6()
    X = space.sample(last, np.random.default_rng(0))
    losses = [function.function(x[:6]) for x in X]
    density, found = log_density(GaussianProcess(), Columns.of(space)), {way: [] for way in WAYS}
    posteriors, engine = dict.fromkeys(WAYS), Sequential()
    # Compiled for both ways, so that no fit has to.
    density.prepare_gradient()
    engine.prepare(density)
    # What is compiled at first use belongs to no fit.
    engine.fit(density, density.no_data, rng=np.random.default_rng(0))
    for n in range(FIRST, last + 1):
        data = TrainingData.of(history_of(space, space.decode(X[:n]), losses[:n]))
        for way, many in WAYS.items():
            step._MANY_HYPERPARAMETERS = many
            begun = perf_counter()
            posterior = engine.fit(density, data, rng=np.random.default_rng(n), previous=posteriors[way])
            found[way].append((perf_counter() - begun, posterior.report.status))
            posteriors[way] = posterior
    return found


if __name__ == "__main__":
    main()
