"""The experiment's TOML file as frozen, validated models, and the runs that it stands for."""

from __future__ import annotations

import hashlib
import json
import os
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError, field_validator, model_validator

from bayeshpo import registry
from bayeshpo.aims import Direction
from bayeshpo.errors import SpecificationError, one_line, unknown_name
from bayeshpo.experiment.complaints import complaint
from bayeshpo.experiment.keep import Keep
from bayeshpo.experiment.rules import parse
from bayeshpo.experiment.suites import changes, expanded
from bayeshpo.problem import Problem, aims, capabilities
from bayeshpo.problems.build import build, identity
from bayeshpo.searchers.base import Searcher
from bayeshpo.stopping import StoppingRule

Count = Annotated[int, Field(ge=1, strict=True)]
NAME = r"^[A-Za-z0-9][A-Za-z0-9_.-]*$"
Name = Annotated[str, Field(pattern=NAME)]
Label = Annotated[str, Field(min_length=1)]


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class _Named(_Model):
    """A registered part with its arguments: every key that is not a field of the model."""

    name: str
    arguments: dict[str, JsonValue] = Field(default_factory=dict)

    @model_validator(mode="before")
    @classmethod
    def _gather(cls, data: Any) -> Any:
        if not isinstance(data, Mapping):
            return data
        own = cls.own_keys()
        fields = {key: value for key, value in data.items() if key in own}
        if "label" in own:
            fields.setdefault("label", fields.get("name", "unnamed"))
        return fields | {"arguments": {key: value for key, value in data.items() if key not in own}}

    @classmethod
    def own_keys(cls) -> list[str]:
        """Keys of the file that are not arguments."""
        return [key for key in cls.model_fields if key != "arguments"]


class WrapperSpec(_Named):
    """One entry of a problem's ``wrappers``: any further key is an argument of the wrapper."""

    def to_record(self) -> dict[str, Any]:
        """Name and arguments as one flat mapping, as in the file."""
        return {"name": self.name, **self.arguments}


class _Part(_Named):
    """A part of the experiment, with a label of its own."""

    label: Label

    @property
    def key(self) -> str:
        """What defines the part: name and arguments, not its label."""
        return self.name + (json.dumps(self.arguments, sort_keys=True) if self.arguments else "")

    def to_record(self) -> dict[str, Any]:
        """Name, label and arguments as one flat mapping, as in the file."""
        return {"name": self.name, "label": self.label, **self.arguments}


class ProblemSpec(_Part):
    """One ``[[problems]]`` entry: any further key is an argument of the problem."""

    budget: Count | None = None
    wrappers: tuple[WrapperSpec, ...] = ()

    @field_validator("wrappers", mode="before")
    @classmethod
    def _by_name(cls, data: Any) -> Any:
        return [{"name": w} if isinstance(w, str) else w for w in data] if isinstance(data, list) else data

    @property
    def key(self) -> str:
        """What defines the problem: name, arguments and wrappers, not its label."""
        return identity(self.name, self.arguments, self._wrappers)

    def build(self, data_dir: str | None = None) -> Problem:
        """A new instance of the problem, with its wrappers, and with the folder of its data if it needs one."""
        return build(self.name, self.arguments, self._wrappers, data_dir=data_dir)

    def to_record(self) -> dict[str, Any]:
        """As of any part, with the wrappers if there are some."""
        return super().to_record() | ({"wrappers": self._wrappers} if self.wrappers else {})

    @property
    def _wrappers(self) -> list[dict[str, Any]]:
        return [wrapper.to_record() for wrapper in self.wrappers]


class SearcherSpec(_Part):
    """One ``[[searchers]]`` entry: any further key is an argument of the searcher."""

    problems: Annotated[tuple[str, ...], Field(min_length=1)] | None = None
    stop: str | None = None

    def build(self) -> Searcher:
        """A new instance of the searcher."""
        from bayeshpo.experiment.recorded import recalled

        return registry.create("searcher", self.name, recalled(self.arguments))

    def takes(self, problem: ProblemSpec) -> bool:
        """Whether the searcher is to work on a problem."""
        return self.problems is None or problem.label in self.problems


