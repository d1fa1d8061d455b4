"""Exit codes, and what a command says where it stops."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import typer

from bayeshpo.errors import BayeshpoError, SpecificationError, one_line

STOPPED, REFUSED, INTERRUPTED = 1, 2, 130


@contextmanager
def refusals() -> Iterator[None]:
    """Turn an error raised on purpose into one line and an exit code."""
    try:
        yield
    except OSError as error:
        # A full disk or a folder that may not be written: the trials on record are not touched.
        where = f"{error.filename}: " if error.filename else ""
        typer.echo(f"bayeshpo: {where}{error.strerror or error}", err=True)
        raise typer.Exit(STOPPED) from None
    except BayeshpoError as error:
        typer.echo(f"bayeshpo: {one_line(error)}", err=True)
        raise typer.Exit(REFUSED if isinstance(error, SpecificationError) else STOPPED) from None
