"""Arguments and options that several commands take."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

ResultsArgument = Annotated[Path, typer.Argument(metavar="RESULTS", help="A folder made by 'bayeshpo run'.")]
SurrogateArgument = Annotated[str, typer.Argument(metavar="SURROGATE", help="A name of 'bayeshpo list surrogates'.")]
RunOption = Annotated[
    str | None, typer.Option("--run", help="The run's identity, its beginning, or PROBLEM/SEARCHER/SEED.")
]
RecordOption = Annotated[Path, typer.Option("--output", help="Folder of the record and the figure.")]
