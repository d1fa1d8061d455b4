"""Do peers that the test suite does not install keep what searchers promise? By its contract suite, as contracts.md.

    uv run --extra optuna-gp python -m experiments.peers.contracts NAME ...

Names are `optuna-gp`, `botorch`, `botorch-fully-bayesian` and `hebo`, of which the last three need their environments
(README.md). A row is of studies of continuous, mixed and finite spaces, with equal seeds, failed and pending trials,
and resumed from their records. Rows of peers that are not named stay.
"""

from __future__ import annotations

import argparse
from functools import partial
from pathlib import Path
from typing import Any

from bayeshpo.parallel import one_blas_thread
from bayeshpo.registry import create
from bayeshpo.testing import check_searcher

_HERE = Path(__file__).parent
# Enough for every peer to leave its initial design of four.
_TRIALS = 6


def _external(environment: str, adapter: str, **arguments: Any) -> dict[str, Any]:
    python = _HERE.parents[1] / ".venv-peers" / environment / "bin" / "python"
    return {"command": [str(python), str(_HERE / adapter)], "arguments": arguments}


PEERS: dict[str, tuple[str, dict[str, Any]]] = {
    "optuna-gp": ("optuna", {"sampler": "gp", "options": {"n_startup_trials": 4}}),
    "botorch": ("external", _external("botorch", "botorch_peer.py", model="map", n_initial=4)),
    "botorch-fully-bayesian": (
        "external",
        _external("botorch", "botorch_peer.py", model="fully_bayesian", n_initial=4),
    ),
    "hebo": ("external", _external("hebo", "hebo_peer.py", rand_sample=4)),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="+", choices=PEERS, metavar="NAME")
    parser.add_argument("--output", type=Path, default=_HERE / "contracts.md")
    arguments = parser.parse_args()
    lines = ["| peer | keeps its promises on spaces that are |", "|---|---|"]
    before = arguments.output.read_text(encoding="utf-8").splitlines() if arguments.output.exists() else []
    rows = {line.split("`")[1]: line for line in before[2:]}
    with one_blas_thread():
        for name in arguments.names:
            spaces = check_searcher(partial(create, "searcher", *PEERS[name]), trials=_TRIALS)
            rows[name] = f"| `{name}` | {', '.join(spaces)} |"
            print(rows[name], flush=True)
    arguments.output.write_text("\n".join([*lines, *(rows[n] for n in PEERS if n in rows)]) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
