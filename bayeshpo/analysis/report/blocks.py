"""What a page is made of, without its form: the templates give it that."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

from markupsafe import Markup

from bayeshpo.analysis.summary import short


@dataclass(frozen=True)
class Text:
    """A paragraph."""

    kind: ClassVar[str] = "text"
    text: str


@dataclass(frozen=True)
class Facts:
    """Names with what they are."""

    kind: ClassVar[str] = "facts"
    pairs: Sequence[tuple[str, str]]


@dataclass(frozen=True)
class Figure:
    """A figure as inline SVG, with its caption."""

    kind: ClassVar[str] = "figure"
    name: str
    svg: Markup
    caption: str
    small: bool = False


@dataclass(frozen=True)
class Cell:
    """A table's cell: its text, what it is sorted by where that is not the text, and whether it stands out."""

    text: str
    key: float | None = None
    strong: bool = False


@dataclass(frozen=True)
class Column:
    """A table's column: its title, what that means, and whether it holds numbers."""

    title: str
    meaning: str = ""
    numeric: bool = True


@dataclass(frozen=True)
class Table:
    """A table that can be sorted by every column."""

    kind: ClassVar[str] = "table"
    title: str
    columns: Sequence[Column]
    rows: Sequence[Sequence[Cell]]
    note: str = ""


@dataclass(frozen=True)
class Details:
    """Further blocks, folded away under a line."""

    kind: ClassVar[str] = "details"
    summary: str
    blocks: Sequence[Block]
    mark: str = ""


Block = Text | Facts | Figure | Table | Details


@dataclass(frozen=True)
class Section:
    """A part of the page with an entry in its navigation; one without blocks says why in a line."""

    id: str
    title: str
    blocks: Sequence[Block] = field(default_factory=list)
    nothing: str = ""


def word(text: Any) -> Cell:
    """A cell of text; a dash for nothing."""
    return Cell("-" if text is None or text == "" else str(text))


def number(value: Any, digits: int = 3, *, strong: bool = False) -> Cell:
    """A cell of a number, shown and sorted to some significant digits; a dash for None and NaN."""
    if value is None or math.isnan(value):
        return Cell("-")
    return Cell(str(value) if isinstance(value, int) else short(value, digits), strong=strong)


def share(value: float) -> Cell:
    """A cell of a share, in per cent."""
    return Cell("-") if math.isnan(value) else Cell(f"{100 * value:.0f} %", value)
