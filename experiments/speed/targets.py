"""The summary: every target, what was measured, and whether it is met."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from estimates import ACQUISITION, middle, our_rate, peer_rate, seconds, true_sizes
from records import Cell, Records

Cells = dict[str, list[Cell]]
Row = tuple[str, str, bool | None]

_ENOUGH, _FACTOR = 400.0, 2.0
_REFIT_LIMITS = {50: 2.0, 100: 6.0, 200: 25.0}


def lines(records: Records, listed: Cells) -> list[str]:
    """The table of targets."""
    verdicts = {True: "yes", False: "**no**", None: "not measured"}
    rows = [*_suggestions(records, listed["study"]), *_sizes(records, listed["truth"])]
    rows += [*_rate(records, listed["truth"]), *_refits(records, listed["refit"])]
    rows += [*_sparse(records, listed["sizes"]), *_start(records, listed["start"])]
    table = [f"| {target} | {measured} | {verdicts[met]} |" for target, measured, met in rows]
    return ["| target | measured | met |", "|---|---|---|", *table]


def _suggestions(records: Records, cells: list[Cell]) -> Iterator[Row]:
    ours = seconds(records, cells, "full")
    for name, timing, factor in (
        ("BoTorch MAP's", "peer_map", 1.0),
        ("1/20 of BoTorch fully Bayesian's", "peer_full", 20.0),
    ):
        theirs = seconds(records, cells, timing) / factor
        for what, statistic in (("median", np.median), ("95th percentile", lambda v: np.quantile(v, 0.95))):
            target = f"seconds per suggestion, {what}: at most {name}"
            if len(ours) and len(theirs):
                a, b = float(statistic(ours)), float(statistic(theirs))
                yield target, f"{a:.3f} s against {b:.3f} s: {a / b:.2f} of it", a <= b
            else:
                yield target, "", None


def _sizes(records: Records, cells: list[Cell]) -> Iterator[Row]:
    sizes = true_sizes(records, cells)
    if not sizes:
        yield "true ESS at least 400, reported ESS within a factor of two", "", None
    for n, all_sizes in sizes.items():
        own = [s for s in all_sizes if s.name != ACQUISITION]
        worst = min(own, key=lambda s: s.true)
        yield (
            f"true ESS of every hyperparameter at n = {n}: at least 400",
            f"lowest {worst.true:.0f} [{worst.low:.0f}, {worst.high:.0f}] ({worst.name}), median "
            f"{middle(s.true for s in own):.0f}; {sum(s.true < _ENOUGH for s in own)} of {len(own)} below",
            worst.true >= _ENOUGH,
        )
        acquisition = next(s for s in all_sizes if s.name == ACQUISITION)
        yield (
            f"true ESS of the acquisition at its maximiser at n = {n}: at least 400",
            f"{acquisition.true:.0f} [{acquisition.low:.0f}, {acquisition.high:.0f}]",
            acquisition.true >= _ENOUGH,
        )
        ratios, off = [s.ratio for s in own], sum(s.off_by_more_than_two for s in own)
        yield (
            f"reported ESS over true ESS at n = {n}: between 1/2 and 2",
            f"median {middle(ratios):.2f}, from {min(ratios):.2f} to {max(ratios):.2f}; "
            f"outside beyond the error of the repetitions: {off} of {len(own)}",
            1.0 / _FACTOR <= middle(ratios) <= _FACTOR and off == 0,
        )


def _rate(records: Records, cells: list[Cell]) -> Iterator[Row]:
    ours, theirs = our_rate(records, cells), peer_rate(records, cells)
    for which in ("worst", "median"):
        target = f"true ESS per second of the {which} hyperparameter: at least 50 times BoTorch's NUTS"
        if ours and theirs:
            a, b = ours.per_second(which), theirs.per_second(which)
            times = f"{a / b:.0f} times" if b > 0.0 else "none to speak of"
            yield target, f"{a:.0f} against {b:.2f}: {times}", a >= 50.0 * b
        else:
            yield target, "", None


def _refits(records: Records, cells: list[Cell]) -> Iterator[Row]:
    for n, limit in _REFIT_LIMITS.items():
        found = [r for c, r in records.results("refit", cells) if c["n"] == n]
        for which, words in (("first", "from nothing"), ("next", "after the one before")):
            target = f"NUTS refit with acquisition, n = {n}, {words}: at most {limit:.0f} s, checks passed"
            if not found:
                yield target, "", None
                continue
            rows = [r[which] for r in found]
            passed, time = sum(r["status"] == "ok" for r in rows), middle(r["seconds"] for r in rows)
            yield target, f"median {time:.1f} s; {passed} of {len(rows)} passed", time <= limit and passed == len(rows)


def _sparse(records: Records, cells: list[Cell]) -> Iterator[Row]:
    target = "sparse surrogate, default engine, n = 1000, d = 6: at most 10 s per suggestion"
    wanted = [c for c in cells if (c["surrogate"], c["n"], c["d"]) == ("sparse", 1000, 6)]
    found = [r["sequential"] for _, r in records.results("sizes", wanted)]
    if found:
        r = found[0]
        measured = f"median {r['seconds']:.1f} s, longest {r['longest']:.1f} s, the first {r['entry']['seconds']:.1f} s"
        yield target, measured, r["seconds"] <= 10.0
    else:
        yield target, "", None


def _start(records: Records, cells: list[Cell]) -> Iterator[Row]:
    found = {c["kind"]: r for c, r in records.results("start", cells)}
    if "start" in found:
        cold, warm = found["start"]["cold"]["seconds"], middle(w["seconds"] for w in found["start"]["warm"])
        yield "cold start to the first model-based suggestion: at most 45 s", f"{cold:.1f} s", cold <= 45.0
        yield "warm start: at most 10 s", f"{warm:.1f} s", warm <= 10.0
    else:
        yield "cold and warm start", "", None
    if "memory" in found:
        size = found["memory"]["gigabytes"]
        yield "peak memory at n = 200, default engine: below 1 GB", f"{size:.2f} GB", size < 1.0
    else:
        yield "peak memory at n = 200", "", None
