"""Whether full inference paid in `experiments/diagnostics.toml`: predictions, coverage and regret, as table.md.

uv run python -m experiments.diagnostics.report results/diagnostics
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from bayeshpo.analysis.ahead import Ahead
from bayeshpo.analysis.costs import against_cost
from bayeshpo.analysis.diagnosis import diagnosing
from bayeshpo.analysis.fits import Fits, by_searcher, column, fits_of, rows_of
from bayeshpo.analysis.traces import Traces
from bayeshpo.experiment.store import Results, RunRecord

_REFERENCE = "NUTS"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("results", type=Path)
    parser.add_argument("--output", type=Path, default=Path(__file__).parent / "table.md")
    arguments = parser.parse_args()
    results = Results(arguments.results)
    runs = [run for run in results.runs() if run.done is not None]
    traces = Traces.of_results(results, results.runs())
    common = _common(runs)
    text = "\n".join([*_predictions(common), "", *_regret(traces), "", *_decisions(common)])
    arguments.output.write_text(text + "\n", encoding="utf-8")
    print(text)


def _common(runs: list[RunRecord]) -> dict[str, list[Fits]]:
    """Fits of whole runs by engine: of those problems and seeds that all engines have finished."""
    engines = list(dict.fromkeys(run.searcher for run in runs))
    have = [{(r.problem, r.seed) for r in runs if r.searcher == engine} for engine in engines]
    shared = set.intersection(*have)
    return by_searcher(fits_of([run for run in runs if (run.problem, run.seed) in shared]))


def _predictions(fits: dict[str, list[Fits]]) -> list[str]:
    """A row an engine: log score of the next trial, less that of the reference's own runs, and coverage."""
    scores = {e: np.array([Ahead.of([one]).mean_log_score for one in own], dtype=float) for e, own in fits.items()}
    count = len(next(iter(fits.values())))
    lines = [
        f"{count} runs of each engine, the same problems and seeds. Log scores of the next trial are of the engine's",
        f"own trials: median, mean, and difference of runs' means from {_REFERENCE} on the same problem and seed.",
        "Diagnosing: the share of what is always diagnosed in the seconds of it, of fitting and of proposing.",
        "",
        "| engine | median score | mean | difference | in 50 % | in 90 % | predictions | fits ok | seconds a fit | "
        "diagnosing |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for engine, own in fits.items():
        rows, ahead = rows_of(own), Ahead.of(own)
        difference = scores[engine] - scores[_REFERENCE]
        error = difference.std(ddof=1) / np.sqrt(len(difference))
        covered = [f"{c.share:.0%} ({c.low:.0%} to {c.high:.0%})" for c in ahead.coverage]
        share = diagnosing(rows)
        ok = np.mean([row["status"] == "ok" for row in rows])
        lines.append(
            f"| {engine} | {np.median(ahead.log_score):.2f} | {np.mean(scores[engine]):.2f} | "
            f"{difference.mean():+.2f} ± {error:.2f} | {covered[0]} | "
            f"{covered[1]} | {len(ahead)} | {ok:.0%} | {np.median(column(rows, 'seconds_sample')):.2f} | "
            f"{'-' if share is None else f'{share:.1%}'} |"
        )
    return lines


def _regret(traces: Traces) -> list[str]:
    """A row a problem: median normalised regret at equal trials, and at the seconds that the fastest engine took."""
    names = traces.searchers
    lines = [
        "Median over seeds of the normalised regret, after all trials | after the seconds of proposing and evaluating",
        "in which the fastest engine had made all of its own.",
        "",
        f"| problem | {' | '.join(names)} |",
        "|---" * (1 + len(names)) + "|",
    ]
    final, normalised, costs = traces.final(), traces.normalised(), traces.costs
    assert costs is not None
    seconds = costs.evaluating + costs.searching
    for p, problem in enumerate(traces.problems):
        shared = traces.whole[p].all(axis=0)
        if not shared.any():
            continue
        ends = np.nanmax(seconds[p][:, shared], axis=2)
        cells = []
        for s in range(len(names)):
            at = [
                against_cost(normalised[p, s, r][None], seconds[p, s, r][None], ends[:, i].min()[None])[0, 0]
                for i, r in enumerate(np.flatnonzero(shared))
            ]
            cells.append(f"{np.median(final[p, s, shared]):.3f} \\| {np.median(np.nan_to_num(at, nan=1.0)):.3f}")
        lines.append(f"| {problem} ({shared.sum()}) | {' | '.join(cells)} |")
    return lines


def _decisions(fits: dict[str, list[Fits]]) -> list[str]:
    """A row an engine: how far a point estimate's proposal is from its own, and what its search would lose by it."""
    lines = [
        "At every sixth trial: distance of the point estimate's proposal from the engine's (root mean square over",
        "dimensions of the unit cube), how much log expected improvement under the engine's draws it loses, and how",
        "many proposals are the same (within 0.01).",
        "",
        "| engine | median distance | median loss | the same | fits |",
        "|---|---|---|---|---|",
    ]
    for engine, own in fits.items():
        rows = [row for row in rows_of(own) if row.get("point_distance") is not None]
        if rows:
            apart, loss = column(rows, "point_distance"), column(rows, "point_loss")
            lines.append(
                f"| {engine} | {np.median(apart):.3f} | {np.median(loss):.3f} | {np.mean(apart < 0.01):.0%} | "
                f"{len(rows)} |"
            )
    return lines


if __name__ == "__main__":
    main()
