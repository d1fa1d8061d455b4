"""What `experiments/peers.toml` has found: mean ranks by suite, regrets, one-step-ahead coverage, as table.md.

uv run python -m experiments.peers.report results/peers
"""

from __future__ import annotations

import argparse
from pathlib import Path

from bayeshpo.analysis.regret import simple_regret
from bayeshpo.experiment.store import Results
from experiments.by_suite import coverage, medians, ranks, suites, whole_seeds

_EXPERIMENT = Path(__file__).parents[1] / "peers.toml"
_OURS = "bayesian"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("results", type=Path)
    parser.add_argument("--output", type=Path, default=Path(__file__).parent / "table.md")
    arguments = parser.parse_args()
    runs = whole_seeds(Results(arguments.results).runs())
    regrets, of = simple_regret(runs), suites(_EXPERIMENT)
    text = "\n".join([*ranks(regrets, runs, of), "", *medians(regrets), "", *coverage(runs, of, _OURS)])
    arguments.output.write_text(text + "\n", encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
