"""What several trials at once save: a random search whose trials wait for half a second to one and a half.

    uv run python experiments/harness/at_once.py [--trials 60]

"Start" are the seconds until the first trial is begun, in which processes import what they need; "seconds" those from
there to the end of the study. "Times shorter" is by these, beside one trial after another; "trials alone" is how many
times it would be if nothing but the trials took time (`bayeshpo.elapsed`).
"""

from __future__ import annotations

import argparse
import time

import bayeshpo


def waiting(configuration: dict[str, float]) -> bayeshpo.Outcome:
    """A trial of 0.5 to 1.5 seconds, which says when it began."""
    begun = time.time()
    time.sleep(0.5 + configuration["x"])
    return bayeshpo.Outcome(configuration["x"], seconds=time.time() - begun, info={"begun": begun})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=60)
    trials = parser.parse_args().trials
    print("| workers | start | seconds | times shorter | trials alone |\n|---|---|---|---|---|")
    in_turn = 0.0
    for workers in (1, 2, 4, 8):
        study = bayeshpo.Study({"x": (0.0, 1.0)}, bayeshpo.RandomSearcher(), seed=0)
        start = time.time()
        study.optimize(waiting, trials, workers=workers, progress=False)
        begun = min(trial.outcome.info["begun"] for trial in study.history.trials)
        seconds = time.time() - begun
        in_turn = in_turn or seconds
        alone = sum(trial.outcome.seconds for trial in study.history.trials) / study.history.seconds
        row = begun - start, seconds, in_turn / seconds, alone
        print(f"| {workers} | " + " | ".join(f"{number:.1f}" for number in row) + " |", flush=True)


if __name__ == "__main__":
    main()
