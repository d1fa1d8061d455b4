"""Figures: one a file, all drawn from a results folder by `draw_all`."""

from __future__ import annotations

import json
import logging
from functools import partial
from pathlib import Path

from bayeshpo.analysis.comparisons import read_comparisons
from bayeshpo.analysis.completeness import completeness
from bayeshpo.analysis.figures import (
    anytime,
    compared,
    comparison,
    convergence,
    critical,
    ecdf,
    iqm,
    lengthscales,
    pareto,
    profile,
    ranks,
    regret,
    slice,
    style,
    wins,
)
from bayeshpo.analysis.losses import aims_of
from bayeshpo.analysis.traces import Traces
from bayeshpo.errors import SpecificationError
from bayeshpo.experiment.store import Results

_log = logging.getLogger(__name__)

# Drawn from the tidy array, from runs' own records, and from what `bayeshpo compare` has left.
_OF_TRACES = (
    (regret.draw, "regret", "no trial has finished"),
    (anytime.draw, "anytime", anytime.NOTHING),
    (ranks.draw, "ranks", compared.NOTHING),
    (iqm.draw, "iqm", compared.NOTHING),
    (ecdf.draw, "ecdf", compared.NOTHING),
    (profile.draw, "profile", compared.NOTHING),
    (wins.draw, "wins", wins.NO_BASELINE),
    (critical.draw, "critical", critical.NOTHING),
)
_OF_RUNS = (
    (lengthscales.draw, "lengthscales", "no kept posterior has lengthscales and their prior"),
    (slice.draw, "slice", "no kept posterior has slices"),
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
        Sets the width: a key of `bayeshpo.analysis.figures.style.VENUES`.

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
    traces, comparisons = Traces.of_results(results, runs), read_comparisons(results.path)
    figures = [
        *((name, reason, partial(draw, traces)) for draw, name, reason in _OF_TRACES),
        ("comparison", comparison.NOTHING, partial(comparison.draw, comparisons)),
        *((name, reason, partial(draw, runs)) for draw, name, reason in _OF_RUNS),
    ]
    several = list(dict.fromkeys(run.problem for run in runs if aims_of(run).objectives))
    if several:
        figures.append(("pareto", "no kept posterior is of several objectives", partial(pareto.draw, runs)))
    of_regret = {name for _, name, _ in _OF_TRACES} | {"comparison"}
    captions: dict[str, str] = {}
    left_out: dict[str, str] = {}
    paths: list[Path] = []
    for name, reason, draw in figures:
        with style.settings():
            drawings = draw(style.VENUES[venue])
            for drawing in drawings:
                caption = drawing.caption
                if several and name in of_regret:
                    caption += (
                        f" Of {style.listed(several)}, with several objectives, hypervolume stands for the value."
                    )
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
