"""Figures as SVG inside a page: in the page's font and colours, on light and on dark paper."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from io import StringIO
from typing import Any

import matplotlib as mpl
import numpy as np
from markupsafe import Markup
from matplotlib.lines import Line2D

from bayeshpo.analysis.figures import style
from bayeshpo.analysis.figures.style import Drawing
from bayeshpo.analysis.report.blocks import Block, Details, Figure, Section

# Text stays text, set in a font that is wider than those of browsers, so that nothing runs into anything.
SETTINGS: dict[Any, Any] = {
    "svg.fonttype": "none",
    "font.family": "DejaVu Sans",
    "mathtext.fontset": "dejavusans",
    "font.size": 8.0,
    "axes.titlesize": 8.5,
    "axes.labelsize": 8.0,
    "legend.fontsize": 7.5,
    "figure.facecolor": "none",
    "axes.facecolor": "none",
    "savefig.transparent": True,
    "path.simplify": True,
}
# Inches; a page shows it as wide as it has room for.
WIDTH = 7.2
_UNMARKED = ("None", "none", "", " ")
_NO_METADATA: dict[str, Any] = {"Date": None, "Creator": None, "Format": None, "Type": None}
# Markers of one figure, beyond which they become a picture: each is an element of its own.
_MOST_MARKERS = 4000
# How much larger than drawn a figure may stand in the page.
_LARGER = 1.35
# Of a page in the dark: its paper and its ink; and how much a colour has to stand out there (WCAG: 3 for graphics).
_PAPER, _INK, _CONTRAST = (0x16, 0x18, 0x1C), (0xE8, 0xE8, 0xE6), 4.0

_COLOR = re.compile(r"(?<=: )#([0-9a-f]{6})(?=[;\"])")
_ID = re.compile(r' id="([^"]+)"')
_REFERENCE = re.compile(r'(?<=href="#)[^"]+|(?<=url\(#)[^)]+')
_FAMILY = re.compile(r"font-family: [^;\"]+(?:; )?")
# Mathematics is set glyph by glyph, at places that are wrong in any other font; a comment before it has its source.
_MATH = re.compile(r'<!-- ([^\n]*?\$[^\n]*?) -->\s*<g( transform="[^"]*")>\s*<text>.*?</text>', re.DOTALL)
_PLAIN = {
    r"\\mathdefault\{(.*?)\}": r"\1",
    r"\\widehat\{(\w)\}": "\\1\u0302",
    r"\\tau": "\u03c4",
    r"\\times": "\u00d7",
    r"\$|[{}]": "",
}
_RAISED = str.maketrans("0123456789-\u2212", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻⁻")


def figures(draw: Callable[[float], Sequence[Drawing]], width: float = WIDTH) -> list[Figure]:
    """What a figure module draws for a width (inches), as blocks of the page."""
    with style.settings(), mpl.rc_context(SETTINGS):
        return [Figure(d.name, inline(d), d.caption, small=width < WIDTH) for d in draw(width)]


def pictures(sections: Sequence[Section]) -> list[Markup]:
    """All SVG of a page."""
    return [svg for section in sections for svg in _within(section.blocks)]


def inline(drawing: Drawing) -> Markup:
    """A figure as an ``<svg>`` element.

    Colours become custom properties (`palette` says which), identifiers begin with the figure's name, those that
    nothing refers to are left out, and the font is left to the page. The same figure gives the same text.
    """
    marked = [line for line in drawing.figure.findobj(Line2D) if str(line.get_marker()) not in _UNMARKED]
    if sum(np.size(line.get_xdata()) for line in marked) > _MOST_MARKERS:
        for line in marked:
            line.set_rasterized(True)
    stream = StringIO()
    with mpl.rc_context({"svg.hashsalt": drawing.name}):
        drawing.figure.savefig(stream, format="svg", metadata=_NO_METADATA, dpi=200)
    text = stream.getvalue()
    text = re.sub(r"<defs>\s*<style.*?</style>\s*</defs>\s*", "", text[text.index("<svg") :], flags=re.DOTALL)
    text = _MATH.sub(_as_text, text)
    text = re.sub(r"<!--.*?-->\s*", "", text, flags=re.DOTALL)
    text = re.sub(r"<svg [^>]*>", _root, text, count=1)
    used = set(_REFERENCE.findall(text))
    text = _ID.sub(lambda m: f' id="{drawing.name}-{m[1]}"' if m[1] in used else "", text)
    text = _REFERENCE.sub(lambda m: f"{drawing.name}-{m[0]}", text)
    text = _FAMILY.sub("", text)
    text = _COLOR.sub(r"var(--c\1)", text)
    return Markup(re.sub(r"\n\s*", "\n", text))


def palette(figures: list[Markup]) -> dict[str, tuple[str, str]]:
    """Of each custom property that figures use its colours on light and on dark paper."""
    names = sorted({name for svg in figures for name in re.findall(r"var\(--c([0-9a-f]{6})\)", svg)})
    return {f"--c{name}": (f"#{name}", dark(f"#{name}")) for name in names}


def dark(color: str) -> str:
    """What a colour becomes on dark paper: greys are turned over, others lightened until they stand out."""
    rgb = tuple(int(color[i : i + 2], 16) for i in (1, 3, 5))
    if max(rgb) - min(rgb) < 8:
        lightness = sum(rgb) / 765
        return _hex(tuple(i + (p - i) * lightness for p, i in zip(_PAPER, _INK, strict=True)))
    mixed = rgb
    for step in range(1, 11):
        if (_luminance(mixed) + 0.05) / (_luminance(_PAPER) + 0.05) >= _CONTRAST:
            break
        mixed = tuple(c + (255 - c) * step / 10 for c in rgb)
    return _hex(mixed)


def _within(blocks: Sequence[Block]) -> list[Markup]:
    found = []
    for block in blocks:
        if isinstance(block, Figure):
            found.append(block.svg)
        elif isinstance(block, Details):
            found += _within(block.blocks)
    return found


def _root(match: re.Match[str]) -> str:
    """The root element: as wide as there is room for, and no more than somewhat wider than it was drawn."""
    box = re.search(r'viewBox="0 0 ([\d.]+) ([\d.]+)"', match[0])
    assert box is not None
    most = _LARGER * float(box[1])
    return f'<svg viewBox="0 0 {box[1]} {box[2]}" style="max-width: {most:.0f}pt" aria-hidden="true">'


def _as_text(match: re.Match[str]) -> str:
    """Mathematics, as matplotlib has placed it, in characters."""
    text = re.sub(r"\^\{?([-\u2212\d]+)\}?", lambda m: m[1].translate(_RAISED), match[1])
    for pattern, replacement in _PLAIN.items():
        text = re.sub(pattern, replacement, text)
    size = max((float(found) for found in re.findall(r"font-size: ([\d.]+)px", match[0])), default=8.0)
    return f'<g{match[2]}><text style="font-size: {size:g}px">{text}</text>'


def _luminance(rgb: tuple[float, ...]) -> float:
    """Relative luminance of an sRGB colour (WCAG 2)."""
    linear = [c / 255 / 12.92 if c <= 10 else ((c / 255 + 0.055) / 1.055) ** 2.4 for c in rgb]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def _hex(rgb: tuple[float, ...]) -> str:
    return "#" + "".join(f"{round(c):02x}" for c in rgb)
