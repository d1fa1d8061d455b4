r"""Macros of a paper: a ``\newcommand`` a value, and no two of one name, whatever the labels."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence

from bayeshpo.errors import SpecificationError

# What a value is of, from the experiment's name to the quantity, and the value as LaTeX.
Macro = tuple[tuple[str, ...], str]
_DIGITS = ("Zero", "One", "Two", "Three", "Four", "Five", "Six", "Seven", "Eight", "Nine")


def commands(macros: Sequence[Macro]) -> list[str]:
    r"""A ``\newcommand`` each, with the names of `macro_names`."""
    names = macro_names([parts for parts, _ in macros])
    return [f"\\newcommand{{\\{name}}}{{{value}}}" for name, (_, value) in zip(names, macros, strict=True)]


def macro_names(macros: Sequence[tuple[str, ...]]) -> list[str]:
    """Names of letters alone: ("hartmann6", "rhat_max") is HartmannSixRhatMax.

    Camel case, without what is neither letter nor digit. Where two would have one name, the parts in which they differ
    are spelled to the last character, in all names: "lr 1.0" beside "lr 10" is lrSpaceOneFullStopZero.

    Raises
    ------
    SpecificationError
        If two have one name nevertheless.
    """
    alike: defaultdict[str, list[tuple[str, ...]]] = defaultdict(list)
    for parts in macros:
        alike["".join(map(_short, parts))].append(parts)
    spelled: set[str] = set()
    for group in alike.values():
        spelled |= set().union(*group) - set(group[0]).intersection(*group)
    names = ["".join(_spelled(part) if part in spelled else _short(part) for part in parts) for parts in macros]
    name, count = Counter(names).most_common(1)[0] if names else ("", 0)
    if count > 1:
        got = " and ".join(" / ".join(parts) for parts, other in zip(macros, names, strict=True) if other == name)
        raise SpecificationError(f"expected a LaTeX macro of its own for each of {got}, got \\{name}; change a label")
    return names


def _short(part: str) -> str:
    """Words with capitals; letters beyond those of ASCII by their names."""
    found: Iterable[str] = re.findall(r"[A-Za-z]+|[^\W_]", part)
    return "".join(word[0].upper() + word[1:] if word.isascii() and word.isalpha() else _named(word) for word in found)


def _spelled(part: str) -> str:
    """Letters as they are, and all other characters by their names."""
    return "".join(c if c.isascii() and c.isalpha() else _named(c) for c in part)


def _named(character: str) -> str:
    """Name of a character: Five, FullStop, GreekSmallLetterEpsilon."""
    if character in "0123456789":
        return _DIGITS[int(character)]
    name = unicodedata.name(character, f"character {ord(character)}")
    return "".join(_DIGITS[int(w)] if w.isdigit() else w.capitalize() for w in re.findall(r"[A-Za-z]+|[0-9]", name))
