"""What the report shows, from top to bottom."""

from __future__ import annotations

from collections.abc import Sequence

from bayeshpo.analysis.figures import Kind, kinds_of
from bayeshpo.analysis.report.blocks import Block, Section, Text
from bayeshpo.analysis.report.diagnostics import diagnostics
from bayeshpo.analysis.report.hyperparameters import importances, parallel
from bayeshpo.analysis.report.overview import overview
from bayeshpo.analysis.report.posteriors import posteriors
from bayeshpo.analysis.report.regret import regret
from bayeshpo.analysis.report.runs import run_sections
from bayeshpo.analysis.report.svg import figures
from bayeshpo.experiment.store import Results

# Where figures belong that are not about the health of fits.
_REGRET = {
    "regret", "inference", "anytime", "ranks", "iqm", "ecdf", "profile", "wins", "critical", "comparison", "pareto",
}  # fmt: skip
_POSTERIORS = {"lengthscales"}
_SLICES = {"slice"}


def sections_of(results: Results) -> list[Section]:
    """The sections of a results folder's report."""
    runs = results.runs()
    kinds = kinds_of(results, runs)
    health = {kind.name for kind in kinds} - _REGRET - _POSTERIORS - _SLICES

    def of(names: set[str]) -> list[Kind]:
        return [kind for kind in kinds if kind.name in names]

    return [
        Section("overview", "Overview", overview(results, runs)),
        _section("regret", "Regret", of(_REGRET), before=regret(results, runs)),
        _section("diagnostics", "Diagnostics", of(health), before=diagnostics(runs)),
        _section("posteriors", "Posteriors", of(_POSTERIORS), after=posteriors(runs)),
        _section("slices", "Surrogate slices", of(_SLICES)),
        Section("importance", "Importance", importances(runs), "Nothing to show (no posterior was kept)."),
        Section("parallel", "Parallel coordinates", parallel(runs), "Nothing to show (no trial has finished)."),
        Section("runs", "Runs", run_sections(runs), "No run has begun."),
    ]


def _section(
    id: str, title: str, kinds: Sequence[Kind], *, before: Sequence[Block] = (), after: Sequence[Block] = ()
) -> Section:
    """Figures of some kinds, what stands before and after them, and a line on what could not be drawn."""
    drawn = [(kind, figures(kind.draw)) for kind in kinds]
    shown = [*before, *(figure for _, found in drawn for figure in found), *after]
    absent = "; ".join(f"{kind.name}: {kind.reason}" for kind, found in drawn if not found)
    if shown and absent:
        shown.append(Text(f"Left out: {absent}."))
    return Section(id, title, shown, f"Nothing to show ({absent}).")
