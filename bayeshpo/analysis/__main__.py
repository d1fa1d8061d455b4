"""``python -m bayeshpo.analysis``: the generated parts of a paper."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from bayeshpo.errors import BayeshpoError


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    parser = argparse.ArgumentParser(prog="python -m bayeshpo.analysis", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    export = commands.add_parser("export", help="write results in small form, to be committed beside a paper")
    paper = commands.add_parser("paper", help="draw figures and write tables, numbers and captions as LaTeX")
    for command in (export, paper):
        command.add_argument("results", type=Path)
        command.add_argument("destination", type=Path)
    given = parser.parse_args(arguments)
    try:
        paths = (_export if given.command == "export" else _paper)(given.results, given.destination)
    except BayeshpoError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(f"{len(paths)} files in {given.destination}")
    return 0


def _export(results: Path, destination: Path) -> list[Path]:
    from bayeshpo.analysis.export import export

    return export(results, destination)


def _paper(results: Path, destination: Path) -> list[Path]:
    from bayeshpo.analysis.figures import draw_all
    from bayeshpo.analysis.tables import write_captions, write_tables
    from bayeshpo.experiment.store import Results

    paths = [*draw_all(results, destination), *write_tables(results, destination)]
    name = Results(results).experiment["name"]
    return [*paths, write_captions(destination / "captions.json", name, destination / "captions.tex")]


if __name__ == "__main__":
    sys.exit(main())
