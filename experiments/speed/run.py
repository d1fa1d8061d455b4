"""Seconds per suggestion over a study of Hartmann-6, posterior and acquisition apart, with BoTorch beside it.

    uv run python experiments/speed/run.py [--trials 100] [--botorch PYTHON] [--output experiments/speed/table.md]

One core. The study is run with the default searcher; at every tenth trial the point-estimate engine and, if the Python
of an environment with BoTorch is given, its point-estimate and fully Bayesian models see the same history.
"""

import argparse
import json
import os
import platform
import resource
import subprocess
import time
from pathlib import Path

import numpy as np

import bayeshpo
from bayeshpo.inference.compilation import COMPILATIONS
from bayeshpo.parallel import CORES_VARIABLE
from bayeshpo.problems.synthetic import Hartmann6
from bayeshpo.trial import History

FULLY_BAYESIAN_AT = (20, 50, 100)
PEER = Path(__file__).parent / "botorch_peer.py"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=100)
    parser.add_argument("--botorch", help="the Python of an environment made from requirements-botorch.txt")
    parser.add_argument("--output", type=Path, help="write the table there as well")
    arguments = parser.parse_args()
    os.environ[CORES_VARIABLE] = "1"

    start = time.perf_counter()
    study = bayeshpo.Study(Hartmann6().space, bayeshpo.BayesianSearcher(n_initial=10), seed=0, name="speed")
    for _ in study.run(Hartmann6(), arguments.trials + 1):
        pass
    total = time.perf_counter() - start
    rows = study.inference
    first = rows.iloc[0]
    # The first fit compiles; what is compiled later would show in the times after it.
    warm = rows.iloc[1:]
    seconds = {"bayeshpo, full posterior": (warm["n"], warm["seconds_sample"], warm["seconds_maximise"])}
    points = [n for n in range(10, arguments.trials + 1) if n % 10 == 0]
    seconds["bayeshpo, MAP"] = _point_estimate(study.history, points)
    if arguments.botorch:
        seconds["BoTorch, MAP"] = _botorch(arguments.botorch, "map", study.history, points)
        chosen = [n for n in FULLY_BAYESIAN_AT if n <= arguments.trials]
        seconds["BoTorch, fully Bayesian"] = _botorch(arguments.botorch, "fully_bayesian", study.history, chosen)
    lines = [
        f"One core, {platform.machine()}, Python {platform.python_version()}; Hartmann-6, {arguments.trials} trials, "
        "10 of them initial; seconds.",
        "",
        "| | suggestions timed | median | 95th percentile | median fit | median maximise |",
        "|---|---|---|---|---|---|",
        *(_line(name, *columns) for name, columns in seconds.items()),
        "",
        f"Of the {len(rows)} fits with the full posterior, {(rows['status'] == 'ok').mean():.0%} passed their checks "
        f"(R-hat < 1.01, bulk ESS > 400); actions: {rows['action'].value_counts().to_dict()}.",
        f"First suggestion, compiling and maximising: {first['seconds_compile'] + first['seconds_maximise']:.1f} s; "
        f"all compilations {COMPILATIONS.seconds:.1f} s; whole study {total:.0f} s; peak memory "
        f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6:.2f} GB.",
    ]
    print("\n".join(lines))
    if arguments.output:
        arguments.output.write_text("\n".join(lines) + "\n")


def _prefix(history: History, n: int) -> History:
    return History(history.space, history.direction, history.trials[:n])


def _point_estimate(history: History, points: list[int]) -> tuple[list[int], list[float], list[float]]:
    searcher = bayeshpo.BayesianSearcher(inference="map", n_initial=2)
    streams = bayeshpo.Study(history.space, searcher, seed=0, name="speed").streams
    searcher.ask(_prefix(history, points[0]), 1, streams)
    fits, maxima = [], []
    for n in points:
        searcher.ask(_prefix(history, n), 1, streams)
        (row,) = searcher.reports()
        fits.append(row["seconds_sample"])
        maxima.append(row["seconds_maximise"])
    return points, fits, maxima


def _botorch(
    python: str, model: str, history: History, points: list[int]
) -> tuple[list[int], list[float], list[float]]:
    asked = [points[0], *points]
    with subprocess.Popen([python, str(PEER)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as peer:
        assert peer.stdin is not None
        assert peer.stdout is not None
        answers = []
        for n in asked:
            known = _prefix(history, n)
            peer.stdin.write(json.dumps({"model": model, "X": known.X.tolist(), "y": known.losses.tolist()}) + "\n")
            peer.stdin.flush()
            answers.append(json.loads(peer.stdout.readline()))
        peer.stdin.close()
    # The first answer warms the process up and is not counted.
    return points, [a["fit"] for a in answers[1:]], [a["maximise"] for a in answers[1:]]


def _line(name: str, n: list[int], fit: list[float], maximise: list[float]) -> str:
    total = np.asarray(fit) + np.asarray(maximise)
    numbers = (np.median(total), np.quantile(total, 0.95), np.median(fit), np.median(maximise))
    return f"| {name} | {len(n)} | " + " | ".join(f"{v:.3f}" for v in numbers) + " |"


if __name__ == "__main__":
    main()
