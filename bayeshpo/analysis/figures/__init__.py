"""Figures: one a file, all drawn from a results folder by `draw_all`."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from bayeshpo.analysis import compared
from bayeshpo.analysis.comparisons import read_comparisons
from bayeshpo.analysis.completeness import completeness
from bayeshpo.analysis.diagnosis import read_regression
from bayeshpo.analysis.figures import (
    agreement,
    anytime,
    checks,
    comparison,
    convergence,
    coverage,
    critical,
    ecdf,
    fan,
    inference,
    iqm,
    lengthscales,
    optimum,
    pareto,
    pit,
    place,
    predictors,
    profile,
    ranks,
    regret,
    reuse,
    slice,
    style,
    wins,
)
from bayeshpo.analysis.fits import fits_of
from bayeshpo.analysis.losses import aims_of
from bayeshpo.analysis.traces import Traces
from bayeshpo.analysis.wording import listed
from bayeshpo.errors import SpecificationError
from bayeshpo.experiment.store import Results, RunRecord, read_json

_log = logging.getLogger(__name__)

# Drawn from the tidy array, from runs' own records, and from what `bayeshpo compare` has left.
_OF_TRACES = (
    (regret.draw, "regret", "no trial has finished"),
    (inference.draw, "inference", inference.NOTHING),
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
)
_OF_FITS = (
    (convergence.draw, "convergence", convergence.NOTHING),
    (checks.draw, "checks", checks.NOTHING),
    (reuse.draw, "reuse", reuse.NOTHING),
    (pit.draw, "pit", pit.NOTHING),
    (coverage.draw, "coverage", coverage.NOTHING),
    (fan.draw, "fan", fan.NOTHING),
    (agreement.draw, "agreement", agreement.NOTHING),
    (optimum.draw, "optimum", optimum.NOTHING),
    (place.draw, "place", place.NOTHING),
)

# What `bayeshpo diagnose` draws.
OF_POSTERIORS = (*(name for _, name, _ in _OF_FITS), "predictors")


@dataclass(frozen=True)
class Kind:
    """Figures of one kind, of some results.

    Attributes
    ----------
    name
        The kind's name, and that of its first figure.
    reason
        Why there is none, where there is none.
    figures
        What draws them for a width (inches).
    remark
        What every caption ends with.
    incomplete
        What the results lack, which is said on the face of each figure; None if nothing.
    """

    name: str
    reason: str
    figures: Callable[[float], list[style.Drawing]]
    remark: str = ""
    incomplete: str | None = None

    def draw(self, width: float) -> list[style.Drawing]:
        """The figures in some width (inches), which may be none."""
        drawings = [replace(d, caption=d.caption + self.remark) for d in self.figures(width)]
        if self.incomplete is None:
            return drawings
        for drawing in drawings:
            style.mark_incomplete(drawing.figure, self.incomplete)
        return [replace(d, caption=f"{d.caption} Incomplete results: {self.incomplete}.") for d in drawings]


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
    folder = results.path / "figures" if destination is None else Path(destination)
    folder.mkdir(parents=True, exist_ok=True)
    captions: dict[str, str] = {}
    left_out: dict[str, str] = {}
    paths: list[Path] = []
    for kind in kinds_of(results, results.runs()):
        if only is not None and kind.name not in only:
            continue
        with style.settings():
            drawings = kind.draw(style.VENUES[venue])
            for drawing in drawings:
                captions[drawing.name] = drawing.caption
                paths += style.save(drawing, folder)
        if not drawings:
            left_out[kind.name] = kind.reason
    for reason in dict.fromkeys(left_out.values()):
        names = [name for name, why in left_out.items() if why == reason]
        _log.warning("figures left out, %s: %s", reason, ", ".join(names))
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


def kinds_of(results: Results, runs: Sequence[RunRecord]) -> list[Kind]:
    """The kinds of figures that results may have, in the order in which they are shown."""
    state = completeness(results, runs)
    note = None if state.complete else str(state)
    several = list(dict.fromkeys(run.problem for run in runs if aims_of(run).objectives))
    of_value = f" Of {listed(several)}, with several objectives, hypervolume stands for the value."
    remark = of_value if several else ""
    traces, comparisons = Traces.of_results(results, runs), read_comparisons(results.path)
    kinds = [Kind(name, reason, partial(draw, traces), remark, note) for draw, name, reason in _OF_TRACES]
    kinds.append(Kind("comparison", comparison.NOTHING, partial(comparison.draw, comparisons), remark, note))
    kinds += [Kind(name, reason, partial(draw, runs), "", note) for draw, name, reason in _OF_RUNS]
    fits, regression = fits_of(runs), read_regression(results.path)
    kinds += [Kind(name, reason, partial(draw, fits), "", note) for draw, name, reason in _OF_FITS]
    kinds.append(Kind("predictors", predictors.NOTHING, partial(predictors.draw, regression), "", note))
    if several:
        reason = "no kept posterior is of several objectives"
        kinds.append(Kind("pareto", reason, partial(pareto.draw, runs), "", note))
    return kinds
