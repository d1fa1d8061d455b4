"""What `bayeshpo diagnose` says of the posteriors of a results folder: how they were computed, and whether they fit."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from bayeshpo.analysis.ahead import FAR, Ahead, ahead_by_problem
from bayeshpo.analysis.checks import CHECKS, FAILED, OTHER, Check, complaints
from bayeshpo.analysis.fits import Fits, by_searcher, column, fits_of, rows_of
from bayeshpo.errors import SpecificationError
from bayeshpo.experiment.store import Results, read_json, write_json

FILE = "diagnostics.json"
# Shares of fits that passed: from which on all may be trusted, and below which none.
_SOUND, _UNSOUND = 0.99, 0.9
# p-value of uniform places below which they are said not to be: one right searcher in a hundred is called wrong.
_CHANCE = 0.01
# Fewer predictions say little of coverage.
_FEW = 30
# Coverage that is off by no more is near enough, however many trials there are to tell.
_NEAR = 0.05


def fitted(path: Path) -> list[Fits]:
    """The runs of a results folder that fitted a surrogate, and their fits.

    Raises
    ------
    SpecificationError
        If the folder holds no results, or no run that fits anything.
    """
    runs = Results(path).runs()
    if found := fits_of(runs):
        return found
    raise SpecificationError(f"{path}: expected runs that fitted a surrogate, got none in {len(runs)} runs")


def diagnose(path: Path, fits: Sequence[Fits]) -> dict[str, Any]:
    """The record of a results folder with its `fitted` runs: an entry a searcher, each with a verdict."""
    results = Results(path)
    return {"name": results.experiment["name"], "runs": len(results.runs()), "searchers": searchers(fits)}


def searchers(fits: Sequence[Fits]) -> list[dict[str, Any]]:
    """An entry a searcher: what its fits say of themselves, and a verdict."""
    return [_searcher(label, own) for label, own in by_searcher(fits).items()]


def write_diagnosis(path: Path, record: dict[str, Any]) -> Path:
    """Write ``diagnostics.json``, in place of an earlier one, and return its path."""
    write_json(path / FILE, record)
    return path / FILE


def read_regression(path: Path) -> dict[str, Any] | None:
    """The regression in ``diagnostics.json``; None where there is none."""
    return read_json(path / FILE).get("regression") if (path / FILE).is_file() else None


def _searcher(label: str, fits: Sequence[Fits]) -> dict[str, Any]:
    rows = rows_of(fits)
    failed = Counter(name for row in rows for name in complaints(row))
    checks = [found for check in CHECKS if (found := _checked(check, rows))]
    for name, limit in ((OTHER, "the engine's own"), (FAILED, "a posterior")):
        if failed[name]:
            checks.append({"name": name, "limit": limit, "failed": failed[name], "of": len(rows), "of_draws": True})
    found = {
        "searcher": label,
        "problems": len({run.problem for run, _ in fits}),
        "runs": len(fits),
        "fits": len(rows),
        "passed": sum(not complaints(row) for row in rows),
        "checks": checks,
        "actions": dict(Counter(str(row["action"]) for row in rows).most_common()),
        "audits": dict(Counter(row["audit_status"] for row in rows if "audit_status" in row)),
        "ahead": _ahead(Ahead.of(fits)),
        "ahead_by_problem": _ahead_by_problem(fits),
        "decisions": _decisions(rows),
        "diagnosing": diagnosing(rows),
    }
    trust, verdict = _verdict(found)
    return found | {"trust": trust, "verdict": verdict}


def _checked(check: Check, rows: Sequence[dict[str, Any]]) -> dict[str, Any] | None:
    """How many rows did not keep to the limit, of those that have the number; None if none has."""
    known = [(row, passed) for row in rows if (passed := check.passed_by(row)) is not None]
    if not known:
        return None
    return {
        "name": check.name,
        "limit": check.limit([row for row, _ in known]),
        "failed": sum(not passed for _, passed in known),
        "of": len(known),
        "of_draws": check.of_draws,
    }


def _ahead(ahead: Ahead) -> dict[str, Any] | None:
    if not len(ahead):
        return None
    halves = {name: ahead.part(ahead.late == late) for name, late in (("first", False), ("second", True))}
    return {
        "trials": len(ahead),
        "intervals": _intervals(ahead),
        "far": asdict(ahead.covered_by(FAR)),
        "uniformity": ahead.uniformity,
        "uniformity_halves": {name: half.uniformity if len(half) else None for name, half in halves.items()},
        "leaves_band": ahead.leaves_band,
        "log_score": ahead.mean_log_score,
    }


def _ahead_by_problem(fits: Sequence[Fits]) -> dict[str, Any]:
    """Coverage on each problem, where there are several: errors of opposite sign cancel in that of all."""
    found = ahead_by_problem(fits)
    if len(found) < 2:
        return {}
    return {p: {"trials": len(ahead), "intervals": _intervals(ahead)} for p, ahead in found.items()}


def _intervals(ahead: Ahead) -> list[dict[str, float]]:
    return [asdict(coverage) for coverage in ahead.coverage]


def _decisions(rows: Sequence[dict[str, Any]]) -> dict[str, float] | None:
    """Medians of the decisions that were looked at closely: what a point estimate, and another prior, would change."""
    names = (
        "point_distance", "point_loss", "halves_distance", "halves_loss", "decision_prior_shift",
        "decision_halves_shift", "argmax_spread",
    )  # fmt: skip
    known = {name: values[~np.isnan(values)] for name in names if np.isfinite(values := column(rows, name)).any()}
    if not known:
        return None
    return {"examined": max(map(len, known.values()))} | {n: float(np.median(v)) for n, v in known.items()}


def diagnosing(rows: Sequence[dict[str, Any]]) -> float | None:
    """What is always diagnosed, as a share of it, fitting and proposing together; None if not known."""
    seconds = {part: column(rows, f"seconds_{part}") for part in ("diagnose", "sample", "maximise")}
    known = np.isfinite(list(seconds.values())).all(axis=0)
    whole = sum(part[known].sum() for part in seconds.values())
    return float(seconds["diagnose"][known].sum() / whole) if whole > 0.0 else None


def _verdict(found: dict[str, Any]) -> tuple[str, str]:
    """How far the posteriors may be trusted ("yes", "with care", "no", "unknown"), and a sentence that says why."""
    computed, sentence = _computation(found)
    if computed == "no":
        return "no", f"Not to be trusted: {sentence}."
    ahead = found["ahead"]
    if ahead is None:
        start = "Computed as it should be, as far as the checks go" if computed == "yes" else "Not free from doubt"
        return "unknown", (
            f"{start} ({sentence}); whether the model fits is not known, for there are no one-step-ahead predictions "
            "on record."
        )
    intervals = list(reversed(ahead["intervals"]))
    narrow, wide = _off(ahead, -1.0, [*intervals, ahead["far"]]), _off(ahead, 1.0, intervals)
    if narrow:
        cause = (
            "The model is to blame, not the computation" if computed == "yes" else "Model or computation are to blame"
        )
        return "no", (
            f"Too sure of itself: {narrow}. {cause} ({sentence}); its probabilities are not to be taken at their word."
        )
    if wide:
        return "with care", f"Too cautious: {wide}. Its probabilities err on the safe side; {sentence}."
    if ahead["uniformity"] < _CHANCE:
        return "with care", (
            f"To be trusted with care: {sentence}, and intervals cover what they claim, but outcomes lean to one side "
            "of their predictions, or cluster, more than chance would have it (see the figure pit)."
        )
    if ahead["trials"] < _FEW:
        return (
            "unknown",
            f"So far nothing speaks against it: {sentence}; but {ahead['trials']} predictions are too few.",
        )
    start = "Can be trusted" if computed == "yes" else "To be trusted with care"
    return (
        computed,
        f"{start}: {sentence}, and the next trials fell into its intervals as often as they should, within chance.",
    )


def _computation(found: dict[str, Any]) -> tuple[str, str]:
    checks = [check for check in found["checks"] if check["of_draws"]]
    if not checks:
        return "with care", f"its engine has no checks of convergence, so that {found['fits']} fits went unchecked"
    share = found["passed"] / found["fits"]
    text = f"{found['passed']} of {found['fits']} fits passed their checks"
    worst = max(checks, key=lambda c: c["failed"])
    if worst["failed"]:
        text += f" and {worst['failed']} failed {worst['name']}"
    audits = found["audits"]
    sure = audits.get("agrees", 0) + audits.get("differs", 0)
    if sure:
        text += f", {audits.get('agrees', 0)} of {sure} audits by NUTS agree"
    differing = audits.get("differs", 0) / sure if sure else 0.0
    if share < _UNSOUND or differing > 1.0 - _UNSOUND:
        return "no", text
    return ("yes" if share >= _SOUND and not differing else "with care"), text


def _off(ahead: dict[str, Any], side: float, intervals: Sequence[dict[str, float]]) -> str:
    """The first of some intervals to surely hold too few (side -1) or too many (1) outcomes, in words; or empty."""
    for interval in intervals:
        nominal, share = interval["nominal"], interval["share"]
        sure = interval["high"] < nominal if side < 0 else interval["low"] > nominal
        if sure and math.fabs(share - nominal) > _NEAR:
            return (
                f"its {nominal:.0%} intervals held {share:.0%} of {ahead['trials']} next trials "
                f"(95 % interval {interval['low']:.0%} to {interval['high']:.0%})"
            )
    return ""
