"""Simulation-based calibration of every registered surrogate: a record and a figure each, and a table of all.

    uv run python experiments/calibration/run.py [NAME ...] [--simulations 200]

Without names: all but two. stacked is a mixture, whose members are calibrated one by one. multi_task without earlier
trials is gp again (with them it is calibrated by tests/test_multi_task.py). sparse has fewer inducing points than
trials, or it would be gp too; hsgp fewer functions than by default, with which a fit takes ten seconds. A surrogate
with a record of as many simulations is not run again. `bayeshpo sbc` says what is done.
"""

from __future__ import annotations

import argparse
import json
import subprocess
from pathlib import Path
from typing import Any

from bayeshpo.registry import SURROGATES

LEFT_OUT = {"stacked", "multi_task"}
ARGUMENTS = {"sparse": "inducing = 8", "hsgp": "functions = 128"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", default=[n for n in SURROGATES if n not in LEFT_OUT])
    parser.add_argument("--simulations", type=int, default=200)
    parser.add_argument("--output", type=Path, default=Path("results/calibration"))
    arguments = parser.parse_args()
    for name in arguments.names:
        folder = arguments.output / name
        if len(_record(folder).get("ranks", [])) < arguments.simulations:
            options = {
                "arguments": ARGUMENTS.get(name, ""), "simulations": str(arguments.simulations), "output": str(folder)
            }  # fmt: skip
            command = ["bayeshpo", "sbc", name, *(f"--{option}={value}" for option, value in options.items())]
            # Ranks that are not uniform end the command with an error: the table shows it.
            subprocess.run(command, check=False)
    records = [_record(arguments.output / name) for name in SURROGATES]
    text = "\n".join(_table([record for record in records if record]))
    (arguments.output / "table.md").write_text(text + "\n", encoding="utf-8")
    print(text)


def _record(folder: Path) -> dict[str, Any]:
    path = folder / "calibration.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}


def _table(records: list[dict[str, Any]]) -> list[str]:
    lines = ["| surrogate | simulations | fits ok | ranks | smallest p-value |", "|---|---|---|---|---|"]
    for record in records:
        p = record["chi_square"] + record["largest_deviation"]
        ok, verdict = record["statuses"].count("ok"), "uniform" if record["calibrated"] else "not uniform"
        said = "".join(f", {name} = {value}" for name, value in record.get("arguments", {}).items())
        lines.append(
            f"| `{record['surrogate']}`{said} | {len(record['ranks'])} | {ok} | {verdict} | {min(p):.2g} of {len(p)} |"
        )
    return lines


if __name__ == "__main__":
    main()
