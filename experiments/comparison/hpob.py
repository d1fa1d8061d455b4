"""Do the comparison's models converge on published results, and what do they say of them?

    uv run python -m experiments.comparison.hpob TRACES

TRACES is a parquet file of the traces of HPO-B-v3 (Pineda Arango et al. 2021): columns method, space, dataset, seed,
trial and incumbent, the best accuracy so far scaled to [0, 1]. Writes hpob.md.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import pandas as pd

from bayeshpo.analysis.comparison import compare
from bayeshpo.analysis.traces import Traces

HERE = Path(__file__).resolve().parent
# Those that have whole traces on all problems, one of each kind.
METHODS = ("BOHAMIANN", "DGP", "DNGO", "FSBO", "GP", "RGPE", "Random")


def published(file: Path) -> Traces:
    """Traces of seven methods on the test tasks: 86 problems, 5 seeds, 101 trials, the first of which is the design."""
    frame = pd.read_parquet(file).astype({"method": str, "space": str, "dataset": str, "seed": str})
    frame = frame[frame["method"].isin(METHODS)]
    return Traces.of_frame(
        pd.DataFrame(
            {
                "problem": frame["space"] + "/" + frame["dataset"],
                "searcher": frame["method"],
                "seed": frame["seed"].str.removeprefix("test").astype(int),
                "trial": frame["trial"],
                "regret": (1.0 - frame["incumbent"].astype(float)).round(7),
            }
        )
    )


def main() -> None:
    """Fit the four models and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("traces", type=Path)
    traces = published(parser.parse_args().traces)
    lines = [
        f"Published traces of HPO-B-v3: {len(traces.searchers)} methods on {len(traces.problems)} problems, 5 seeds, "
        "with the limits that `bayeshpo compare` has by default. Required: R-hat at most 1.01, bulk ESS above 400.",
        "",
        "| model | R-hat | bulk ESS | tail ESS | divergences | draws | seconds | what may be claimed |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for found in compare(traces, floor=1e-3, rope=0.01, target=0.01):
        report = found.report
        cells = (
            f"`{found.name}`", f"{report.rhat_max:.4f}", f"{report.ess_bulk_min:.0f}", f"{report.ess_tail_min:.0f}",
            report.divergences, report.chains * report.draws, f"{report.seconds_sample:.0f}", found.claim,
        )  # fmt: skip
        lines.append("| " + " | ".join(map(str, cells)) + " |")
        print(lines[-1], flush=True)
    (HERE / "hpob.md").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
