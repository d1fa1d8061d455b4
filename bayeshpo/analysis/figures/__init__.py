"""Figures: one a file, all drawn from a results folder by `draw_all`."""

from __future__ import annotations

import json
import logging
from collections.abc import Collection
from functools import partial
from pathlib import Path
from typing import Any

from bayeshpo.analysis.checks import fits_of
from bayeshpo.analysis.comparisons import read_comparisons
from bayeshpo.analysis.completeness import completeness
from bayeshpo.analysis.diagnosis import read_regression
from bayeshpo.analysis.figures import (
    agreement,
    anytime,
    checks,
    compared,
    comparison,
    convergence,
    coverage,
    critical,
    ecdf,
    fan,
    iqm,
    lengthscales,
    optimum,
    pareto,
    pit,
    predictors,
    profile,
    ranks,
    regret,
    reuse,
    slice,
    style,
    wins,
)
from bayeshpo.analysis.losses import aims_of
from bayeshpo.analysis.traces import Traces
from bayeshpo.errors import SpecificationError
from bayeshpo.experiment.store import Results, read_json

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
_OF_FITS = (
    (checks.draw, "checks", checks.NOTHING),
    (reuse.draw, "reuse", reuse.NOTHING),
    (pit.draw, "pit", pit.NOTHING),
    (coverage.draw, "coverage", coverage.NOTHING),
    (fan.draw, "fan", fan.NOTHING),
    (agreement.draw, "agreement", agreement.NOTHING),
    (optimum.draw, "optimum", optimum.NOTHING),
)


# What `bayeshpo diagnose` draws.
OF_POSTERIORS = ("convergence", *(name for _, name, _ in _OF_FITS), "predictors")


def draw_all(
    results_path: str | Path,
    destination: str | Path | None = None,
    *,
    venue: str = "neurips",
    only: Collection[str] | None = None,
) -> list[Path]:
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
    only
        Names of the figures to draw, in place of all; what ``captions.json`` says of others stays.

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
    traces, comparisons, fits = Traces.of_results(results, runs), read_comparisons(results.path), fits_of(runs)
    figures = [
        *((name, reason, partial(draw, traces)) for draw, name, reason in _OF_TRACES),
        ("comparison", comparison.NOTHING, partial(comparison.draw, comparisons)),
        *((name, reason, partial(draw, runs)) for draw, name, reason in _OF_RUNS),
        *((name, reason, partial(draw, fits)) for draw, name, reason in _OF_FITS),
        ("predictors", predictors.NOTHING, partial(predictors.draw, read_regression(results.path))),
    ]
    several = list(dict.fromkeys(run.problem for run in runs if aims_of(run).objectives))
    if several:
        figures.append(("pareto", "no kept posterior is of several objectives", partial(pareto.draw, runs)))
    if only is not None:
        figures = [figure for figure in figures if figure[0] in only]
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
    if only is not None and paths[-1].exists():
        content = _merged(read_json(paths[-1]), content)
    paths[-1].write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    return paths


def _merged(before: dict[str, Any], now: dict[str, dict[str, str]]) -> dict[str, dict[str, str]]:
    """Captions of figures that were drawn before, and of those that are drawn now."""
    captions = before["captions"] | now["captions"]
    reasons = before["left out"] | now["left out"]
    return {"captions": captions, "left out": {n: r for n, r in reasons.items() if n not in now["captions"]}}
