"""Text and numbers as LaTeX."""

from __future__ import annotations

import math

_SPECIAL = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_", "{": r"\{", "}": r"\}",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": "$<$", ">": "$>$",
}  # fmt: skip
# Greek letters of Unicode stop pdflatex: from their first on; those that look like Latin ones have no command.
_SMALL = (
    "alpha beta gamma delta varepsilon zeta eta theta iota kappa lambda mu nu xi - pi rho varsigma sigma tau upsilon "
    "varphi chi psi omega"
)
_CAPITAL = "- - Gamma Delta - - - Theta - - Lambda - - Xi - Pi - - Sigma - Upsilon Phi - Psi Omega"
for _first, _names in ((0x3B1, _SMALL), (0x391, _CAPITAL)):
    _SPECIAL |= {chr(_first + i): rf"\ensuremath{{\{name}}}" for i, name in enumerate(_names.split()) if name != "-"}


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