class ExecutorSpec(_Model):
    """Where runs are executed: "local", "dask", the address of a Dask scheduler, or a table."""

    name: Literal["local", "dask"] = "local"
    cluster: Literal["local", "slurm", "pbs", "lsf"] = "local"
    scheduler: str | None = None
    options: dict[str, JsonValue] = Field(default_factory=dict)

    @model_validator(mode="before")
    @classmethod
    def _from_word(cls, data: Any) -> Any:
        if not isinstance(data, str):
            return data
        return {"name": "dask", "scheduler": data} if "://" in data else {"name": data}

    @model_validator(mode="after")
    def _fitting(self) -> ExecutorSpec:
        elsewhere = self.cluster != "local" or self.scheduler is not None
        if self.name == "local" and (elsewhere or self.options):
            raise ValueError('cluster, scheduler and options are Dask\'s; give name = "dask"')
        if self.scheduler is not None and (self.cluster != "local" or self.options):
            raise ValueError("a scheduler has workers already; give either its address or a cluster with options")
        return self


class ExperimentSpec(_Model):
    """The whole file: problems x searchers x seeds."""

    name: Name
    budget: Count
    seeds: Count = 1
    parallel: Count = 1
    stop: str | None = None
    keep: Keep = "last"
    data_dir: str | None = None
    executor: ExecutorSpec = ExecutorSpec()
    problems: Annotated[tuple[ProblemSpec, ...], Field(min_length=1)]
    searchers: Annotated[tuple[SearcherSpec, ...], Field(min_length=1)]

    def to_record(self) -> dict[str, Any]:
        """The resolved file as JSON values, parts as flat mappings."""
        record: dict[str, Any] = {"name": self.name, "budget": self.budget, "seeds": self.seeds, "keep": self.keep}
        record |= {"parallel": self.parallel} if self.parallel > 1 else {}
        record |= {"stop": self.stop} if self.stop else {}
        record |= {"data_dir": self.data_dir} if self.data_dir else {}
        record |= {"executor": self.executor.model_dump(exclude_defaults=True)} if self.executor.name != "local" else {}
        record["problems"] = [p.to_record() | ({"budget": p.budget} if p.budget else {}) for p in self.problems]
        record["searchers"] = [
            s.to_record()
            | ({"problems": list(s.problems)} if s.problems else {})
            | ({"stop": s.stop} if s.stop else {})
            for s in self.searchers
        ]
        return record


class RunSpec(_Model):
    """One searcher on one problem with one seed."""

    problem: ProblemSpec
    searcher: SearcherSpec
    seed: int
    budget: int
    stop: str | None
    keep: Keep
    direction: Direction
    optimum: float | None
    aims: dict[str, dict[str, Any]]
    work_unit: str
    space: tuple[str, ...]
    fits: bool
    data_dir: str | None = None
    parallel: int = 1

    @property
    def id(self) -> str:
        """Hash of what defines the run's trials: neither when it ends nor its labels."""
        parallel = [self.parallel] if self.parallel > 1 else []
        key = json.dumps([self.problem.key, self.searcher.key, self.seed, *parallel])
        return hashlib.sha256(key.encode()).hexdigest()[:12]

    def rule(self) -> StoppingRule | None:
        """When it ends before its budget is spent, if it may."""
        return None if self.stop is None else parse(self.stop)

    def to_record(self) -> dict[str, Any]:
        """The content of ``spec.json``."""
        left_out = {"problem", "searcher", "fits", "data_dir"} | ({"parallel"} if self.parallel == 1 else set())
        record = self.model_dump(mode="json", exclude=left_out)
        return {"problem": self.problem.to_record(), "searcher": self.searcher.to_record(), **record}


