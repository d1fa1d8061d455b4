"""Several trials of one study at once: what is proposed, told and recorded, whichever of them ends first."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace
from pathlib import Path
from typing import Any

import cloudpickle
import numpy as np
import pytest
from simulated_clock import drawn_seconds, timeless

import bayeshpo
from bayeshpo import registry
from bayeshpo.analysis.costs import costs_of
from bayeshpo.elapsed import elapsed
from bayeshpo.errors import SpecificationError
from bayeshpo.history import History
from bayeshpo.problems.synthetic import Branin
from bayeshpo.randomness import Streams
from bayeshpo.searchers.grid import GridSearcher
from bayeshpo.searchers.random import RandomSearcher
from bayeshpo.searchers.successive_halving import SuccessiveHalvingSearcher
from bayeshpo.trial import Outcome, Suggestion, Trial

SPACE = {"x": (0.0, 1.0)}
README = (Path(__file__).resolve().parents[1] / "README.md").read_text()


class Watching(RandomSearcher):
    """Random search that remembers what it was shown."""

    def __init__(self) -> None:
        self.shown: list[tuple[list[int], list[int]]] = []

    def ask(self, history: History, n: int, rng: Streams) -> list[Suggestion]:
        self.shown.append(([t.suggestion.index for t in history.trials], [s.index for s in history.pending]))
        return super().ask(history, n, rng)


def study_of(searcher: Any = None, **arguments: Any) -> bayeshpo.Study:
    return bayeshpo.Study(SPACE, searcher or RandomSearcher(), seed=3, **arguments)


def bowl(configuration: dict[str, Any]) -> float:
    return (configuration["x"] - 0.3) ** 2


def optimised(study: bayeshpo.Study, executor: Any, budget: int = 12, workers: int = 3, **arguments: Any) -> Any:
    return study.optimize(bowl, budget, workers=workers, executor=executor, progress=False, **arguments)


def indices(study: bayeshpo.Study) -> list[int]:
    return [t.suggestion.index for t in study.history.trials]


def test_as_soon_as_one_ends_the_next_is_asked_for_with_the_others_pending(on_a_clock: Any) -> None:
    searcher = Watching()
    study = study_of(searcher)
    # Of the first three the second takes as long as four of the others.
    optimised(study, on_a_clock(lambda s: 4.5 if s.index == 1 else 1.0 + 0.01 * s.index), budget=8)
    assert searcher.shown == [
        ([], []), ([], [0]), ([], [0, 1]), ([0], [1, 2]), ([0, 2], [1, 3]), ([0, 2, 3], [1, 4]),
        ([0, 2, 3, 4], [1, 5]), ([0, 2, 3, 4, 5], [1, 6]),
    ]  # fmt: skip
    assert indices(study) == [0, 2, 3, 4, 5, 6, 7, 1]
    told = {t.suggestion.index: t.suggestion.told for t in study.history.trials}
    assert [told[i] for i in range(8)] == [None, 0, 0, 1, 2, 3, 4, 5]
    assert study.ending is not None
    assert study.ending.reason == "budget of 8 trials spent"
    # Noise, like configurations, goes by the number of the trial.
    alone = study_of()
    alone.optimize(bowl, 8, progress=False)
    assert {i: t.value for i, t in zip(indices(study), study.history.trials, strict=True)} == {
        i: t.value for i, t in enumerate(alone.history.trials)
    }


def test_one_worker_of_an_executor_does_what_is_done_in_turn(on_a_clock: Any) -> None:
    alone, study = study_of(), study_of()
    alone.optimize(bowl, 6, progress=False)
    optimised(study, on_a_clock(), budget=6, workers=1)
    records = [t.to_record() for t in study.history.trials]
    assert timeless(records) == timeless(t.to_record() for t in alone.history.trials)
    assert not any("told" in record for record in records)


def test_what_was_pending_is_on_record() -> None:
    suggestion = Suggestion({"x": 0.5}, 4, "random", info={"a": 1}, continues=2, fidelity=0.5, told=2)
    assert Suggestion.from_record(json.loads(json.dumps(suggestion.to_record()))) == suggestion
    trial = Trial(suggestion, Outcome(1.0))
    assert Trial.from_record(trial.to_record()) == trial
    assert trial.to_record().items() >= suggestion.to_record().items()


def test_processes_evaluate_closures_and_may_die(tmp_path: Path) -> None:
    """A trial that ends its process once is evaluated again; one that ends it twice has failed."""
    here = os.getpid()
    raises, dies, dies_always = (s.configuration["x"] for s in study_of().ask(3))

    def objective(configuration: dict[str, Any]) -> Outcome:
        import threadpoolctl

        x = configuration["x"]
        before = (tmp_path / str(x)).exists()
        (tmp_path / str(x)).touch()
        if x == dies_always or (x == dies and not before):
            os._exit(7)
        if x == raises:
            raise ValueError("too low")
        threads = [pool["num_threads"] for pool in threadpoolctl.threadpool_info()]
        return Outcome(bowl(configuration), info={"elsewhere": os.getpid() != here, "threads": threads})

    study = study_of()
    study.optimize(objective, 6, workers=2, progress=False)
    assert sorted(indices(study)) == list(range(6))
    trials = {t.suggestion.index: t for t in study.history.trials}
    assert trials[0].outcome.reason == "ValueError: too low"
    assert trials[2].outcome.reason == "its worker process died with exit code 7, and so did another one before"
    for index in (1, 3, 4, 5):
        assert trials[index].value == bowl(trials[index].configuration)
        assert trials[index].outcome.info["elsewhere"]
        assert set(trials[index].outcome.info["threads"]) <= {1}


def test_what_cannot_be_sent_is_refused_and_threads_share_it() -> None:
    lock, seen = threading.Lock(), []

    def objective(configuration: dict[str, Any]) -> float:
        with lock:
            seen.append(configuration)
        return bowl(configuration)

    with pytest.raises(
        SpecificationError, match=r"sent to other processes, got one with TypeError: cannot pickle.*lock"
    ):
        study_of().optimize(objective, 4, workers=2, progress=False)
    assert not seen
    with ThreadPoolExecutor(2) as threads:
        study = study_of()
        study.optimize(objective, 6, workers=2, executor=threads, progress=False)
    assert len(seen) == len(study.history) == 6
    with pytest.raises(SpecificationError, match="expected at least 1 worker, got 0"):
        study.optimize(bowl, 8, workers=0)
    with pytest.raises(SpecificationError, match=r"expected a concurrent\.futures\.Executor or a Dask Client, got str"):
        study.optimize(bowl, 8, workers=2, executor="dask")


class Unloadable:
    def __reduce__(self) -> Any:
        return _raise, ()


def _raise() -> None:
    raise ModuleNotFoundError("No module named 'mine'")


def test_an_objective_that_a_worker_cannot_have_ends_it_all(on_a_clock: Any) -> None:
    mine, study = Unloadable(), study_of()
    with pytest.raises(
        SpecificationError, match="cannot be had in a worker: ModuleNotFoundError: No module named 'mine'"
    ):
        study.optimize(lambda c: mine, 6, workers=2, executor=on_a_clock(), progress=False)


@pytest.mark.parametrize("end", [KeyboardInterrupt, BrokenProcessPool])
def test_an_interruption_leaves_trials_pending_which_come_first_when_it_goes_on(on_a_clock: Any, end: type) -> None:
    study = study_of()
    with pytest.raises(end):
        optimised(study, on_a_clock(drawn_seconds, 4, end))
    left = study.history.pending
    assert len(study.history) == 4
    assert len(left) == 3
    optimised(study, on_a_clock(), workers=2)
    assert sorted(indices(study)) == list(range(12))
    assert {s.index for s in left} & set(indices(study)[4:6])
    assert not study.history.pending
    # In turn too.
    study = study_of()
    with pytest.raises(end):
        optimised(study, on_a_clock(drawn_seconds, 4, end))
    study.optimize(bowl, 12, progress=False)
    assert indices(study)[4:7] == [s.index for s in left]


def test_problems_of_other_libraries_can_be_sent() -> None:
    problem = registry.create("problem", "bbob", {"function": 3})
    again = cloudpickle.loads(cloudpickle.dumps(problem))
    middle = dict.fromkeys(problem.space.names, 0.25)
    assert again.true_value(middle) == problem.true_value(middle)


def test_what_was_asked_for_by_hand_is_left_to_the_hand(on_a_clock: Any) -> None:
    study = study_of()
    mine = study.ask()
    optimised(study, on_a_clock(), budget=5)
    assert study.history.pending == (mine,)
    study.tell(mine, 0.5)
    assert sorted(indices(study)) == list(range(6))


def test_a_rule_and_an_exhausted_space_wait_for_what_is_under_way(on_a_clock: Any) -> None:
    study = study_of()
    optimised(study, on_a_clock(), stop=bayeshpo.Work(5), budget=12)
    # At five there are two more under way.
    assert len(study.history) == 7
    assert study.ending is not None
    assert (study.ending.status, study.ending.reason) == ("stopped", "5 of work done")
    grid = bayeshpo.Study({"x": [0.1, 0.2, 0.3, 0.4, 0.5]}, GridSearcher(), seed=0)
    optimised(grid, on_a_clock())
    assert sorted(t.configuration["x"] for t in grid.history.trials) == [0.1, 0.2, 0.3, 0.4, 0.5]
    assert grid.ending is not None
    assert grid.ending.status == "exhausted"


class Trained(Branin):
    """Branin, reached along a curve."""

    def evaluate_to(self, configuration: Any, fidelity: float, *, stopped: Outcome | None, rng: Any) -> Outcome:
        value = self.evaluate(configuration, rng=rng).value
        assert value is not None
        begun = 0.0 if stopped is None else stopped.curve[-1][0]
        if fidelity < 1.0:
            return Outcome.stopped([(fidelity, value / fidelity)], work=fidelity - begun)
        return Outcome(value, work=1.0 - begun)


def test_stopped_trainings_are_taken_up_once(on_a_clock: Any) -> None:
    problem = Trained()
    study = bayeshpo.Study(problem.space, SuccessiveHalvingSearcher(), seed=0)
    study.optimize(problem, 40, workers=4, executor=on_a_clock(), progress=False)
    assert_taken_up_once(study, 6)
    assert study.history.finished.any()


@pytest.mark.slow
def test_freeze_thaw_takes_up_what_has_been_told(on_a_clock: Any) -> None:
    problem = Trained()
    searcher = bayeshpo.BayesianSearcher(surrogate="learning_curve", acquisition="freeze_thaw")
    study = bayeshpo.Study(problem.space, searcher, seed=0)
    study.optimize(problem, 16, workers=3, executor=on_a_clock(), progress=False)
    assert_taken_up_once(study, 2)


def assert_taken_up_once(study: bayeshpo.Study, least: int) -> None:
    place = {index: i for i, index in enumerate(indices(study))}
    later = [t.suggestion for t in study.history.trials if t.suggestion.continues is not None]
    assert len(later) == len({s.continues for s in later}) >= least
    assert all(place[s.continues] < (s.index if s.told is None else s.told) for s in later if s.continues is not None)
    assert study.history.work == pytest.approx(sum(study.history.shares))


def test_the_recommendation_beside_a_pending_proposal_is_known() -> None:
    trials = tuple(Trial(Suggestion({"x": 0.1 * i}, i, "initial"), Outcome(float(i))) for i in range(3))
    waiting = Suggestion({"x": 0.9}, 3, "acquisition", info={"fitted_on": 2, "recommended": 1}, told=2)
    history = replace(study_of().history, trials=trials, pending=(waiting,))
    assert bayeshpo.BayesianSearcher().recommended_after(history, 2) == trials[1]
    assert history.after(2).pending == ()
    assert history.after(3).pending == (waiting,)


def test_elapsed_seconds_are_those_of_the_clock(on_a_clock: Any) -> None:
    executor, study = on_a_clock(), study_of()
    optimised(study, executor, budget=40, workers=3)
    suggestions = [t.suggestion for t in study.history.trials]
    order, told = [s.index for s in suggestions], [s.told for s in suggestions]
    seconds = [drawn_seconds(s) for s in suggestions]
    found = elapsed(order, told, np.zeros(40), seconds)
    np.testing.assert_allclose(found, [executor.ended[i] for i in order])
    assert found[-1] < 0.5 * sum(seconds)
    # In turn, they are sums; proposing is never done twice at once.
    np.testing.assert_allclose(elapsed([0, 1, 2], [None] * 3, [1.0, 2.0, 3.0], [10.0] * 3), [11.0, 23.0, 36.0])
    np.testing.assert_allclose(elapsed([1, 0, 2], [0, None, 1], [1.0, 2.0, 3.0], [5.0, 10.0, 1.0]), [8.0, 12.0, 12.0])
    records = [{"index": i, "told": t, "work": 1.0, "seconds_ask": 0.5, "seconds_evaluate": s} for i, t, s in
               zip(order, told, seconds, strict=True)]  # fmt: skip
    work, evaluating, searching = costs_of(records)
    np.testing.assert_allclose(evaluating, found)
    assert (work[-1], searching[-1]) == (40.0, 20.0)


def test_readme_example() -> None:
    (code,) = [block.split("```")[0] for block in README.split("```python")[1:] if "workers=" in block.split("```")[0]]
    names: dict[str, Any] = {"bayeshpo": bayeshpo}
    exec(code, names)
    assert len(names["study"].history) == 12
    assert names["study"].history.finished.all()


INTERRUPTED = """
import os, signal, threading, time, bayeshpo
study = bayeshpo.Study({"x": (0.0, 1.0)}, bayeshpo.RandomSearcher(), seed=0)

def objective(configuration):
    open(f"begun{os.getpid()}", "w").close()
    time.sleep(600)

def interrupt():
    while len([name for name in os.listdir(".") if name.startswith("begun")]) < 2:
        time.sleep(0.05)
    os.killpg(os.getpgid(0), signal.SIGINT)

threading.Thread(target=interrupt, daemon=True).start()
try:
    study.optimize(objective, 4, workers=2, progress=False)
except KeyboardInterrupt:
    print("pending", [s.index for s in study.history.pending])
"""


@pytest.mark.slow
def test_ctrl_c_in_a_script_without_a_guard_ends_its_processes(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(INTERRUPTED)
    done = subprocess.run(
        [sys.executable, str(script)], cwd=tmp_path, capture_output=True, text=True, timeout=300, start_new_session=True
    )
    assert done.stdout == "pending [0, 1]\n", done.stderr
    for process in (int(path.name.removeprefix("begun")) for path in tmp_path.glob("begun*")):
        with pytest.raises(ProcessLookupError):
            os.kill(process, 0)
