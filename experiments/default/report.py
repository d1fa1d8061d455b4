"""What `experiments/default.toml` has found: mean ranks, regrets, coverage, and two surrogates search by search.

uv run python -m experiments.default.report results/default
uv run python -m experiments.default.report results/closer --experiment experiments/default/closer.toml
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import binomtest

from bayeshpo.analysis.ahead import Ahead
from bayeshpo.analysis.figures import coverage as figure
from bayeshpo.analysis.figures.style import Drawing
from bayeshpo.analysis.fits import fits_of
from bayeshpo.analysis.recommended import recommended_regret
from bayeshpo.analysis.record import save_record
from bayeshpo.analysis.regret import Regret, simple_regret
from bayeshpo.experiment.store import Results, RunRecord
from experiments.by_suite import Suites, coverage, medians, ranks, suites, whole_seeds, with_all

_EXPERIMENT = Path("experiments/default.toml")
_PAIR = ("gp", "warped_outcome")
_WIDTH = 5.5


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("results", type=Path)
    parser.add_argument("--experiment", type=Path, default=_EXPERIMENT, help="the file of which these are results")
    parser.add_argument("--output", type=Path, help="folder of table.md and the figure of coverage; RESULTS by default")
    arguments = parser.parse_args()
    folder = arguments.output or arguments.results
    runs = whole_seeds(Results(arguments.results).runs())
    regrets, of = simple_regret(runs), suites(arguments.experiment)
    predicted = [line for name in _PAIR for line in ("", *coverage(runs, of, name))]
    text = "\n".join([*ranks(regrets, runs, of), "", *_paired(regrets, runs, of), "", *medians(regrets), *predicted])
    (folder / "table.md").write_text(text + "\n", encoding="utf-8")
    print(text)
    distances = {name: Ahead.of(fits_of([r for r in runs if r.searcher == name])).distance.tolist() for name in _PAIR}
    save_record({"distances": distances}, _draw, folder, _WIDTH)


def _draw(record: dict[str, Any], width: float) -> Drawing:
    """Coverage of central intervals over their nominal one."""
    drawing = figure.of_distances({name: np.array(d) for name, d in record["distances"].items()}, width)
    return replace(drawing, caption=f"Of the next trial of searches on {len(_PAIR)} surrogates. {drawing.caption}")


def _paired(regrets: Sequence[Regret], runs: Sequence[RunRecord], of: Suites) -> Iterator[str]:
    """A row a suite: in how many searches of one problem and seed the second surrogate ended better and worse."""
    best = {(r.problem, s, r.searcher): v for r in regrets for s, v in zip(r.seeds, r.final, strict=True)}
    recommended = {(r.problem, r.seed, r.searcher): recommended_regret(r, r.trials) for r in runs}
    seconds = {(r.problem, r.seed, r.searcher): float(np.median([t["seconds_ask"] for t in r.trials])) for r in runs}
    yield f"`{_PAIR[1]}` beside `{_PAIR[0]}`: searches that ended better and worse; time of a proposal."
    yield ""
    yield "| suite | best observed | recommended | seconds, median ratio |"
    yield "|---|---|---|---|"
    for suite, problems in with_all(of).items():
        at = [(p, seed) for p, seed, name in best if name == _PAIR[0] and p in problems]
        ratio = np.median([seconds[*where, _PAIR[1]] / seconds[*where, _PAIR[0]] for where in at])
        cells = [
            _signs([tuple(values[*where, name] for name in _PAIR) for where in at]) for values in (best, recommended)
        ]
        yield f"| {suite} | {' | '.join(cells)} | {ratio:.1f} |"


def _signs(pairs: Sequence[tuple[float, ...]]) -> str:
    """How many pairs have a second value below and above the first, and how probable that is by chance."""
    differences = np.array([second - first for first, second in pairs])
    better, worse = int((differences < 0.0).sum()), int((differences > 0.0).sum())
    chance = f" (p = {binomtest(better, better + worse).pvalue:.2g})" if better + worse > 10 else ""
    return f"{better}, {worse}{chance}"


if __name__ == "__main__":
    main()
