"""LaTeX tables (booktabs) and a macro for every number of a paper's text."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path

from bayeshpo.analysis.aggregates import Aggregate, Interval, aggregates
from bayeshpo.analysis.compared import comparable, covered
from bayeshpo.analysis.comparison_table import comparison_numbers, comparison_table
from bayeshpo.analysis.comparisons import read_comparisons
from bayeshpo.analysis.completeness import Completeness, completeness
from bayeshpo.analysis.fits import fits_of
from bayeshpo.analysis.health import PosteriorHealth, posterior_health
from bayeshpo.analysis.latex import escape, number, percent
from bayeshpo.analysis.macros import Macro, commands
from bayeshpo.analysis.outcomes import SearcherOutcome, outcomes
from bayeshpo.analysis.rank_numbers import rank_numbers
from bayeshpo.analysis.statistics.equivalence import equivalent_to_best
from bayeshpo.analysis.traces import Traces
from bayeshpo.experiment.store import Results, RunRecord
from bayeshpo.inference.limits import ESS_LIMIT, RHAT_LIMIT


def write_tables(results_path: str | Path, destination: str | Path | None = None) -> list[Path]:
    r"""Write ``numbers.tex`` and LaTeX tables: of regret, over problems, of a comparison, and of posterior health.

    ``regret.tex``; ``overall.tex``, of what can be compared; ``comparison.tex``, of what `bayeshpo compare` has left;
    ``health.tex``, of what was fitted.

    On each problem the lowest median regret is bold, and what is practically equivalent to it is underlined; see
    `bayeshpo.analysis.statistics.equivalence`. Over all problems the best of each column is bold.

    Macros in ``numbers.tex`` are named by experiment, problem, searcher and quantity, as in
    ``\QuickstartBraninRandomRegretMedian``.

    Parameters
    ----------
    results_path
        A results folder, whole or in small form.
    destination
        Folder to write to; ``tables`` in the results folder by default.

    Raises
    ------
    SpecificationError
        If the folder holds no results.
    """
    results = Results(results_path)
    runs = results.runs()
    folder = results.path / "tables" if destination is None else Path(destination)
    folder.mkdir(parents=True, exist_ok=True)
    rows, health, traces = outcomes(results, runs), posterior_health(fits_of(runs)), Traces.of_results(results, runs)
    state, name = completeness(results, runs), results.experiment["name"]
    numbers = _numbers(name, runs, rows, health, state)
    contents = {"regret.tex": _regret_table(rows, traces)} if runs else {}
    if compared := comparable(traces):
        overall, sentences = aggregates(compared), covered(compared)
        contents["overall.tex"] = _overall_table(overall, sentences)
        numbers += [*_overall_numbers(name, overall, sentences), *rank_numbers(name, compared)]
    if comparisons := read_comparisons(results.path):
        contents["comparison.tex"] = comparison_table(comparisons)
    if health:
        contents["health.tex"] = _health_table(health)
    numbers += comparison_numbers(name, comparisons)
    contents["numbers.tex"] = "\n".join(commands(numbers)) + "\n"
    for name, content in contents.items():
        (folder / name).write_text(content, encoding="utf-8")
    return [folder / name for name in contents]


def write_captions(captions: Path, experiment: str, destination: Path) -> Path:
    r"""Write the generated captions of figures as macros: ``\QuickstartCaptionRegret``.

    Parameters
    ----------
    captions
        The ``captions.json`` beside the figures.
    experiment
        The experiment's name.
    destination
        File to write.
    """
    texts = json.loads(captions.read_text(encoding="utf-8"))["captions"]
    macros: list[Macro] = [((experiment, "caption", name), escape(text)) for name, text in texts.items()]
    destination.write_text("\n".join(commands(macros)) + "\n", encoding="utf-8")
    return destination


def _regret_table(rows: Sequence[SearcherOutcome], traces: Traces) -> str:
    inferred = any(not math.isnan(row.inference) for row in rows)
    lines = [
        r"\begin{tabular}{@{}ll" + "r" * (6 if inferred else 5) + "@{}}",
        r"\toprule",
        r"problem & searcher & median regret & quartiles & " + (r"inference regret & " if inferred else "")
        + r"seeds & failed & s / suggestion \\",
    ]  # fmt: skip
    final = traces.final()
    for problem in dict.fromkeys(row.problem for row in rows):
        lines.append(r"\midrule")
        own = [row for row in rows if row.problem == problem]
        p = traces.problems.index(problem)
        alike = dict(zip(traces.searchers, equivalent_to_best(final[p]), strict=True))
        least = min((row.regret[1] for row in own if not math.isnan(row.regret[1])), default=math.nan)
        for i, row in enumerate(own):
            cells = [
                escape(problem) + ("" if row.optimum_known else "$^*$") if i == 0 else "",
                escape(row.searcher.replace("_", " ")),
                _marked(number(row.regret[1]), best=row.regret[1] == least, alike=alike[row.searcher]),
                _range(row.regret[0], row.regret[2]),
                *([number(row.inference)] if inferred else []),
                str(row.asked) if row.finished == row.asked else f"{row.finished} of {row.asked}", str(row.failed),
                number(row.seconds, 2),
            ]  # fmt: skip
            lines.append(" & ".join(cells) + r" \\")
    return "\n".join([*lines, r"\bottomrule", r"\end{tabular}", ""])


def _range(low: float, high: float) -> str:
    return "--" if math.isnan(low) and math.isnan(high) else f"{number(low, 2)} to {number(high, 2)}"


def _marked(text: str, *, best: bool, alike: bool) -> str:
    if best:
        # An \ensuremath inside \textbf stays thin: \boldmath thickens it too.
        return rf"{{\boldmath\textbf{{{text}}}}}"
    return rf"\underline{{{text}}}" if alike else text


def _overall_table(rows: Sequence[Aggregate], sentences: Sequence[str]) -> str:
    wins = any(row.wins for row in rows)
    lowest = [min(row.rank[1] for row in rows), min(row.iqm[1] for row in rows)]
    most = max((row.wins[1] for row in rows if row.wins), default=math.nan)
    lines = [
        r"\begin{tabular}{@{}l" + "r" * (4 if wins else 3) + "@{}}",
        r"\toprule",
        r"searcher & mean rank & IQM of normalised regret & "
        + (r"P(better than random) & " if wins else "")
        + r"runs \\",
        r"\midrule",
    ]
    for row in rows:
        cells = [
            escape(row.searcher.replace("_", " ")),
            _interval(row.rank, best=row.rank[1] == lowest[0]), _interval(row.iqm, best=row.iqm[1] == lowest[1]),
            *([_interval(row.wins, best=row.wins is not None and row.wins[1] == most)] if wins else []),
            str(row.runs),
        ]  # fmt: skip
        lines.append(" & ".join(cells) + r" \\")
    notes = [rf"\multicolumn{{{4 + wins}}}{{@{{}}l@{{}}}}{{\footnotesize {escape(text)}}} \\" for text in sentences]
    return "\n".join([*lines, r"\bottomrule", *notes, r"\end{tabular}", ""])


def _interval(interval: Interval | None, *, best: bool) -> str:
    if interval is None:
        return "--"
    low, value, high = interval
    return f"{_marked(number(value), best=best, alike=False)} ({number(low)} to {number(high)})"


def _overall_numbers(name: str, rows: Sequence[Aggregate], sentences: Sequence[str]) -> list[Macro]:
    lines: list[Macro] = [((name, "overall", "coverage"), escape(" ".join(sentences)))]
    for row in rows:
        for quantity, interval in {"rank": row.rank, "iqm": row.iqm, "wins": row.wins}.items():
            if interval is not None:
                for part, value in zip(("lower", "value", "upper"), interval, strict=True):
                    lines.append(((name, "overall", row.searcher, quantity, part), number(value)))
    return lines


def _health_table(rows: Sequence[PosteriorHealth]) -> str:
    several = len({row.searcher for row in rows}) > 1
    lines = [
        r"\begin{tabular}{@{}lrrrrrrrr@{}}",
        r"\toprule",
        r"& & \multicolumn{2}{c}{share of fits (\%)} & \multicolumn{2}{c}{worst fit} & & \multicolumn{2}{c}{seconds}\\",
        r"\cmidrule(lr){3-4} \cmidrule(lr){5-6} \cmidrule(l){8-9}",
        rf"problem & fits & $\widehat{{R}} < {RHAT_LIMIT:g}$ & ESS $> {ESS_LIMIT:g}$ & $\widehat{{R}}$ & ESS & "
        r"divergences & fit & maximise \\",
        r"\midrule",
    ]
    for row in rows:
        if row.problem is None:
            lines.append(r"\addlinespace")
        label = escape(row.problem or "all")
        if several:
            label += f" ({escape(row.searcher)})"
        cells = [
            label, str(row.fits), percent(row.rhat_share), percent(row.ess_share), _rhat(row.rhat_max),
            number(row.ess_min), _count(row.divergences), number(row.seconds_fit, 2), number(row.seconds_maximise, 2),
        ]  # fmt: skip
        lines.append(" & ".join(cells) + r" \\")
    return "\n".join([*lines, r"\bottomrule", r"\end{tabular}", ""])


def _numbers(
    name: str,
    runs: Sequence[RunRecord],
    rows: Sequence[SearcherOutcome],
    health: Sequence[PosteriorHealth],
    state: Completeness,
) -> list[Macro]:
    overall = {
        "problems": len({run.problem for run in runs}),
        "searchers": len({run.searcher for run in runs}),
        "seeds": len({run.seed for run in runs}),
        "runs": len(runs),
        "runs finished": state.finished,
        "runs expected": state.expected,
        "runs missing": state.expected - state.finished,
        "trials": sum(row.trials for row in rows),
        "failed": sum(row.failed for row in rows),
    }
    lines: list[Macro] = [((name, key), str(value)) for key, value in overall.items()]
    for problem in dict.fromkeys(run.problem for run in runs):
        own = [run for run in runs if run.problem == problem]
        lines.append(((name, problem, "budget"), str(max(run.spec["budget"] for run in own))))
        lines.append(((name, problem, "dimension"), str(len(own[0].spec["space"]))))
    for row in rows:
        lines += [((name, row.problem, row.searcher, key), v) for key, v in _outcome_numbers(row, rows).items()]
    for fitted in health:
        parts = (name, fitted.problem or "all", fitted.searcher)
        lines += [((*parts, key), value) for key, value in _health_numbers(fitted).items()]
    return lines


def _outcome_numbers(row: SearcherOutcome, rows: Sequence[SearcherOutcome]) -> dict[str, str]:
    low, median, high = row.regret
    numbers = {
        "regret lower": number(low), "regret median": number(median), "regret upper": number(high),
        "inference regret": number(row.inference),
        "best": "--" if row.best is None else number(row.best, 4), "seeds": str(row.seeds),
        "finished": str(row.finished), "asked": str(row.asked),
        "trials": str(row.trials), "failed": str(row.failed), "seconds": number(row.seconds, 2),
        "work": number(row.work),
    }  # fmt: skip
    random = [other.regret[1] for other in rows if (other.problem, other.searcher) == (row.problem, "random")]
    if random and row.searcher != "random" and random[0] > 0:
        numbers["regret ratio"] = number(median / random[0], 2)
    return numbers


def _health_numbers(row: PosteriorHealth) -> dict[str, str]:
    return {
        "fits": str(row.fits), "rhat share": percent(row.rhat_share), "ess share": percent(row.ess_share),
        "converged share": percent(row.both_share), "rhat max": _rhat(row.rhat_max), "ess min": number(row.ess_min),
        "divergences": _count(row.divergences), "seconds fit": number(row.seconds_fit, 2),
        "seconds maximise": number(row.seconds_maximise, 2),
    }  # fmt: skip


def _rhat(value: float) -> str:
    return "--" if math.isnan(value) else f"{value:.4f}"


def _count(value: int | None) -> str:
    return "--" if value is None else str(value)
