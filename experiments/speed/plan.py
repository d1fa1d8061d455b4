"""What is measured: the cells of every part, in full and in the quick form that only checks that all of it runs."""

from __future__ import annotations

from records import Cell

PARTS = ("study", "truth", "sizes", "refit", "start")
# Parts of which every cell has a process of its own, for its memory or its time from the start, and the seconds after
# which that is ended.
LIMITS = {"sizes": 300, "start": 900}

DIMENSIONS = (2, 6, 20)
SIZES = (20, 50, 100, 200, 500, 1000)
# Up to this n the exact Gaussian process has its full posterior here, from it on the sparse one is beside it.
EXACT_UP_TO = 200


def cells(part: str, *, quick: bool, peer: bool) -> list[Cell]:
    """The cells of a part; those of BoTorch only with ``peer``."""
    return {"study": _study, "truth": _truth, "sizes": _sizes, "refit": _refit, "start": _start}[part](quick, peer)


def history_cell(quick: bool) -> Cell:
    """The study whose trials the part `truth` repeats inference on."""
    return {"seed": 0, "trials": 14 if quick else 100}


def truth_points(quick: bool) -> tuple[int, ...]:
    """Numbers of trials at which the true ESS is measured."""
    return (10, 14) if quick else (10, 30, 60, 100)


def _study(quick: bool, peer: bool) -> list[Cell]:
    trials = history_cell(quick)["trials"]
    return [{"seed": seed, "trials": trials, "peer": peer} for seed in range(1 if quick else 3)]


def _truth(quick: bool, peer: bool) -> list[Cell]:
    points, repetitions = truth_points(quick), 3 if quick else 20
    # Few trials leave a posterior that a mixture fits less well, and their densities are cheap.
    draws = {10: 400_000, 30: 200_000}
    references = [{"kind": "reference", "n": n, "draws": 5_000 if quick else draws.get(n, 100_000)} for n in points]
    ours = [{"kind": "repetition", "seed": seed, "trials": points[-1]} for seed in range(repetitions)]
    theirs = [{"kind": "peer", "seed": seed, "n": points[-1]} for seed in range(repetitions)]
    return references + ours + (theirs if peer else [])


def _sizes(quick: bool, peer: bool) -> list[Cell]:
    both, point = "sequential+map", "map"
    listed: list[Cell] = []
    for d in (2,) if quick else DIMENSIONS:
        for n in (20, 50) if quick else SIZES:
            listed.append({"surrogate": "gp", "engines": both if n <= EXACT_UP_TO else point, "d": d, "n": n})
            if n >= EXACT_UP_TO or quick:
                listed.append({"surrogate": "sparse", "engines": both, "d": d, "n": n})
            if d == 2:
                listed.append({"surrogate": "hsgp", "engines": both, "d": d, "n": n})
    return listed


def _refit(quick: bool, peer: bool) -> list[Cell]:
    return [{"n": n, "seed": seed} for n in ((20,) if quick else (50, 100, 200)) for seed in range(1 if quick else 3)]


def _start(quick: bool, peer: bool) -> list[Cell]:
    return [{"kind": "start", "warm": 1 if quick else 3}, {"kind": "memory", "n": 30 if quick else 200}]
