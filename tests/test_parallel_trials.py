"""Several trials of one study at once: what is proposed, told and recorded, whichever of them ends first."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace
from pathlib import Path
from typing import Any

import cloudpickle
import numpy as np
import pytest
from test_executors import scheduler

import bayeshpo
from bayeshpo import evaluators, registry
from bayeshpo.analysis.comparison.next_regret import _outcomes
from bayeshpo.analysis.costs import costs_of
from bayeshpo.analysis.losses import incumbent_losses
from bayeshpo.analysis.recommended import recommended_regret, remaining_regret
from bayeshpo.diagnostics.replay import Replay
from bayeshpo.elapsed import elapsed
from bayeshpo.errors import SpecificationError
from bayeshpo.experiment import spec
from bayeshpo.experiment.executors import local
from bayeshpo.experiment.runner import run_plan
from bayeshpo.experiment.spec import RunSpec
from bayeshpo.experiment.store import RecordError, Results, RunRecord, check_results
from bayeshpo.experiment.worker import Progress, execute
from bayeshpo.history import History
from bayeshpo.problems.synthetic import Branin
from bayeshpo.randomness import Streams
from bayeshpo.searchers.grid import GridSearcher
from bayeshpo.searchers.random import RandomSearcher
from bayeshpo.searchers.successive_halving import SuccessiveHalvingSearcher
from bayeshpo.trial import Outcome, Suggestion, Trial

SPACE = {"x": (0.0, 1.0)}
README = (Path(__file__).resolve().parents[1] / "README.md").read_text()


class Killed(BaseException):
    """What a kill is to a run: nothing is done after it."""


class Simulated(Executor):
    """Workers on a clock of their own: of what runs, that ends first which would; after so many, there is an end."""

    def __init__(self, seconds: Callable[[Suggestion], float], most: float = np.inf, end: type = Killed) -> None:
        self.seconds, self.most, self.end = seconds, most, end
        self.clock, self.running = 0.0, {}
        self.ended: dict[int, float] = {}

    def submit(self, fn: Any, /, *arguments: Any, **named: Any) -> Future[Any]:
        (task,) = arguments
        future: Future[Any] = Future()
        self.running[future] = self.clock + self.seconds(task.suggestion), fn, task
        return future

    def wait(self, futures: Any, return_when: Any) -> tuple[set[Any], set[Any]]:
        if len(self.ended) >= self.most:
            raise self.end
        first = min(futures, key=lambda future: self.running[future][0])
        self.clock, evaluate, task = self.running.pop(first)
        self.ended[task.suggestion.index] = self.clock
        first.set_result(evaluate(task))
        return {first}, set()


@pytest.fixture
def on_a_clock(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Simulated]:
    def make(seconds: Callable[[Suggestion], float] = drawn_seconds, *rest: Any) -> Simulated:
        executor = Simulated(seconds, *rest)
        monkeypatch.setattr(evaluators, "wait", executor.wait)
        return executor

    return make


def drawn_seconds(suggestion: Suggestion) -> float:
    return float(np.random.default_rng(suggestion.index).uniform(0.1, 1.0))


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


def timeless(records: Any) -> list[dict[str, Any]]:
    clocks = ("seconds_ask", "seconds_evaluate")
    return [{key: value for key, value in record.items() if key not in clocks} for record in records]


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


EXPERIMENT = """
name = "q"
budget = {budget}
{head}
[[problems]]
name = "branin"
wrappers = [{{ name = "noise", scale = 1.0 }}]
[[searchers]]
name = "{searcher}"
"""


def written(folder: Path, searcher: str = "random", budget: int = 20, head: str = "parallel = 3") -> Path:
    path = folder / "q.toml"
    path.write_text(EXPERIMENT.format(searcher=searcher, budget=budget, head=head))
    return path


def run_of(folder: Path, searcher: str = "random", budget: int = 20) -> RunSpec:
    return spec.read(written(folder, searcher, budget)).runs[0]


def executed(run: RunSpec, path: Path, executor: Simulated) -> RunRecord:
    execute(run, path, lambda progress: None, executor)
    return RunRecord.read(path)


@pytest.mark.parametrize("cut", [0, 1, 40])
def test_killed_at_any_trial_none_is_lost_and_none_doubled(tmp_path: Path, on_a_clock: Any, cut: int) -> None:
    run, values = run_of(tmp_path), {}
    for most in range(20):
        path = tmp_path / str(most)
        with pytest.raises(Killed):
            executed(run, path, on_a_clock(drawn_seconds, most))
        before = RunRecord.read(path).trials
        assert len(before) == most
        assert len(RunRecord.read(path).pending) == min(3, 20 - most)
        # A kill may cut the last line short.
        content = (path / "suggestions.jsonl").read_bytes()
        (path / "suggestions.jsonl").write_bytes(
            content[: len(content) - cut] if cut < 40 else content + b'{"index": 9'
        )
        pending = {row["index"]: row for row in RunRecord.read(path).pending}
        after = executed(run, path, on_a_clock())
        assert after.trials[:most] == before
        assert sorted(t["index"] for t in after.trials) == list(range(20))
        assert not after.pending
        rest = {t["index"]: t for t in after.trials[most:]}
        assert all(rest[i].items() >= row.items() for i, row in pending.items())
        assert after.done is not None
        assert after.done["trials"] == 20
        # Configurations and noise go by the trial's number, whatever was done twice.
        values[most] = {t["index"]: t["value"] for t in after.trials}
        for i, record in enumerate(after.trials):
            told = record.get("told", record["index"])
            waiting = set(range(record["index"])) - {t["index"] for t in after.trials[:told]}
            assert len(waiting) == record["index"] - told <= 2
            assert told <= i
    assert all(found == values[0] for found in values.values())


@pytest.mark.parametrize("searcher", ["sobol", "finite_difference", "optuna"])
def test_searchers_go_on_from_what_was_pending(tmp_path: Path, on_a_clock: Any, searcher: str) -> None:
    run = run_of(tmp_path, searcher)
    with pytest.raises(Killed):
        executed(run, tmp_path / "run", on_a_clock(drawn_seconds, 7))
    record = executed(run, tmp_path / "run", on_a_clock())
    assert sorted(t["index"] for t in record.trials) == list(range(20))
    assert all(Replay.of(record, index).reproduced for index in range(20))


def test_records_that_name_a_trial_twice_are_refused(tmp_path: Path, on_a_clock: Any) -> None:
    executed(run_of(tmp_path), tmp_path / "run", on_a_clock())
    trials = tmp_path / "run" / "trials.jsonl"
    trials.write_bytes(trials.read_bytes() + trials.read_bytes().splitlines(keepends=True)[4])
    with pytest.raises(RecordError, match=r"line 21: expected one that has no line yet, got \d"):
        _ = RunRecord.read(tmp_path / "run").trials


def test_every_proposal_of_a_bayesian_run_is_reproduced(tmp_path: Path, on_a_clock: Any) -> None:
    """What was told and what was pending follow from the records; a kill in the middle changes nothing of that."""
    run = run_of(tmp_path, "bayesian", 10)
    with pytest.raises(Killed):
        executed(run, tmp_path / "run", on_a_clock(drawn_seconds, 6))
    interrupted = RunRecord.read(tmp_path / "run")
    fits = interrupted.inference
    assert {row["trial"] for row in fits} & {row["index"] for row in interrupted.pending}
    record = executed(run, tmp_path / "run", on_a_clock())
    assert record.inference[: len(fits)] == fits
    assert [row["trial"] for row in record.inference] == list(range(4, 10))
    assert any(t["suggestion_info"].get("fitted_on", 9) < t["index"] - 1 for t in record.trials)
    for index in range(10):
        past = Replay.of(record, index)
        assert past.recorded.suggestion.index == index
        assert past.reproduced, index
        assert past.suggestion.info == past.recorded.suggestion.info
    with pytest.raises(SpecificationError, match="expected an iteration below 10, got 10"):
        Replay.of(record, 10)
    # What is looked up by a trial's number is found wherever its line is.
    assert record.done is not None
    recommended = record.done["recommendation"]
    (chosen,) = [t for t in record.trials if t["index"] == recommended["index"]]
    assert chosen["configuration"] == recommended["configuration"]
    regret = pytest.approx(chosen["true_value"] - record.spec["optimum"])
    assert recommended_regret(record, record.trials) == regret
    by_number = {t["index"]: t for t in record.trials}
    for index, found in remaining_regret(record).items():
        beside = by_number[by_number[index]["suggestion_info"]["recommended"]]
        assert found == pytest.approx(beside["true_value"] - record.spec["optimum"])
    outcome, best = _outcomes([(record, record.inference)]), incumbent_losses([record])[record.path]
    for row in record.inference:
        trial = by_number[row["trial"]]
        before = best[trial.get("told", row["trial"]) - 1] - record.spec["optimum"]
        own = trial["true_value"] - record.spec["optimum"]
        assert outcome(record, row) == pytest.approx(np.log10(own / before))


def test_a_file_says_how_many_trials_are_evaluated_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one, three = (spec.read(written(tmp_path, head=head)) for head in ("parallel = 1", "parallel = 3"))
    plain = spec.read(written(tmp_path, head=""))
    assert one.experiment.to_record() == plain.experiment.to_record()
    assert one.runs[0].to_record() == plain.runs[0].to_record()
    assert one.runs[0].id == plain.runs[0].id != three.runs[0].id
    assert three.runs[0].to_record()["parallel"] == 3
    with pytest.raises(SpecificationError, match="parallel: "):
        spec.read(written(tmp_path, head="parallel = 0"))
    asked: list[int] = []
    monkeypatch.setattr(local, "distribute", lambda waiting, results, count, display: asked.append(count) or {})
    for workers, seeds in ((1, 4), (4, 4), (6, 4), (7, 2), (64, 2)):
        plan = spec.read(written(tmp_path, head="parallel = 3"), seeds=seeds)
        run_plan(plan, tmp_path / "results", workers=workers, display=Silent())
    assert asked == [1, 1, 2, 2, 2]
    with pytest.raises(SpecificationError, match=r"made by a different experiment \(with parallel = 3, not 1\)"):
        check_results(tmp_path / "results", one.experiment.to_record())


class Silent:
    def update(self, progress: Progress) -> None:
        assert progress.error is None, progress.error


def test_runs_of_processes_have_processes_of_their_own(tmp_path: Path) -> None:
    plan = spec.read(written(tmp_path, budget=6, head="parallel = 2"))
    assert run_plan(plan, tmp_path / "results", workers=2, display=Silent()) == {}
    record = RunRecord.read(tmp_path / "results" / "runs" / plan.runs[0].id)
    assert sorted(t["index"] for t in record.trials) == list(range(6))
    assert any("told" in t for t in record.trials)


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


COMMAND = [sys.executable, "-c", "from bayeshpo.cli import main; main()", "run", "q.toml", "--workers", "2"]


@pytest.mark.slow
def test_a_runner_that_is_killed_goes_on(tmp_path: Path) -> None:
    written(tmp_path, budget=80, head="parallel = 2")
    with subprocess.Popen(COMMAND, cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        while sum(p.read_bytes().count(b"\n") for p in tmp_path.glob("results/q/runs/*/trials.jsonl")) < 20:
            assert process.poll() is None
            time.sleep(0.01)
        process.kill()
    done = subprocess.run(COMMAND, cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    (run,) = Results(tmp_path / "results" / "q").runs()
    assert sorted(t["index"] for t in run.trials) == list(range(80))
    in_turn = spec.read(written(tmp_path, budget=80, head="")).runs[0]
    execute(in_turn, tmp_path / "in_turn", lambda progress: None)
    alone = RunRecord.read(tmp_path / "in_turn").trials
    assert {t["index"]: t["value"] for t in run.trials} == {t["index"]: t["value"] for t in alone}


@pytest.mark.slow
def test_dask_evaluates_trials_of_studies_and_of_runs(tmp_path: Path) -> None:
    """The runs' trials go to the workers that execute the runs; one of these is killed on the way."""
    from distributed import Client

    here = os.getpid()
    with scheduler(tmp_path, 2) as (address, workers):
        with Client(address) as client:
            study = study_of()
            study.optimize(
                lambda c: Outcome(c["x"], info={"elsewhere": os.getpid() != here}), 8, workers=2, executor=client,
                progress=False,
            )  # fmt: skip
        assert sorted(indices(study)) == list(range(8))
        assert all(t.outcome.info["elsewhere"] for t in study.history.trials)
        file = written(tmp_path, budget=60, head="parallel = 2\nseeds = 2")
        command = [*COMMAND, "--executor", address]
        with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
            while sum(p.read_bytes().count(b"\n") for p in tmp_path.glob("results/q/runs/*/trials.jsonl")) < 20:
                assert process.poll() is None, process.communicate()
                time.sleep(0.01)
            workers[0].kill()
            out, _ = process.communicate(timeout=300)
        assert process.returncode == 0, out
    assert len(spec.read(file).runs) == 2
    for run in Results(tmp_path / "results" / "q").runs():
        assert run.done is not None
        assert sorted(t["index"] for t in run.trials) == list(range(60))
        assert all(t["value"] is not None for t in run.trials)
