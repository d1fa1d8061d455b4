"""What `bayeshpo compare` takes from a results folder, leaves there, and prints."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

from bayeshpo.analysis.traces import Traces
from bayeshpo.errors import SpecificationError
from bayeshpo.experiment.store import Results, read_json, write_json

_FILE = "comparison.json"
# Earlier records have their runs in the note.
_EARLIER: dict[str, Any] = {"coverage": [], "runs": []}


def comparable(path: Path) -> Traces:
    """The part of a results folder that can be compared, with what it was chosen from as its source.

    Raises
    ------
    SpecificationError
        If the folder holds no results, or less than two searchers on two problems that can be compared.
    """
    results = Results(path)
    traces = Traces.of_results(results, results.runs()).comparable()
    if len(traces.searchers) < 2 or len(traces.problems) < 2:
        raise SpecificationError(
            f"{path}: expected two searchers with a whole run on two problems each, with the same seed, got "
            f"{len(traces.searchers)} on {len(traces.problems)}; go on with 'bayeshpo run'"
        )
    return traces


def write_comparisons(results: Path, records: Sequence[Mapping[str, Any]]) -> Path:
    """Write ``comparison.json``, in place of an earlier one, and return its path."""
    write_json(results / _FILE, {"models": list(records)})
    return results / _FILE


def read_comparisons(results: Path) -> list[dict[str, Any]]:
    """A record a model; empty where nothing has been compared yet."""
    path = results / _FILE
    return [_EARLIER | record for record in read_json(path)["models"]] if path.is_file() else []


def coverage_of(records: Sequence[Mapping[str, Any]]) -> list[str]:
    """Sentences: which runs the models are of, and what is left out; each once, whatever the number of models."""
    return list(dict.fromkeys(sentence for record in records for sentence in record["coverage"]))


def print_comparison(record: Mapping[str, Any], console: Console) -> None:
    """One model: each searcher's effect and probability of being best, the checks, and what may be claimed."""
    table = Table(
        title=record["title"], title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0)
    )
    table.add_column("searcher", overflow="fold")
    for name in ("effect", "90 % interval", "P(best)"):
        table.add_column(name, justify="right", no_wrap=True)
    columns = (record[name] for name in ("searchers", "median", "low", "high", "best"))
    for searcher, median, low, high, best in sorted(zip(*columns, strict=True), key=lambda row: row[1]):
        table.add_row(searcher, f"{median:z.3f}", f"{low:z.3f} to {high:z.3f}", f"{best:.2f}")
    console.print(table)
    report = record["report"]
    checks = (
        f"Effect: {record['unit']}; lower is better. {record['note']} R-hat {report['rhat_max']:.3f}, bulk ESS "
        f"{report['ess_bulk_min']:.0f}, {report['divergences']} divergences, {report['seconds_sample']:.0f} s."
    )
    console.print(checks, style="dim", highlight=False, markup=False)
    style = "green" if report["status"] == "ok" else "yellow"
    console.print(record["claim"], style=style, highlight=False, markup=False)
    console.print()
