"""What `bayeshpo compare` has found, as a LaTeX table and as macros."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from bayeshpo.analysis.compared import RunCount
from bayeshpo.analysis.comparisons import coverage_of
from bayeshpo.analysis.latex import escape, number
from bayeshpo.analysis.macros import Macro
from bayeshpo.analysis.wording import words


def comparison_table(records: Sequence[Mapping[str, Any]]) -> str:
    """A part a model, with its checks: searchers by their effect, with probabilities of being best, and their runs."""
    lines = [
        r"\begin{tabular}{@{}lrrr@{}}",
        r"\toprule",
        r"searcher & P(best) & effect (90 \% interval) & runs \\",
    ]
    for record in records:
        lines += [r"\midrule", _line(rf"\emph{{{escape(record['title'])}}}: {escape(record['unit'])}")]
        lines += [_line(escape(_checks(record["report"]))), r"\addlinespace"]
        lines += [" & ".join(cells) + r" \\" for cells in _rows(record)]
    notes = [_line(rf"\footnotesize {escape(sentence)}") for sentence in coverage_of(records)]
    return "\n".join([*lines, r"\bottomrule", *notes, r"\end{tabular}", ""])


def comparison_numbers(name: str, records: Sequence[Mapping[str, Any]]) -> list[Macro]:
    """Each searcher's probability of being best and effect, each model's checks and claim, and what they are of."""
    macros: list[Macro] = []
    for record in records:
        model, report = (name, "comparison", record["name"]), _report_numbers(record["report"])
        macros += [((*model, "claim"), escape(record["claim"]))]
        macros += [((*model, quantity), value) for quantity, value in report.items()]
        columns = (record[key] for key in ("searchers", "best", "low", "median", "high"))
        for searcher, best, low, median, high in zip(*columns, strict=True):
            values = {"best": f"{best:.2f}", "lower": number(low), "median": number(median), "upper": number(high)}
            macros += [((*model, searcher, quantity), value) for quantity, value in values.items()]
    if sentences := coverage_of(records):
        macros.append(((name, "comparison", "coverage"), escape(" ".join(sentences))))
    return macros


def _report_numbers(report: Mapping[str, Any]) -> dict[str, str]:
    """Convergence of a model's sampling."""
    rhat, ess, divergences = (report[key] for key in ("rhat_max", "ess_bulk_min", "divergences"))
    return {
        "status": escape(report["status"].replace("_", " ")),
        "rhat max": "--" if rhat is None else f"{rhat:.4f}",
        "ess min": "--" if ess is None else f"{ess:.0f}",
        "divergences": "--" if divergences is None else str(divergences),
    }


def _rows(record: Mapping[str, Any]) -> list[list[str]]:
    runs = [str(RunCount(**count)) for count in record["runs"]] or ["--"] * len(record["searchers"])
    columns = (record[key] for key in ("median", "searchers", "best", "low", "high"))
    return [
        [escape(words(searcher)), f"{best:.2f}", f"{number(median)} ({number(low)} to {number(high)})", count]
        for median, searcher, best, low, high, count in sorted(zip(*columns, runs, strict=True))
    ]


def _checks(report: Mapping[str, Any]) -> str:
    found = _report_numbers(report)
    verdict = "passed its checks" if report["status"] == "ok" else f"did not pass its checks, {report['reason']}"
    return f"{verdict}: R-hat {found['rhat max']}, bulk ESS {found['ess min']}, {found['divergences']} divergences"


def _line(text: str) -> str:
    return rf"\multicolumn{{4}}{{@{{}}l@{{}}}}{{{text}}} \\"
