"""Records on disk: the results folder of an experiment, and the folder of one run.

A line is written once and whole, after the trial it stands for; trials have their lines in the order in which they were
told. Where several are evaluated at once, each proposal has a line of its own before that (``suggestions.jsonl``). What
a kill can leave behind is a truncated last line, or an inference row whose trial never finished, nor is on record as
proposed; both are dropped when the run goes on. A run that has lost trials since it ended goes on too.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bayeshpo.errors import RecordError, SpecificationError
from bayeshpo.experiment.lines import count_lines, read_lines

if TYPE_CHECKING:
    import pandas as pd

KEY_COLUMNS = ("problem", "searcher", "seed", "run_id")
TRIAL_COLUMNS = (
    "index", "configuration", "value", "status", "reason", "origin", "seconds_ask", "seconds_evaluate", "work",
    "gradient", "standard_error", "needs_gradient", "suggestion_info", "outcome_info", "curve",
    "fidelity", "continues", "bound", "metrics", "true_value",
)  # fmt: skip
INFERENCE_COLUMNS = (
    "trial", "n", "action", "status", "reason", "chains", "draws", "rhat_max", "rhat_nested_max", "ess_bulk_min",
    "ess_tail_min", "mcse_max", "ess_per_second", "divergences", "bfmi_min", "tree_depth_hits", "step_size", "khat",
    "ess_importance", "evidence_increment", "seconds_compile", "seconds_sample", "seconds_maximise",
    "seconds_diagnose", "acquisition", "acquisition_mcse", "ahead_trial", "ahead_log_score", "ahead_pit", "ahead_in_50",
    "ahead_in_90",
)  # fmt: skip
# Held by the runner that is at work in a results folder.
LOCK = ".lock"
_PARTIAL = ".partial"


@dataclass(frozen=True)
class Ending:
    """How a run ended, as far as its record bears it out.

    Attributes
    ----------
    done
        What ``done.json`` says; None while the run is unfinished, as it is again if it has lost trials since.
    trials
        Trials on record.
    damage
        What is wrong with the end of an unfinished run's record, in words; None if nothing is.
    """

    done: dict[str, Any] | None
    trials: int
    damage: str | None


@dataclass(frozen=True)
class RunRecord:
    """One run as it stands on disk.

    Attributes
    ----------
    path
        The run's folder; its name is the run's identity.
    spec
        The run's own specification: problem, searcher, seed, budget, direction, optimum, ...
    done
        How the run ended; None while it is unfinished, see `Ending`.
    posteriors
        Paths of the kept posteriors (zarr) of trials on record, in order of the number of trials they saw.
    damage
        What is wrong with the end of its record, see `Ending`.
    """

    path: Path
    spec: Mapping[str, Any]
    done: Mapping[str, Any] | None
    posteriors: tuple[Path, ...]
    damage: str | None = None

    @property
    def trials(self) -> list[dict[str, Any]]:
        """One mapping per trial, in the order of telling, as `Trial.to_record` writes them; read anew at each call.

        Raises
        ------
        RecordError
            If a line other than the last is damaged.
        """
        trials, _ = read_lines(self.path / "trials.jsonl")
        told: set[Any] = set()
        for i, record in enumerate(trials):
            got = record.get("index")
            if got in told or (got != i and self.parallel == 1):
                expected = f"trial {i}" if self.parallel == 1 else "one that has no line yet"
                raise RecordError(f"{self.path / 'trials.jsonl'}, line {i + 1}: expected {expected}, got {got}")
            told.add(got)
        return trials

    @property
    def proposed(self) -> list[dict[str, Any]]:
        """One mapping per suggestion, as `Suggestion.to_record` writes them, where trials are evaluated at once."""
        rows, _ = read_lines(self.path / "suggestions.jsonl")
        return rows

    @property
    def pending(self) -> list[dict[str, Any]]:
        """Those of `proposed` that have no trial yet."""
        told = {record["index"] for record in self.trials}
        return [row for row in self.proposed if row["index"] not in told]

    @property
    def parallel(self) -> int:
        """How many trials are evaluated at once."""
        return self.spec.get("parallel", 1)

    @property
    def inference(self) -> list[dict[str, Any]]:
        """One mapping per fit of a surrogate whose trial is there, or pending; read anew as `trials` are."""
        rows, _ = read_lines(self.path / "inference.jsonl")
        there = {record["index"] for record in (*self.trials, *self.proposed)} if rows else set()
        return [row for row in rows if row["trial"] in there]

    @property
    def run_id(self) -> str:
        """Hash of what defines the run's trials."""
        return self.path.name

    @property
    def problem(self) -> str:
        """Label of the problem."""
        return self.spec["problem"]["label"]

    @property
    def searcher(self) -> str:
        """Label of the searcher."""
        return self.spec["searcher"]["label"]

    @property
    def seed(self) -> int:
        """The run's seed."""
        return self.spec["seed"]

    @property
    def ended_early(self) -> bool:
        """Whether it ended for good before its budget was spent."""
        return self.done is not None and ended_early(self.done, self.spec.get("stop"))

    @classmethod
    def read(cls, path: Path) -> RunRecord:
        """A run's folder; what a kill left half-written is left out, and nothing on disk is changed."""
        end = ending(path)
        posteriors = (kept for kept in path.glob("posterior/*.zarr") if int(kept.stem) <= end.trials)
        return cls(path, read_json(path / "spec.json"), end.done, tuple(sorted(posteriors)), end.damage)


