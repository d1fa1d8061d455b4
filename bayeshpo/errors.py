"""Exceptions that a user can meet, and the nearest valid name to a wrong one."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class BayeshpoError(Exception):
    """Base of all errors raised on purpose by this package."""


class SpecificationError(BayeshpoError):
    """What was asked for cannot be done; nothing has run yet."""


class RecordError(BayeshpoError):
    """A record on disk is damaged or held by another process."""


class SpaceExhausted(BayeshpoError):
    """Every legal configuration of a finite space has been tried."""


def exhausted(size: int) -> SpaceExhausted:
    """What to raise when all of a finite space's configurations are among the trials."""
    return SpaceExhausted(f"all {size} configurations of the space have been tried, or are pending")


def one_line(text: object) -> str:
    """Words in one line."""
    return " ".join(str(text).split())


def told(error: BaseException) -> str:
    """An exception in one line: its type and its words."""
    return one_line(f"{type(error).__name__}: {error}")


def unknown_name(kind: str, name: str, valid: Iterable[str]) -> str:
    """One line that says which name is unknown and what would be right."""
    names = sorted(valid)
    close = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    hint = f"did you mean '{close[0]}'?" if close else f"valid: {', '.join(names)}"
    return f"unknown {kind} '{name}'; {hint}"
