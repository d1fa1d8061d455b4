"""Packages that some problems need beyond what the project itself does."""

from __future__ import annotations

import importlib
from typing import Any

from bayeshpo.errors import SpecificationError


def optional(module: str, package: str, extra: str) -> Any:
    """Import a module of a package that comes with an extra.

    Raises
    ------
    SpecificationError
        If it is not installed, with the command that installs it.
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name != module:
            raise
        raise SpecificationError(
            f"expected the package '{package}', but it is not installed: pip install 'bayeshpo[{extra}]', "
            f"or 'uv sync --extra {extra}' in a checkout"
        ) from None
