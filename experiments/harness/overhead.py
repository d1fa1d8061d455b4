"""What the harness adds to a trial: records, progress and bookkeeping, over a long random search.

    uv run python experiments/harness/overhead.py [--trials 10000]

A run of random search on Branin as `bayeshpo run` executes it, beside the bare loop of drawing and evaluating:
milliseconds a trial, by tenths of the run. "Processor" is what this process computed, whatever else the machine did;
"records" is writing and flushing them.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np

from bayeshpo.experiment import spec
from bayeshpo.experiment.worker import Progress, execute
from bayeshpo.experiment.writer import RunWriter
from bayeshpo.problem import evaluate
from bayeshpo.randomness import Streams

_FILE = 'name = "overhead"\nbudget = {}\n[[problems]]\nname = "branin"\n[[searchers]]\nname = "random"\n'
_TENTHS = 10


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=10_000)
    trials = parser.parse_args().trials
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "overhead.toml"
        path.write_text(_FILE.format(trials))
        run = spec.read(path).runs[0]
        bare, (whole, records) = _bare(run, trials), _whole(run, Path(folder) / "run")
    added = whole - bare
    columns = {
        "bare loop": bare[:, 0], "harness": whole[:, 0], "added": added[:, 0], "added, processor": added[:, 1],
        "records": records[:, 0], "records, processor": records[:, 1],
    }  # fmt: skip
    print("| trials | " + " | ".join(columns) + " |\n|---" + "|---" * len(columns) + "|")
    for i in range(_TENTHS):
        _row(f"to {(i + 1) * trials // _TENTHS}", [np.array_split(c, _TENTHS)[i] for c in columns.values()])
    _row("all", list(columns.values()))


def _row(name: str, columns: list[np.ndarray]) -> None:
    print(f"| {name} | " + " | ".join(f"{1e3 * column.mean():.2f}" for column in columns) + " |")


def _now() -> tuple[float, float]:
    """Seconds by the clock, and of the processor."""
    return time.perf_counter(), time.process_time()


def _bare(run: spec.RunSpec, trials: int) -> np.ndarray:
    """Both kinds of seconds of each trial of the loop alone (n, 2)."""
    problem, streams = run.problem.build(), Streams(run.problem.key, run.seed)
    ticks = [_now()]
    for i in range(trials):
        (configuration,) = problem.space.decode(problem.space.sample(1, streams.generator("random", i)))
        evaluate(problem, configuration, rng=streams.generator("noise", i))
        ticks.append(_now())
    return np.diff(ticks, axis=0)


def _whole(run: spec.RunSpec, path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Both kinds of seconds of each trial of a run, and of writing each (n, 2)."""
    ticks: list[tuple[float, float]] = []
    written: list[np.ndarray] = []
    append = RunWriter.append

    def timed(self: RunWriter, *arguments: object) -> None:
        start = _now()
        append(self, *arguments)  # type: ignore[arg-type]
        written.append(np.subtract(_now(), start))

    def report(progress: Progress) -> None:
        ticks.append(_now())

    RunWriter.append = timed  # type: ignore[method-assign]
    execute(run, path, report)
    # The first report is made before the first trial, the last one after the end.
    return np.diff(ticks[:-1], axis=0), np.array(written)


if __name__ == "__main__":
    main()
