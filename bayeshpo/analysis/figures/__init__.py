"""Figures: one a file, all drawn from a results folder by `draw_all`."""

from __future__ import annotations

import json
import logging
from pathlib import Path

from bayeshpo.analysis.completeness import completeness
from bayeshpo.analysis.figures import convergence, lengthscales, pareto, regret, slice, style
from bayeshpo.errors import SpecificationError
from bayeshpo.experiment.store import Results

_log = logging.getLogger(__name__)

_FIGURES = (
    (regret.draw, "regret", "no trial has finished"),
    (lengthscales.draw, "lengthscales", "no kept posterior has lengthscales and their prior"),
    (slice.draw, "slice", "no kept posterior has slices"),
    (pareto.draw, "pareto", "no kept posterior is of several objectives"),
    (convergence.draw, "convergence", "no surrogate was fitted"),
)


def draw_all(results_path: str | Path, destination: str | Path | None = None, *, venue: str = "neurips") -> list[Path]:
    """Draw every figure that the results allow, as PDF and PNG, with ``captions.json`` beside them.

    What cannot be drawn is logged with the reason, and stands in ``captions.json`` under "left out". Incomplete results
    are marked as such on the figures. The same results give the same bytes.

    Parameters
    ----------
    results_path
        A results folder, whole or as `bayeshpo.analysis.export` made it.
    destination
        Folder to write to; ``figures`` in the results folder by default.
    venue
        Sets the width: neurips, iclr, icml, aistats, uai, jmlr or tmlr.

    Returns
    -------
    paths
        The files written.

    Raises
    ------
    SpecificationError
        If the folder holds no results, or the venue is unknown.
    """
    if venue not in style.VENUES:
        raise SpecificationError(f"expected a venue of {', '.join(style.VENUES)}, got '{venue}'")
    results = Results(results_path)
    runs = results.runs()
    state = completeness(results, runs)
    folder = results.path / "figures" if destination is None else Path(destination)
    folder.mkdir(parents=True, exist_ok=True)
    captions: dict[str, str] = {}
    left_out: dict[str, str] = {}
    paths: list[Path] = []
    for draw, name, reason in _FIGURES:
        with style.settings():
            drawings = draw(runs, style.VENUES[venue])
            for drawing in drawings:
                caption = drawing.caption
                if not state.complete:
                    style.mark_incomplete(drawing.figure, str(state))
                    caption += f" Incomplete results: {state}."
                captions[drawing.name] = caption
                paths += style.save(drawing, folder)
        if not drawings:
            left_out[name] = reason
            _log.warning("figure '%s' left out: %s", name, reason)
    content = {"captions": captions, "left out": left_out}
    paths.append(folder / "captions.json")
    paths[-1].write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    return paths
