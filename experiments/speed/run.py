"""The benchmark of speed and of true effective sample sizes, on one core.

    uv run python experiments/speed/run.py [--botorch PYTHON] [--parts study,sizes,truth,refit,start] [--output DIR]

Every measured cell is a record in the output folder, so that a run that was stopped goes on with the same command. The
tables of all records there are printed, and written to table.md in that folder and, unless --quick, beside this file.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import machine
import tables
import targets
from plan import LIMITS, PARTS, cells
from records import Cell, Records, code

HERE = Path(__file__).parent
ONE_THREAD = ("BAYESHPO_CORES", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def main() -> None:
    arguments = _arguments()
    os.environ.update(dict.fromkeys(ONE_THREAD, "1"))
    if hasattr(os, "sched_setaffinity"):
        # Libraries that do not look at these variables (XLA) get one core too.
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    records = Records(arguments.output)
    for part in arguments.parts:
        start = time.perf_counter()
        listed = cells(part, quick=arguments.quick, peer=bool(arguments.botorch))
        _measure(part, records.missing(part, listed), records, arguments.botorch)
        print(f"{part}: {time.perf_counter() - start:.0f} s", flush=True)
    text = "\n".join(_report(records, arguments.quick)) + "\n"
    print(text)
    (arguments.output / "table.md").write_text(text)
    if not arguments.quick:
        (HERE / "table.md").write_text(text)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--botorch", help="the Python of an environment made by experiments/peers/environment")
    parser.add_argument("--parts", type=_parts, default=PARTS, help=f"of {','.join(PARTS)}; all by default")
    parser.add_argument("--output", type=Path, help="folder of records; results/speed by default")
    parser.add_argument("--quick", action="store_true", help="few and small cells, to see that everything runs")
    arguments = parser.parse_args()
    arguments.output = arguments.output or Path("results") / ("speed-quick" if arguments.quick else "speed")
    arguments.output.mkdir(parents=True, exist_ok=True)
    return arguments


def _parts(names: str) -> list[str]:
    parts = names.split(",")
    for part in parts:
        if part not in PARTS:
            raise argparse.ArgumentTypeError(f"expected parts of {','.join(PARTS)}, got {part!r}")
    return parts


def _measure(part: str, missing: list[Cell], records: Records, botorch: str | None) -> None:
    batches = [[cell] for cell in missing] if part in LIMITS else [missing] if missing else []
    for batch in batches:
        command = [sys.executable, str(HERE / "worker.py"), part, str(records.directory), json.dumps(batch)]
        try:
            ended = subprocess.run([*command, *([botorch] if botorch else [])], timeout=LIMITS.get(part))
        except subprocess.TimeoutExpired:
            records.put(part, batch[0], "over the limit", {"reason": f"more than {LIMITS[part]} s"})
            continue
        for cell in records.missing(part, batch) if ended.returncode else []:
            records.put(part, cell, "failed", {"reason": f"the process ended with exit code {ended.returncode}"})


def _report(records: Records, quick: bool) -> list[str]:
    # Once studies with BoTorch are on record, they are the ones to show.
    peer = any(records.get("study", cell) for cell in cells("study", quick=quick, peer=True))
    listed = {part: cells(part, quick=quick, peer=peer) for part in PARTS}
    lines = [
        "# Last run",
        "",
        f"{machine.description()}.",
        *_about_peer(records, listed),
        *_about_code(records, listed),
    ]
    lines += ["", "## Targets", "", *targets.lines(records, listed)]
    for part in PARTS:
        if any(True for _ in records.results(part, listed[part])):
            lines += ["", f"## {part}", "", *tables.TABLES[part](records, listed[part])]
    nothing = [line for part in PARTS for line in tables.unmeasured(records, part, listed[part])]
    return [*lines, "", "## Not measured", "", *nothing] if nothing else lines


def _about_peer(records: Records, listed: dict[str, list[Cell]]) -> list[str]:
    versions = {r["peer_versions"] for _, r in records.results("study", listed["study"]) if r["peer_versions"]}
    return [f"Beside it: {'; '.join(sorted(versions))}."] if versions else []


def _about_code(records: Records, listed: dict[str, list[Cell]]) -> list[str]:
    found = [records.get(part, cell) for part in PARTS for cell in listed[part]]
    known = [r for r in found if r]
    old = sum(r["code"] != code() for r in known)
    return [f"{old} of {len(known)} measurements were made with an earlier state of the code."] if old else []


if __name__ == "__main__":
    main()
