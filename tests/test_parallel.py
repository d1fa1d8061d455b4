"""Parallel coordinates and traces: whose line is where."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from synthetic_results import trial, write_experiment, write_run

from bayeshpo.analysis.figures import parallel, trace
from bayeshpo.analysis.figures.style import settings
from bayeshpo.analysis.spaces import space_of
from bayeshpo.experiment.store import Results, RunRecord
from bayeshpo.space import INACTIVE

SPACE = ("branch", "leaf_left", "leaf_right", "r_left", "r_right", "x1", "x2", "x3", "x4")


def recorded(path: Path, n: int) -> RunRecord:
    """A run of random search on a conditional space."""
    write_experiment(path, {"tree": {}}, ("random",), 1, n)
    folder = write_run(path, "tree", "random", 0, [trial(0, 0.0)], budget=n, space=SPACE)
    record = Results(path).runs()[0]
    space, rng = space_of(record), np.random.default_rng(0)
    configurations = space.decode(space.sample(n, rng))
    values = rng.permutation(n).astype(float)
    trials = [trial(i, values[i], c) for i, c in enumerate(configurations)]
    (folder / "trials.jsonl").write_text("".join(json.dumps(t) + "\n" for t in trials))
    return record


def lines(axes: Axes) -> int:
    return sum(len(c.get_paths()) for c in axes.collections if isinstance(c, LineCollection))


def test_a_line_a_trial_and_the_best_is_highlighted_where_it_was(tmp_path: Path):
    run = recorded(tmp_path, 12)
    with settings():
        (drawing,) = parallel.draw([run], 7.0)
    axes = drawing.figure.axes[0]
    assert lines(axes) == 12
    best = min(run.trials, key=lambda t: t["value"])
    position = space_of(run).encode([best["configuration"]])[0]
    drawn = np.asarray(axes.lines[0].get_ydata(), dtype=float)
    np.testing.assert_allclose(drawn[position != INACTIVE], position[position != INACTIVE])
    assert (drawn[position == INACTIVE] < 0).all()
    assert (position == INACTIVE).any()
    assert [label.get_text() for label in axes.get_yticklabels()] == ["inactive"]
    assert [label.get_text() for label in axes.get_xticklabels()] == [name.replace("_", " ") for name in SPACE]
    assert {"left", "right"} <= {text.get_text() for text in axes.texts}


def test_what_is_maximised_is_best_where_it_is_largest(tmp_path: Path):
    run = recorded(tmp_path, 12)
    run = RunRecord(run.path, {**run.spec, "direction": "maximize"}, None, ())
    with settings():
        (drawing,) = parallel.draw([run], 7.0)
    best = max(run.trials, key=lambda t: t["value"])
    position = space_of(run).encode([best["configuration"]])[0]
    drawn = np.asarray(drawing.figure.axes[0].lines[0].get_ydata(), dtype=float)
    np.testing.assert_allclose(drawn[position != INACTIVE], position[position != INACTIVE])


def test_of_many_trials_the_best_are_all_there(tmp_path: Path):
    run = recorded(tmp_path, 1000)
    with settings():
        (drawing,) = parallel.draw([run], 7.0)
    assert 200 < lines(drawing.figure.axes[0]) <= 300
    assert "the 60 best, and others evenly spaced by rank" in drawing.caption


def test_nothing_is_drawn_of_nothing(tmp_path: Path):
    write_experiment(tmp_path, {"p": {}}, ("random",), 1, 2)
    write_run(tmp_path, "p", "random", 0, [trial(0, None), trial(1, None)])
    (run,) = Results(tmp_path).runs()
    assert parallel.draw([run], 7.0) == []
    assert trace.draw(run, 5.0) == []


def test_a_trace_has_its_trials_its_incumbent_and_its_failures(tmp_path: Path):
    write_experiment(tmp_path, {"p": {}}, ("random",), 1, 5)
    values = [2.0, None, 3.0, 1.0, 4.0]
    trials = [trial(i, v, origin="initial" if i < 2 else "random") for i, v in enumerate(values)]
    write_run(tmp_path, "p", "random", 0, trials, direction="maximize")
    (run,) = Results(tmp_path).runs()
    with settings():
        (drawing,) = trace.draw(run, 5.0)
    initial, later, incumbent, failed = drawing.figure.axes[0].lines
    assert list(np.asarray(initial.get_xdata())) == [0, 1]
    assert list(np.asarray(later.get_ydata())) == [3.0, 1.0, 4.0]
    assert list(np.asarray(incumbent.get_ydata())) == [2.0, 2.0, 3.0, 3.0, 4.0]
    assert list(np.asarray(failed.get_xdata())) == [1]
    assert "Crosses at the bottom are failed trials." in drawing.caption
