"""Text, numbers and macros as LaTeX."""

from __future__ import annotations

import math
import re

_SPECIAL = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_", "{": r"\{", "}": r"\}",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": "$<$", ">": "$>$",
}  # fmt: skip
_DIGITS = ("Zero", "One", "Two", "Three", "Four", "Five", "Six", "Seven", "Eight", "Nine")


def escape(text: str) -> str:
    """Plain text as LaTeX."""
    escaped = "".join(_SPECIAL.get(character, character) for character in text)
    return escaped.replace("R-hat", r"$\widehat{R}$")


def number(value: float, digits: int = 3) -> str:
    """A number to some significant digits, for text and tables alike; powers of ten beyond four digits; -- for NaN."""
    if math.isnan(value):
        return "--"
    if value == 0:
        return "0"
    if 1e-3 <= abs(value) < 1e4:
        return f"{value:.{max(0, digits - 1 - math.floor(math.log10(abs(value))))}f}"
    mantissa, exponent = f"{value:.{digits - 1}e}".split("e")
    return rf"\ensuremath{{{mantissa}\times 10^{{{int(exponent)}}}}}"


def percent(share: float) -> str:
    """A share in per cent, rounded down to one decimal so that 100 means all."""
    return f"{math.floor(share * 1000 + 1e-9) / 10:g}"


def macro(*parts: str, value: str) -> str:
    """A ``\\newcommand`` whose name is the parts in camel case, digits spelled out."""
    return f"\\newcommand{{\\{macro_name(*parts)}}}{{{value}}}"


def macro_name(*parts: str) -> str:
    """Parts in camel case, digits spelled out: ("hartmann6", "rhat_max") is HartmannSixRhatMax."""
    words = [word for part in parts for word in re.findall(r"[A-Za-z]+|[0-9]", part)]
    return "".join(_DIGITS[int(word)] if word.isdigit() else word[0].upper() + word[1:] for word in words)