class Plan(_Model):
    """A checked experiment with all its runs, and what its reader should be warned of."""

    experiment: ExperimentSpec
    runs: tuple[RunSpec, ...]
    warnings: tuple[str, ...] = ()


def read(
    path: str | os.PathLike[str], *, budget: int | None = None, seeds: int | None = None, executor: str | None = None
) -> Plan:
    """Read and check an experiment's file; every problem and searcher is built once, nothing is run.

    Parameters
    ----------
    path
        The TOML file.
    budget
        Trials per run, in place of every budget of the file.
    seeds
        Number of seeds, in place of the file's.
    executor
        "local", "dask" or the address of a Dask scheduler, in place of the file's.

    Raises
    ------
    SpecificationError
        In one line: the place in the file, what is wrong and what would be right.
    """
    path = Path(path)
    for option, value in (("--budget", budget), ("--seeds", seeds)):
        if value is not None and value < 1:
            raise SpecificationError(f"{option}: expected at least 1, got {value}")
    data = _load(path)
    data |= {"executor": executor} if executor is not None else {}
    try:
        problems, places = expanded(data.get("problems"))
    except SpecificationError as error:
        raise SpecificationError(f"{path}: {error}") from None
    data |= {"problems": problems} if "problems" in data else {}
    try:
        experiment = ExperimentSpec.model_validate(data)
    except ValidationError as error:
        raise SpecificationError(f"{path}: {complaint(error, data, places, ExperimentSpec.model_fields)}") from None
    if experiment.data_dir is not None:
        experiment = experiment.model_copy(update={"data_dir": str((path.parent / experiment.data_dir).resolve())})
    if budget is not None:
        problems = tuple(p.model_copy(update={"budget": None}) for p in experiment.problems)
        experiment = experiment.model_copy(update={"budget": budget, "problems": problems})
    if seeds is not None:
        experiment = experiment.model_copy(update={"seeds": seeds})
    try:
        return _plan(experiment, places)
    except SpecificationError as error:
        raise SpecificationError(f"{path}: {error}") from None


