"""Suggestion, Outcome and Trial: what was proposed, and what came back. All are frozen."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from enum import StrEnum
from itertools import pairwise
from typing import Any

from bayeshpo.aims import Aims
from bayeshpo.errors import SpecificationError
from bayeshpo.space import Configuration


class Status(StrEnum):
    """How a trial ended."""

    FINISHED = "finished"
    STOPPED = "stopped"
    CENSORED = "censored"
    RAISED = "raised"
    INVALID = "invalid"
    TIMED_OUT = "timed_out"

    @property
    def failed(self) -> bool:
        """Whether a trial that ended so has neither a value, a curve nor a bound."""
        return self not in (Status.FINISHED, Status.STOPPED, Status.CENSORED)


@dataclass(frozen=True)
class Suggestion:
    """A configuration to evaluate.

    Attributes
    ----------
    configuration
        Active hyperparameters and constants by name.
    index
        Number of the trial, from 0.
    origin
        What proposed it: "initial", "acquisition", "exploration", "random", "grid", "gradient", ...
    needs_gradient
        Whether the outcome should carry the objective's gradient.
    seconds
        What the searcher took to propose it.
    info
        What else the searcher wants on record (JSON values); a searcher may read its own entries back from the history.
    fidelity
        Share of the training in (0, 1] after which the trial is to stop; 1 to finish it.
    continues
        Index of the stopped trial whose training is to be taken up where it was; None to begin a new one.
    told
        How many trials the study had been told when it was proposed, if others were pending: those of lower index that
        were not among them. None if there were none.
    """

    configuration: Configuration
    index: int
    origin: str
    needs_gradient: bool = False
    seconds: float = 0.0
    info: Mapping[str, Any] = field(default_factory=dict)
    fidelity: float = 1.0
    continues: int | None = None
    told: int | None = None

    @property
    def known(self) -> int:
        """How many trials the study had been told when it was proposed; all before it, where none was pending."""
        return self.index if self.told is None else self.told

    def to_record(self) -> dict[str, Any]:
        """The suggestion as one flat JSON-ready mapping: entries of the record of its trial."""
        return {
            "index": self.index,
            "configuration": dict(self.configuration),
            "origin": self.origin,
            "seconds_ask": self.seconds,
            "needs_gradient": self.needs_gradient,
            "suggestion_info": dict(self.info),
            "fidelity": self.fidelity,
            "continues": self.continues,
            **({} if self.told is None else {"told": self.told}),
        }

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> Suggestion:
        """The inverse of `to_record`; the record of a trial will do."""
        return cls(
            record["configuration"], record["index"], record["origin"], record["needs_gradient"],
            record["seconds_ask"], record["suggestion_info"],
            # Older records have no fidelities, and those of one trial after another nothing that was pending.
            record.get("fidelity", 1.0), record.get("continues"), record.get("told"),
        )  # fmt: skip


@dataclass(frozen=True)
class Outcome:
    """What an evaluation gave back.

    Attributes
    ----------
    value
        The objective in the problem's own direction; None unless the status is "finished".
    status, reason
        How it ended, and why if it failed or is censored. A trial that was "stopped" before the end of its training has
        no value, and is no failure; its curve says what it had reached. Nor is one that is "censored": of its value no
        more is known than a bound.
    seconds
        Wall time of the evaluation.
    work
        Cost in the problem's own unit.
    gradient
        Derivative of the value by hyperparameter name, in the hyperparameter's position in the unit cube.
    standard_error
        Of the value, in its unit, where it is known: of a mean over repetitions, say.
    info
        Further measurements (JSON values).
    curve
        Learning curve: pairs of a fidelity, the share of the training in (0, 1], and the value after it.
    bound
        What the value of a censored trial is no better than: at least that where the direction is to minimise, at most
        where it is to maximise.
    metrics
        Numbers beside the value, by name: those that a study has as further objectives or sets limits to, and others.

    Raises
    ------
    ValueError
        If the standard error is negative or not finite; if the fidelities do not increase within (0, 1], or a value
        along the curve is not finite; if a stopped trial has a value, no curve, or a curve up to 1; if a censored trial
        has a value or no finite bound, or another one has a bound.
    """

    value: float | None
    status: Status = Status.FINISHED
    reason: str | None = None
    seconds: float = 0.0
    work: float = 1.0
    gradient: Mapping[str, float] | None = None
    standard_error: float | None = None
    info: Mapping[str, Any] = field(default_factory=dict)
    curve: tuple[tuple[float, float], ...] = ()
    bound: float | None = None
    metrics: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.standard_error is not None and not 0.0 <= self.standard_error < math.inf:
            raise ValueError(f"expected a standard error of at least 0, got {self.standard_error!r}")
        fidelities = [0.0, *(fidelity for fidelity, _ in self.curve)]
        if not all(a < b <= 1.0 for a, b in pairwise(fidelities)):
            raise ValueError(f"curve: expected fidelities that increase within (0, 1], got {fidelities[1:]}")
        if not all(math.isfinite(value) for _, value in self.curve):
            values = [value for _, value in self.curve]
            raise ValueError(f"curve: expected finite values, got {values}; leave out what came after a failure")
        if self.status is Status.STOPPED and (self.value is not None or not 0.0 < fidelities[-1] < 1.0):
            raise ValueError(
                f"a stopped trial: expected no value and a curve that ends before 1, got {self.value} and {self.curve}"
            )
        if self.status is Status.CENSORED:
            if self.value is not None or self.bound is None or not math.isfinite(self.bound):
                raise ValueError(
                    f"a censored trial: expected no value and a finite bound, got {self.value} and {self.bound}"
                )
        elif self.bound is not None:
            raise ValueError(f"expected a bound of censored trials only, got {self.bound} of a {self.status} one")

    @classmethod
    def of(cls, value: Any, *, seconds: float = 0.0, work: float = 1.0) -> Outcome:
        """The outcome for whatever an objective returned: NaN, infinities and what is no number become "invalid"."""
        if isinstance(value, Outcome):
            return replace(value, seconds=seconds) if value.seconds == 0.0 else value
        invalid = f"expected a finite number, got {value!r}"[:200]
        if isinstance(value, (str, bytes, bool)) or value is None:
            return cls(None, Status.INVALID, invalid, seconds, work)
        try:
            number = float(value)
        except (TypeError, ValueError):
            return cls(None, Status.INVALID, invalid, seconds, work)
        if not math.isfinite(number):
            return cls(None, Status.INVALID, invalid, seconds, work)
        return cls(number, seconds=seconds, work=work)

    def with_aims(self, aims: Aims) -> Outcome:
        """Itself; or a failed one, if it is finished and a metric is missing that a study asks for."""
        missing = aims.missing(self.metrics) if self.status is Status.FINISHED else []
        if not missing:
            return self
        reason = f"expected finite numbers for the metrics {missing}, got {dict(self.metrics)}"[:500]
        return Outcome(None, Status.INVALID, reason, self.seconds, self.work, info=self.info)

    def of_metric(self, metric: str) -> Outcome:
        """With a metric in place of the value; of one that has no value nothing is known."""
        if self.status is Status.FINISHED:
            return Outcome(self.metrics[metric], seconds=self.seconds, work=self.work)
        status = self.status if self.status.failed else Status.INVALID
        return Outcome(None, status, self.reason, self.seconds, self.work)

    def after(self, earlier: Outcome) -> Outcome:
        """Of a training that was taken up again: with the curve that it had before, as far as its own does not say."""
        begun = min((fidelity for fidelity, _ in self.curve), default=1.0)
        return replace(self, curve=(*(point for point in earlier.curve if point[0] < begun), *self.curve))

    @classmethod
    def raised(cls, error: BaseException, *, seconds: float = 0.0, work: float = 1.0) -> Outcome:
        """The outcome of an evaluation that raised."""
        return cls(None, Status.RAISED, f"{type(error).__name__}: {error}"[:500], seconds, work)

    @classmethod
    def stopped(cls, curve: Iterable[tuple[float, float]], *, seconds: float = 0.0, work: float = 1.0) -> Outcome:
        """The outcome of a training that was stopped before its end, with its curve so far."""
        return cls(None, Status.STOPPED, seconds=seconds, work=work, curve=tuple((t, v) for t, v in curve))

    @classmethod
    def censored(cls, bound: float, reason: str | None = None, *, seconds: float = 0.0, work: float = 1.0) -> Outcome:
        """The outcome of an evaluation of which no more is known than that its value is no better than a bound.

        A run that reached its time limit where the value is the time, say, or one that was given up as it could not
        come below the best any more.
        """
        return cls(None, Status.CENSORED, reason, seconds, work, bound=float(bound))


@dataclass(frozen=True)
class Trial:
    """One evaluation: a suggestion with its outcome."""

    suggestion: Suggestion
    outcome: Outcome

    @property
    def configuration(self) -> Configuration:
        """Active hyperparameters and constants by name."""
        return self.suggestion.configuration

    @property
    def value(self) -> float | None:
        """The objective in the problem's own direction; None if the trial failed, was stopped or is censored."""
        return self.outcome.value

    @property
    def finished(self) -> bool:
        """Whether there is a value."""
        return self.outcome.status is Status.FINISHED

    @property
    def stopped(self) -> bool:
        """Whether it was stopped before its end, with a curve and without a value."""
        return self.outcome.status is Status.STOPPED

    @property
    def censored(self) -> bool:
        """Whether there is a bound in place of a value."""
        return self.outcome.status is Status.CENSORED

    @property
    def failed(self) -> bool:
        """Whether it came to an end with neither a value nor a bound."""
        return self.outcome.status.failed

    def to_record(self) -> dict[str, Any]:
        """The trial as one flat JSON-ready mapping: a line of ``trials.jsonl``."""
        suggestion, outcome = asdict(self.suggestion), asdict(self.outcome)
        told = self.suggestion.told
        return {
            "index": suggestion["index"],
            "configuration": suggestion["configuration"],
            "value": outcome["value"],
            "status": str(outcome["status"]),
            "reason": outcome["reason"],
            "origin": suggestion["origin"],
            "seconds_ask": suggestion["seconds"],
            "seconds_evaluate": outcome["seconds"],
            "work": outcome["work"],
            "gradient": outcome["gradient"],
            "standard_error": outcome["standard_error"],
            "needs_gradient": suggestion["needs_gradient"],
            "suggestion_info": suggestion["info"],
            "outcome_info": outcome["info"],
            "curve": [list(point) for point in self.outcome.curve],
            "fidelity": suggestion["fidelity"],
            "continues": suggestion["continues"],
            "bound": outcome["bound"],
            "metrics": dict(self.outcome.metrics),
            **({} if told is None else {"told": told}),
        }

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> Trial:
        """The inverse of `to_record`."""
        # Older records have neither standard errors, curves, bounds nor metrics.
        outcome = Outcome(
            record["value"], Status(record["status"]), record["reason"], record["seconds_evaluate"],
            record["work"], record["gradient"], record.get("standard_error"), record["outcome_info"],
            tuple((t, v) for t, v in record.get("curve", ())), record.get("bound"),
            record.get("metrics", {}),
        )  # fmt: skip
        return cls(Suggestion.from_record(record), outcome)


def fidelities_of(whose: str, given: Sequence[float]) -> tuple[float, ...]:
    """Shares of a training at which it may be stopped, and its end.

    Raises
    ------
    SpecificationError
        If they do not increase within (0, 1] and end with 1, or are fewer than two.
    """
    if len(given) < 2 or not all(a < b for a, b in pairwise((0.0, *given))) or given[-1] != 1.0:
        raise SpecificationError(
            f"{whose}: expected fidelities that increase within (0, 1] and end with 1, two at least, got {given!r}"
        )
    return tuple(given)
