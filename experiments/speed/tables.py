"""The tables of every part, in Markdown."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
from estimates import Rate, middle, our_rate, peer_rate, seconds, true_sizes
from plan import EXACT_UP_TO, LIMITS
from records import Cell, Records


def table(head: Iterable[str], rows: Iterable[Iterable[Any]]) -> list[str]:
    """Lines of a Markdown table; numbers are rounded to three digits."""
    head = list(head)
    return [_line(head), "|" + "---|" * len(head), *(_line(map(_shown, row)) for row in rows), ""]


def study(records: Records, cells: list[Cell]) -> list[str]:
    """Seconds per suggestion."""
    found = list(records.results("study", cells))
    rows = []
    for name, timing in _SUGGESTERS.items():
        total = seconds(records, cells, timing)
        if len(total) == 0:
            continue
        parts = {k: middle(seconds(records, cells, timing, k)) for k in ("fit", "maximise")}
        predict = [s for _, r in found for s in r["predict"]] if timing == "full" else []
        rest = middle(seconds(records, cells, timing, "rest")) if not timing.startswith("peer") else ""
        predict = middle(predict) if predict else ""
        rows.append([name, len(total), np.median(total), np.quantile(total, 0.95), *parts.values(), rest, predict])
    head = ("", "timed", "median", "95th percentile", "fit", "maximise", "rest", "predict 512")
    fits = [tuple(s) for _, r in found for s in r["statuses"]]
    actions, passed = Counter(action for _, action in fits), sum(status == "ok" for status, _ in fits)
    by_seed = ", ".join(f"{np.median(s):.3f} and {np.quantile(s, 0.95):.3f}" for s in _by_study(found))
    return [
        *table(head, rows),
        f"Studies of Hartmann-6: {len(found)}. {passed} of {len(fits)} fits of the full posterior passed their checks; "
        f"actions: {dict(actions)}. Median and 95th percentile of each study: {by_seed}.",
    ]


def truth(records: Records, cells: list[Cell]) -> list[str]:
    """True and reported effective sample sizes; rates at the last number of trials."""
    sizes = true_sizes(records, cells)
    rows = [
        [n, s.name, f"{s.true:.0f}", f"{s.low:.0f} to {s.high:.0f}", f"{s.reported:.0f}", s.ratio, f"{s.reference:.0f}"]
        for n, at in sizes.items()
        for s in at
    ]
    head = ("n", "", "true ESS", "95 % interval", "reported", "reported / true", "ESS of the reference")
    references = {c["n"]: r for c, r in records.results("truth", cells) if c["kind"] == "reference"}
    checks = "; ".join(f"n = {n}: {r['khat']:.2f} and {r['nuts_largest_error']:.1f}" for n, r in references.items())
    lines = [
        *table(head, rows),
        "Checks of the reference: Pareto k-hat of its weights, and the largest distance of a NUTS mean from its mean "
        f"in standard errors of the difference. {checks}.",
        "",
    ]
    rates = {"bayeshpo": our_rate(records, cells), "BoTorch, NUTS": peer_rate(records, cells)}
    return [*lines, *table(_RATE_HEAD, [_rate_row(name, rate) for name, rate in rates.items() if rate])]


def sizes(records: Records, cells: list[Cell]) -> list[str]:
    """Time, evaluations and memory by surrogate, dimension and number of trials."""
    rows = []
    for cell, r in records.results("sizes", cells):
        full, point = r.get("sequential"), r["map"]
        own = [full[k] for k in _SIZE_FIELDS] if full else [""] * len(_SIZE_FIELDS)
        entry = [full["entry"]["seconds"], full["entry"]["densities"]] if full else ["", ""]
        checks = f"{sum(s == 'ok' for s, _ in full['outcomes'])} of {len(full['outcomes'])}" if full else ""
        memory = r.get("gigabytes", "")
        rows.append(
            [cell["surrogate"], cell["d"], cell["n"], *own, *entry, checks, memory, point["fit"], point["seconds"]]
        )
    head = (
        "surrogate",
        "d",
        "n",
        *_SIZE_FIELDS.values(),
        "first: s",
        "first: densities",
        "ok",
        "GB",
        "MAP fit",
        "MAP s",
    )
    return [*table(head, rows), _left_out(records, cells)]


def refit(records: Records, cells: list[Cell]) -> list[str]:
    """NUTS refits."""
    rows = [
        [c["n"], c["seed"], which, *(r[which][k] for k in _REFIT_FIELDS)]
        for c, r in records.results("refit", cells)
        for which in ("first", "next")
    ]
    return table(("n", "seed", "", *_REFIT_FIELDS), rows)


def start(records: Records, cells: list[Cell]) -> list[str]:
    """Cold and warm starts."""
    found = [r for c, r in records.results("start", cells) if c["kind"] == "start"]
    starts = [(name, s) for r in found for name, s in [("cold", r["cold"]), *(("warm", w) for w in r["warm"])]]
    return table(
        ("", "seconds", "import", "compile"), [[n, s["seconds"], s["import"], s["compile"]] for n, s in starts]
    )


def unmeasured(records: Records, part: str, cells: list[Cell]) -> list[str]:
    """A line for every cell that was not run, or that came to nothing."""
    found = [(cell, records.get(part, cell) or {"status": "not run", "result": {}}) for cell in cells]
    return [
        f"- {part} {cell}: {record['status']}{''.join(f' ({why})' for why in record['result'].values())}"
        for cell, record in found
        if record["status"] != "done"
    ]


TABLES: dict[str, Callable[[Records, list[Cell]], list[str]]] = {
    "study": study, "truth": truth, "sizes": sizes, "refit": refit, "start": start,
}  # fmt: skip

_SUGGESTERS = {
    "bayeshpo, full posterior": "full", "bayeshpo, MAP": "map",
    "BoTorch, MAP": "peer_map", "BoTorch, fully Bayesian": "peer_full",
}  # fmt: skip
_SIZE_FIELDS = {
    "seconds": "s", "fit": "fit", "predict": "predict 512", "maximise": "maximise", "longest": "longest",
    "densities": "densities", "gradients": "gradients", "ess_per_second": "ESS/s",
}  # fmt: skip
_REFIT_FIELDS = ("seconds", "fit", "maximise", "status", "action", "rhat_max", "ess_bulk_min", "divergences", "draws")
_RATE_HEAD = ("at the last n", "seconds of a fit", "true ESS, worst", "median", "worst per second", "median per second")


def _rate_row(name: str, rate: Rate) -> list[Any]:
    true = [s.true for s in rate.sizes]
    return [name, rate.seconds, min(true), middle(true), rate.per_second("worst"), rate.per_second("median")]


def _left_out(records: Records, cells: list[Cell]) -> str:
    longest = [
        r["sequential"]["seconds"] * (1000 / EXACT_UP_TO) ** 3
        for c, r in records.results("sizes", cells)
        if c["surrogate"] == "gp" and c["n"] == EXACT_UP_TO
    ]
    if not longest:
        return ""
    return (
        f"Left out: the full posterior of `gp` above n = {EXACT_UP_TO}. By n^3 from its times there, one suggestion at "
        f"n = 1000 would take {min(longest):.0f} to {max(longest):.0f} s; a cell of six may take {LIMITS['sizes']} s."
    )


def _by_study(found: list[tuple[Cell, Cell]]) -> list[list[float]]:
    return [[row["seconds"] for row in result["timings"]["full"]] for _, result in found]


def _line(values: Iterable[Any]) -> str:
    return "| " + " | ".join(map(str, values)) + " |"


def _shown(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, float) and value >= 1000:
        return f"{value:.0f}"
    return f"{value:.3g}" if isinstance(value, float) else str(value)