class Results:
    """The results folder of an experiment, for reading.

    Parameters
    ----------
    path
        The folder, as `bayeshpo run` made it.

    Raises
    ------
    SpecificationError
        If the folder holds no results.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        if not (self.path / "experiment.json").is_file():
            raise SpecificationError(f"{self.path}: no results here; expected a folder made by 'bayeshpo run'")
        self.experiment: dict[str, Any] = read_json(self.path / "experiment.json")

    def runs(self) -> list[RunRecord]:
        """All runs, ordered by problem, searcher (as in the experiment's file) and seed."""
        order = {
            kind: {part["label"]: i for i, part in enumerate(self.experiment[kind])}
            for kind in ("problems", "searchers")
        }
        found = [RunRecord.read(spec.parent) for spec in (self.path / "runs").glob("*/spec.json")]
        last = len(found)
        return sorted(
            found,
            key=lambda r: (
                order["problems"].get(r.problem, last), order["searchers"].get(r.searcher, last), r.seed, r.run_id,
            ),
        )  # fmt: skip

    def trials(self) -> pd.DataFrame:
        """A row a trial of all runs: problem, searcher (labels), seed, run_id, then the record's own columns."""
        return _frame([keyed(run, t) for run in self.runs() for t in run.trials], TRIAL_COLUMNS)

    def inference(self) -> pd.DataFrame:
        """A row a fit of all runs: problem, searcher (labels), seed, run_id, then the record's own columns."""
        return _frame([keyed(run, row) for run in self.runs() for row in run.inference], INFERENCE_COLUMNS)


def open_results(path: Path, experiment: Mapping[str, Any]) -> None:
    """Make a results folder for an experiment, or go on with the one that is there.

    A larger budget, another stopping rule, more seeds, further problems or searchers continue an experiment; another
    name, or a problem or searcher whose arguments have changed or that is gone, makes it a different one.

    Parameters
    ----------
    path
        The results folder.
    experiment
        The resolved file: name, problems, searchers, budget, seeds, ... as JSON values.

    Raises
    ------
    SpecificationError
        If the folder belongs to a different experiment or is not a results folder.
    """
    check_results(path, experiment)
    (path / "runs").mkdir(parents=True, exist_ok=True)
    write_json(path / "experiment.json", experiment)


def check_results(path: Path, experiment: Mapping[str, Any]) -> None:
    """Refuse a folder that `open_results` would refuse; nothing is written."""
    remedy = "give another folder with --results"
    if path.exists() and not path.is_dir():
        raise SpecificationError(f"{path}: expected a folder for results, got a file; {remedy}")
    if not path.exists():
        return
    if not (path / "experiment.json").is_file():
        leftovers = {"runs", LOCK, "experiment.json" + _PARTIAL}
        if any(entry.name not in leftovers for entry in path.iterdir()):
            raise SpecificationError(f"{path}: not empty, and not a results folder; {remedy}")
        return
    try:
        present = read_json(path / "experiment.json")
        difference = _difference(present, experiment)
    except (RecordError, KeyError, TypeError):
        raise SpecificationError(f"{path}: its experiment.json is not that of a results folder; {remedy}") from None
    if difference:
        raise SpecificationError(f"{path}: made by a different experiment ({difference}); {remedy} or rename this one")


def _difference(present: Mapping[str, Any], wanted: Mapping[str, Any]) -> str | None:
    if present["name"] != wanted["name"]:
        return f"named '{present['name']}', not '{wanted['name']}'"
    at_once = present.get("parallel", 1), wanted.get("parallel", 1)
    if at_once[0] != at_once[1]:
        return f"with parallel = {at_once[0]}, not {at_once[1]}"
    for kind in ("problems", "searchers"):
        parts = {part["label"]: _defining(part) for part in wanted[kind]}
        for part in present[kind]:
            label = part["label"]
            if label not in parts:
                return f"with a {kind[:-1]} '{label}', which this file has not"
            if _defining(part) != parts[label]:
                return f"its {kind[:-1]} '{label}' has other arguments"
    return None


def _defining(part: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in part.items() if key not in ("label", "budget", "problems", "stop")}


def ending(path: Path) -> Ending:
    """How the run in a folder ended: ``done.json`` holds as long as the trials that it counts are on record.

    Raises
    ------
    RecordError
        If ``done.json`` is damaged.
    """
    file = path / "done.json"
    done = read_json(file) if file.exists() else None
    count, whole = count_lines(path / "trials.jsonl")
    if done is not None and count >= done["trials"]:
        return Ending(done, count, None)
    if not whole:
        return Ending(None, count, "the last line of its record is damaged")
    lost = None if done is None else f"its record has {count} of the {done['trials']} trials that it ended with"
    return Ending(None, count, lost)


def ended_early(done: Mapping[str, Any], stop: str | None) -> bool:
    """Whether a run exhausted its space, or was ended by the rule that it has now.

    Parameters
    ----------
    done
        Content of ``done.json``.
    stop
        The run's stopping rule, as its specification has it.
    """
    return done["status"] == "exhausted" or (done["status"] == "stopped" and done["stop"] == stop)


def has_ended(done: Mapping[str, Any], budget: int, stop: str | None) -> bool:
    """Whether a run spent its budget or ended early for good; a budget raised later makes it unfinished again.

    Parameters
    ----------
    done, stop
        As `ended_early` takes them.
    budget
        Trials that the run is to have.
    """
    return ended_early(done, stop) or done["trials"] >= budget


def read_json(path: Path) -> dict[str, Any]:
    """A JSON file as a mapping.

    Raises
    ------
    RecordError
        If it cannot be read as one.
    """
    try:
        content = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise RecordError(f"{path}: expected a JSON record, got {type(error).__name__}: {error}") from error
    if not isinstance(content, dict):
        raise RecordError(f"{path}: expected a JSON mapping, got {type(content).__name__}")
    return content


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write a JSON file whole or not at all."""
    partial = path.with_name(path.name + _PARTIAL)
    with partial.open("w", encoding="utf-8") as stream:
        stream.write(json.dumps(plain(content), indent=2) + "\n")
        stream.flush()
        os.fsync(stream.fileno())
    os.replace(partial, path)


def plain(value: Any) -> Any:
    """A value as JSON values: numpy numbers and arrays unwrapped, numbers that are not finite as None."""
    if isinstance(value, Mapping):
        return {str(key): plain(entry) for key, entry in value.items()}
    if isinstance(value, (str, bool, int)) or value is None:
        return value
    if isinstance(value, float):
        return float(value) if value - value == 0.0 else None
    if hasattr(value, "tolist"):
        return plain(value.tolist())
    if isinstance(value, Iterable):
        return [plain(entry) for entry in value]
    raise TypeError(f"expected JSON values, got {type(value).__name__}: {value!r}"[:200])


def keyed(run: RunRecord, record: Mapping[str, Any]) -> dict[str, Any]:
    """A record of a run with the columns that say which run it is of."""
    return {"problem": run.problem, "searcher": run.searcher, "seed": run.seed, "run_id": run.run_id, **record}


def column_names(columns: Iterable[str], rows: Iterable[Mapping[str, Any]]) -> list[str]:
    """Names of a table's columns: the run's, the known ones, and what else any row has."""
    return list(dict.fromkeys([*KEY_COLUMNS, *columns, *(key for row in rows for key in row)]))


def _frame(rows: list[dict[str, Any]], columns: tuple[str, ...]) -> pd.DataFrame:
    import pandas as pd

    return pd.DataFrame(rows, columns=column_names(columns, rows))
