"""Do the posteriors of all surrogates converge on studies that were searched, with settings as they come?

    uv run python experiments/histories/run.py [SURROGATE ...] [--engines sequential,nuts]

The ten studies of tests/recorded_histories, most of whose points a search chose, are each fitted once from nothing, by
the default engine and by NUTS. A fit is ok if R-hat is below 1.01, bulk ESS above 400 and at most one draw in a
thousand diverged. Every finished fit is a line of the record (results/histories/fits.jsonl by default), so a run that
was stopped goes on. Left out: `multi_task` and `derivative`, which without earlier studies and gradients are `gp`, and
what a surrogate refuses; and `stacked`, which is fitted one member after the other.
"""

from __future__ import annotations

import argparse
import itertools
import json
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from bayeshpo.errors import SpecificationError
from bayeshpo.experiment.rows import Rows
from bayeshpo.history import History
from bayeshpo.inference.density import log_density
from bayeshpo.parallel import one_blas_thread
from bayeshpo.registry import SURROGATES, create
from bayeshpo.space import as_space
from bayeshpo.surrogates.base import Surrogate, TrainingData
from bayeshpo.surrogates.columns import Columns
from bayeshpo.testing.trials import history_of

STUDIES = Path(__file__).parents[2] / "tests" / "recorded_histories"
LEFT_OUT = {"multi_task", "derivative", "stacked"}
ENGINES = ("sequential", "nuts")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "surrogates", nargs="*", metavar="SURROGATE", default=[s for s in SURROGATES if s not in LEFT_OUT]
    )
    parser.add_argument("--engines", default=",".join(ENGINES))
    parser.add_argument("--output", type=Path, default=Path("results/histories"))
    arguments = parser.parse_args()
    rows = Rows(arguments.output / "fits.jsonl", "surrogate", "engine", "study")
    cells = itertools.product(arguments.engines.split(","), arguments.surrogates, studies())
    for engine, name, (study, history) in cells:
        row, surrogate = {"surrogate": name, "engine": engine, "study": study}, create("surrogate", name, {})
        if row not in rows and not _refuses(surrogate, history):
            rows.add(row | _fitted(surrogate, engine, history))
    text = "\n".join(_table(rows.finished))
    (arguments.output / "table.md").write_text(text + "\n")
    print(text)


def studies() -> Iterator[tuple[str, History]]:
    """The recorded studies by name, on spaces of the same columns."""
    for path in sorted(STUDIES.glob("*.json")):
        record = json.loads(path.read_text())
        choices = {j: [f"choice {k}" for k in range(len(centres))] for j, centres in record["choices"]}
        space = as_space({name: choices.get(j, (0.0, 1.0)) for j, name in enumerate(record["columns"])})
        trials = np.array(record["trials"], dtype=float)
        losses = [float(v) if np.isfinite(v) else None for v in trials[:, -1]]
        yield path.stem, history_of(space, space.decode(trials[:, :-1]), losses)


def _refuses(surrogate: Surrogate, history: History) -> bool:
    try:
        surrogate.check(Columns.of(history.space))
    except SpecificationError:
        return True
    return False


def _fitted(surrogate: Surrogate, engine: str, history: History) -> dict[str, Any]:
    density = log_density(surrogate, Columns.of(history.space))
    data = surrogate.prepared(density.columns, TrainingData.of(history))
    with one_blas_thread():
        report = create("engine", engine, {}).fit(density, data, rng=np.random.default_rng(0)).report
    kept = ("n", "status", "reason", "action", "rhat_max", "ess_bulk_min", "divergences", "seconds_sample")
    return {name: value for name, value in report.to_row().items() if name in kept}


def _table(rows: list[dict[str, Any]]) -> list[str]:
    lines = [
        "| surrogate | engine | fits ok | largest R-hat | lowest bulk ESS | divergences | median s | not ok on |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for name, engine in dict.fromkeys((r["surrogate"], r["engine"]) for r in rows):
        fits = [r for r in rows if (r["surrogate"], r["engine"]) == (name, engine)]
        bad = [r["study"] for r in fits if r["status"] != "ok"]
        divergences = [r["divergences"] for r in fits if r["divergences"] is not None]
        cells = [
            f"`{name}`",
            engine,
            f"{len(fits) - len(bad)} of {len(fits)}",
            f"{max(r['rhat_max'] for r in fits):.3f}",
            f"{min(r['ess_bulk_min'] for r in fits):.0f}",
            str(sum(divergences)) if divergences else "",
            f"{median(r['seconds_sample'] for r in fits):.1f}",
            ", ".join(bad),
        ]
        lines.append("| " + " | ".join(cells) + " |")
    return lines


if __name__ == "__main__":
    main()