def _load(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        siblings = [str(p) for p in path.parent.glob("*.toml")]
        hint = unknown_name("file", str(path), siblings) if siblings else f"no .toml file in {path.parent}"
        raise SpecificationError(f"{path}: no such file; {hint.partition('; ')[2] or hint}") from None
    except tomllib.TOMLDecodeError as error:
        raise SpecificationError(f"{path}: not valid TOML: {error}") from None
    except (OSError, UnicodeDecodeError) as error:
        raise SpecificationError(f"{path}: expected a TOML file in UTF-8: {error}") from None


def _plan(experiment: ExperimentSpec, places: Sequence[str]) -> Plan:
    at = [f"searchers[{i}]" for i in range(1, len(experiment.searchers) + 1)]
    _refuse_repeats(experiment.problems, places)
    _refuse_repeats(experiment.searchers, at)
    labels = [p.label for p in experiment.problems]
    for i, searcher in enumerate(experiment.searchers, 1):
        for label in searcher.problems or ():
            if label not in labels:
                raise SpecificationError(f"searchers[{i}].problems: {unknown_name('problem label', label, labels)}")
    problems = [_problem(place, p, experiment.data_dir) for place, p in zip(places, experiment.problems, strict=True)]
    searchers = [_built("searcher", place, part) for place, part in zip(at, experiment.searchers, strict=True)]
    pairs = list(zip(experiment.problems, problems, strict=True))
    for place, part, searcher in zip(at, experiment.searchers, searchers, strict=True):
        _check(place, part, searcher, pairs)
    stops = _stops(experiment, searchers, pairs)
    runs = tuple(
        RunSpec(
            problem=problem_part, searcher=searcher_part, seed=seed, stop=stop, keep=experiment.keep,
            budget=problem_part.budget or experiment.budget, direction=problem.direction, optimum=problem.optimum,
            aims=aims(problem).to_record(), work_unit=problem.work_unit, space=problem.space.names,
            fits=type(searcher).posterior is not Searcher.posterior, data_dir=experiment.data_dir,
            parallel=experiment.parallel,
        )
        for problem_part, problem in pairs
        for searcher_part, searcher, stop in zip(experiment.searchers, searchers, stops, strict=True)
        if searcher_part.takes(problem_part)
        for seed in range(experiment.seeds)
    )  # fmt: skip
    return Plan(experiment=experiment, runs=runs, warnings=tuple(changes(pairs)))


def _stops(
    experiment: ExperimentSpec, searchers: Sequence[Searcher], pairs: Sequence[tuple[ProblemSpec, Problem]]
) -> list[str | None]:
    """Each searcher's stopping rule, its own or the file's, in one spelling."""
    stops = []
    for i, (part, searcher) in enumerate(zip(experiment.searchers, searchers, strict=True), 1):
        place, text = ("stop", experiment.stop) if part.stop is None else (f"searchers[{i}].stop", part.stop)
        try:
            rule = None if text is None else parse(text)
            for problem_part, problem in pairs:
                if rule is not None and part.takes(problem_part):
                    rule.check(searcher, aims(problem))
        except SpecificationError as error:
            raise SpecificationError(f"{place}: {one_line(error)}") from None
        stops.append(None if rule is None else str(rule))
    return stops


def _refuse_repeats(parts: Sequence[_Part], places: Sequence[str]) -> None:
    keys: dict[str, str] = {}
    labels: set[str] = set()
    for place, part in zip(places, parts, strict=True):
        if part.key in keys:
            raise SpecificationError(f"{place}: the same as {keys[part.key]}; remove one")
        if part.label in labels:
            raise SpecificationError(f"{place}.label: '{part.label}' is taken; give each its own label")
        keys[part.key] = place
        labels.add(part.label)


def _problem(place: str, part: ProblemSpec, data_dir: str | None) -> Problem:
    for i, wrapper in enumerate(part.wrappers, 1):
        _check_names("wrapper", f"{place}.wrappers[{i}]", wrapper, given=("problem",))
    return _built("problem", place, part, data_dir)


def _built(kind: str, place: str, part: ProblemSpec | SearcherSpec, *arguments: Any) -> Any:
    _check_names(kind, place, part)
    try:
        return part.build(*arguments)
    except (SpecificationError, TypeError, ValueError) as error:
        raise SpecificationError(f"{place} ({part.name}): {one_line(error)}") from None


def _check_names(kind: str, place: str, part: _Named, given: Sequence[str] = ()) -> None:
    """Refuse a name that is not registered, or an argument that its part does not take."""
    try:
        found = registry.load(kind, part.name)
    except SpecificationError as error:
        raise SpecificationError(f"{place}.name: {error}") from None
    arguments = [name for name in registry.parameters(found) if name not in given]
    for key in part.arguments:
        if key not in arguments:
            raise SpecificationError(f"{place}.{key}: {unknown_name('key', key, [*arguments, *part.own_keys()])}")


def _check(place: str, part: SearcherSpec, searcher: Searcher, pairs: Sequence[tuple[ProblemSpec, Problem]]) -> None:
    suited, refusals = [], []
    for problem_part, problem in pairs:
        try:
            searcher.check(problem.space, capabilities(problem))
            suited.append(problem_part.label)
        except SpecificationError as error:
            if part.takes(problem_part):
                refusals.append((problem_part.label, error))
    if refusals:
        label, error = refusals[0]
        remedy = f"problems = {json.dumps(suited)} names what it can do" if suited else "no problem here suits it"
        raise SpecificationError(
            f"{place}: '{part.name}' cannot work on problem '{label}': {one_line(error)}; {remedy}"
        )
