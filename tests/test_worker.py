"""One run from its records to its end: resuming, fits and posteriors on record, failed trials."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr

from bayeshpo import registry
from bayeshpo.experiment import spec
from bayeshpo.experiment.spec import RunSpec
from bayeshpo.experiment.store import RunRecord
from bayeshpo.experiment.worker import Progress, execute
from bayeshpo.history import History
from bayeshpo.randomness import Streams
from bayeshpo.registry import Entry
from bayeshpo.searchers.base import Searcher, next_index
from bayeshpo.space import as_space
from bayeshpo.trial import Outcome, Suggestion

BRANIN = 'name = "branin"'
LOGISTIC = 'name = "logistic_breast_cancer"'
IRIS_GRID = 'name = "mlp_iris"\ndiscrete = true\nepochs = 1'
BASELINES = [
    ("random", BRANIN),
    ("sobol", BRANIN),
    ("grid", IRIS_GRID),
    ("finite_difference", BRANIN),
    ("hypergradient", LOGISTIC),
]


class FittingSearcher(Searcher):
    """Random search that reports a fit before every trial, and has a posterior."""

    name = "fitting"

    def __init__(self) -> None:
        self._rows: list[dict[str, Any]] = []

    def ask(self, history: History, n: int, rng: Streams) -> list[Suggestion]:
        index = next_index(history)
        self._rows = [{"n": len(history), "status": "ok", "rhat_max": np.float64(1.001), "khat": np.nan}]
        X = history.space.sample(n, rng.generator("random", index))
        return [Suggestion(c, index + i, "random") for i, c in enumerate(history.space.decode(X))]

    def reports(self) -> list[dict[str, Any]]:
        return self._rows

    def posterior(self, history: History, rng: Streams) -> Any:
        draws = xr.Dataset({"noise": (("chain", "draw"), np.full((4, 5), float(len(history))))})
        return xr.DataTree.from_dict({"posterior": draws})


class FailingProblem:
    """Raises, returns NaN, infinity and a string in turn, and now and then a number."""

    name = "failing"
    direction = "maximize"
    optimum = None
    work_unit = "evaluation"

    def __init__(self) -> None:
        self.space = as_space({"x": (0.0, 1.0)})
        self._returned: list[Any] = [None, float("nan"), float("inf"), "good", 0.25, 0.5]

    def evaluate(self, configuration: dict[str, Any], *, rng: np.random.Generator) -> Outcome:
        value = self._returned.pop(0)
        if value is None:
            raise ValueError("no memory left")
        return Outcome.of(value)


@pytest.fixture(autouse=True)
def _registered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(registry.SEARCHERS, "fitting", Entry(f"{__name__}:FittingSearcher", "for tests"))
    monkeypatch.setitem(registry.PROBLEMS, "failing", Entry(f"{__name__}:FailingProblem", "for tests"))


def run_of(
    tmp_path: Path, searcher: str, problem: str = BRANIN, budget: int = 12, keep: Any = "last", stop: str | None = None
) -> RunSpec:
    path = tmp_path / "q.toml"
    head = f'name = "q"\nbudget = {budget}\nkeep = {json.dumps(keep)}\n' + (f'stop = "{stop}"\n' if stop else "")
    path.write_text(f'{head}[[problems]]\n{problem}\n[[searchers]]\nname = "{searcher}"\n')
    return spec.read(path).runs[0]


def executed(tmp_path: Path, run: RunSpec, folder: str = "run") -> tuple[RunRecord, list[Progress]]:
    seen: list[Progress] = []
    execute(run, tmp_path / folder, seen.append)
    return RunRecord.read(tmp_path / folder), seen


def timeless(records: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    clocks = ("seconds_ask", "seconds_evaluate")
    return [{key: value for key, value in record.items() if key not in clocks} for record in records]


@pytest.mark.parametrize(("searcher", "problem"), BASELINES)
def test_interrupted_after_every_trial_it_ends_with_the_same_trials(
    tmp_path: Path, searcher: str, problem: str
) -> None:
    whole, _ = executed(tmp_path, run_of(tmp_path, searcher, problem), "whole")
    for budget in range(1, 13):
        pieces, _ = executed(tmp_path, run_of(tmp_path, searcher, problem, budget), "pieces")
    assert timeless(pieces.trials) == timeless(whole.trials)
    assert len(whole.trials) == 12


def test_the_true_value_is_on_record_and_the_searcher_does_not_see_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Outcome] = []
    ask = FittingSearcher.ask

    def watching(self: FittingSearcher, history: History, n: int, rng: Streams) -> list[Suggestion]:
        seen.extend(t.outcome for t in history.trials[-1:])
        return ask(self, history, n, rng)

    monkeypatch.setattr(FittingSearcher, "ask", watching)
    noise = BRANIN + '\nwrappers = [{ name = "noise", scale = 5.0 }, { name = "failures", share = 0.3 }]'
    record, _ = executed(tmp_path, run_of(tmp_path, "fitting", noise, keep="none"))
    branin = registry.create("problem", "branin", {})
    for trial in record.trials:
        true = branin.true_value(trial["configuration"])
        assert trial["true_value"] == (None if trial["value"] is None else pytest.approx(true))
        assert trial["value"] != trial["true_value"] or trial["value"] is None
    told = [vars(outcome) for outcome in seen]
    assert not any(t["true_value"] in vars_.values() for t in record.trials if t["true_value"] for vars_ in told)
    # Of iris nothing is known but what is observed.
    iris, _ = executed(tmp_path, run_of(tmp_path, "grid", IRIS_GRID, budget=1), "iris")
    assert iris.trials[0]["true_value"] is None


def test_posteriors_are_kept_when_it_is_their_turn_also_after_an_interruption(tmp_path: Path) -> None:
    def kept(keep: Any, folder: str, *budgets: int) -> list[int]:
        for budget in budgets:
            record, _ = executed(tmp_path, run_of(tmp_path, "fitting", budget=budget, keep=keep), folder)
        return [int(path.stem) for path in record.posteriors]

    assert kept("last", "last", 5) == [5]
    assert kept("none", "none", 5) == []
    assert kept("all", "all", 5) == [1, 2, 3, 4, 5]
    assert kept(2, "second", 5) == [2, 4, 5]
    assert kept(2, "pieces", 3, 5) == [2, 3, 4, 5]


def test_random_streams_follow_the_problem_and_not_its_label(tmp_path: Path) -> None:
    first, _ = executed(tmp_path, run_of(tmp_path, "random"), "first")
    second, _ = executed(tmp_path, run_of(tmp_path, "random", BRANIN + '\nlabel = "b"'), "second")
    assert timeless(first.trials) == timeless(second.trials)
    assert second.problem == "b"


@pytest.mark.parametrize(("searcher", "problem"), BASELINES)
def test_a_run_that_its_rule_ends_says_why_and_ends_at_the_same_trial_when_it_is_resumed(
    tmp_path: Path, searcher: str, problem: str
) -> None:
    rule = "unchanged(4) | budget(9)"
    whole, seen = executed(tmp_path, run_of(tmp_path, searcher, problem, stop=rule), "whole")
    assert whole.done is not None
    assert (whole.done["status"], whole.done["stop"]) == ("stopped", rule)
    assert whole.done["reason"] == seen[-1].ended_early
    assert whole.ended_early
    assert len(whole.trials) < 12
    for budget in range(1, 13):
        pieces, _ = executed(tmp_path, run_of(tmp_path, searcher, problem, budget, stop=rule), "pieces")
    assert timeless(pieces.trials) == timeless(whole.trials)
    assert pieces.done is not None
    assert pieces.done["reason"] == whole.done["reason"]


def test_fits_and_the_last_posterior_are_on_record(tmp_path: Path) -> None:
    record, seen = executed(tmp_path, run_of(tmp_path, "fitting", budget=3))
    assert [(row["trial"], row["n"], row["khat"]) for row in record.inference] == [(i, i, None) for i in range(3)]
    assert [progress.trials for progress in seen] == [0, 1, 2, 3, 3]
    assert [progress.done for progress in seen] == [False] * 4 + [True]
    record, _ = executed(tmp_path, run_of(tmp_path, "fitting", budget=5))
    assert [row["trial"] for row in record.inference] == list(range(5))
    assert [path.name for path in record.posteriors] == ["00003.zarr", "00005.zarr"]
    with xr.open_datatree(record.posteriors[-1], engine="zarr") as tree:
        assert float(tree["posterior"]["noise"].mean()) == 5.0


def test_no_posterior_is_kept_if_none_is_wanted_or_there_is_none(tmp_path: Path) -> None:
    record, _ = executed(tmp_path, run_of(tmp_path, "fitting", budget=2, keep="none"), "unwanted")
    assert record.posteriors == ()
    record, _ = executed(tmp_path, run_of(tmp_path, "random", budget=2), "none")
    assert record.posteriors == ()
    assert not (tmp_path / "none" / "inference.jsonl").exists()


def test_failed_trials_stay_on_record_with_their_reason(tmp_path: Path) -> None:
    record, seen = executed(tmp_path, run_of(tmp_path, "random", 'name = "failing"', budget=6))
    assert [t["status"] for t in record.trials] == ["raised", *["invalid"] * 3, *["finished"] * 2]
    assert [t["value"] for t in record.trials] == [None] * 4 + [0.25, 0.5]
    assert [t["reason"] for t in record.trials[:4]] == [
        "ValueError: no memory left",
        "expected a finite number, got nan",
        "expected a finite number, got inf",
        "expected a finite number, got 'good'",
    ]
    assert (seen[-1].failed, seen[-1].best) == (4, 0.5)
    assert record.done is not None
    assert record.done["recommendation"]["index"] == 5
    assert record.done["failed"] == 4


def test_run_without_any_value_ends_without_a_recommendation(tmp_path: Path) -> None:
    record, _ = executed(tmp_path, run_of(tmp_path, "fitting", 'name = "failing"', budget=3))
    assert record.done is not None
    assert (record.done["status"], record.done["best"], record.done["recommendation"]) == ("finished", None, None)
    assert record.posteriors == ()
