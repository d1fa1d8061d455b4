"""Functions drawn from a surrogate's prior along each number of a problem."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from bayeshpo.analysis.figures.style import PRIOR, Drawing, in_rows, looks, new_figure
from bayeshpo.analysis.wording import counted, words

_COLUMNS = 3
# How dark the intervals are.
_INTERVALS = {"90 %": 0.2, "50 %": 0.35}
# Up to so many values of an integer are marked one by one.
_FEW = 20


def draw(record: Mapping[str, Any], width: float) -> Drawing:
    """A panel a hyperparameter, from a record of `bayeshpo prior`."""
    profiles = record["profiles"]
    columns = min(_COLUMNS, len(profiles))
    rows = -(-len(profiles) // columns)
    figure = new_figure(width, 1.5 * rows + 0.6)
    cells = in_rows(figure, len(profiles), columns, sharey=True)
    color = looks(["bayesian"])["bayesian"].color
    for cell, profile in zip(cells, profiles, strict=True):
        _panel(cell, profile, color)
    figure.suptitle(f"{words(record['surrogate'])} on {words(record['problem'])}", fontsize="medium")
    figure.supylabel("standardised loss", fontsize="medium")
    n = len(profiles[0]["draws"])
    handles = [
        Line2D([], [], color=color, linewidth=0.7, label=f"{n} draws of $f$"),
        *(Patch(facecolor=PRIOR, alpha=alpha, label=f"{name} interval") for name, alpha in _shades().items()),
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=len(handles))
    return Drawing("prior", figure, _caption(record))


def _panel(axes: Axes, profile: Mapping[str, Any], color: str) -> None:
    values = np.asarray(profile["values"])
    for name, alpha in _INTERVALS.items():
        low, high = profile[name]
        axes.fill_between(values, low, high, color=PRIOR, alpha=alpha, linewidth=0)
    for curve in profile["draws"]:
        axes.plot(values, curve, color=color, linewidth=0.7, alpha=0.7, marker="." if len(values) <= _FEW else None)
    if profile["logarithmic"]:
        axes.set_xscale("log")
    axes.set_xlim(values[0], values[-1])
    axes.set_xlabel(words(profile["hyperparameter"]))


def _shades() -> dict[str, float]:
    """Opacity of each interval as it is seen: the narrow one lies on the wide one."""
    wide, narrow = _INTERVALS.values()
    return {"50 %": 1.0 - (1.0 - wide) * (1.0 - narrow), "90 %": wide}


def _caption(record: Mapping[str, Any]) -> str:
    shown, all_of_them = len(record["profiles"]), record["numbers"]
    along = f"its {counted([shown], 'number')}"
    if shown < all_of_them:
        along = f"the first {shown} of its {all_of_them} numbers"
    return (
        f"Prior of the surrogate '{record['surrogate']}' on {words(record['problem'])}, before any trial: its latent "
        f"function along {along}, in their own units, the other hyperparameters at the centre of the space. Losses are "
        "standardised: those of a study have mean 0 and standard deviation 1. Lines: "
        f"{len(record['profiles'][0]['draws'])} draws, of the same functions in all panels. Grey: pointwise 50 % and "
        f"90 % intervals of {record['draws']} draws."
    )
