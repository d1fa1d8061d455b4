"""The peer's side of the protocol, for adapters: the standard library alone. README.md explains the protocol."""

from __future__ import annotations

import json
import math
import os
import sys
import traceback
from collections.abc import Callable, Mapping
from typing import Any, Protocol

Configuration = dict[str, Any]


class Study(Protocol):
    """What an adapter makes of a space."""

    def ask(self, trial: int) -> Mapping[str, Any]:
        """An answer with a "configuration", or with "exhausted" true."""
        ...

    def tell(self, trial: int, configuration: Configuration, loss: float | None) -> None:
        """What came back: a loss to be minimised, or None of a trial that has no value."""
        ...


def serve(begin: Callable[..., Study], versions: str) -> None:
    """Answer the lines of standard input until "close" or its end.

    Parameters
    ----------
    begin
        Makes a study of ``space``, ``seed`` and ``arguments``; every "space" begins anew.
    versions
        What the peer is, in words.
    """
    answers = os.fdopen(os.dup(1), "w")
    # What libraries print is no answer.
    os.dup2(2, 1)
    study: Any = None
    for line in sys.stdin:
        message = json.loads(line)
        verb = message.pop("verb")
        if verb == "close":
            return
        answer: Mapping[str, Any] = {}
        try:
            if verb == "space":
                study = begin(message["space"], message["seed"], message["arguments"])
                answer = {"versions": versions}
            elif verb == "tell":
                study.tell(message["trial"], message["configuration"], message["loss"])
            elif verb == "ask":
                answer = study.ask(message["trial"])
            else:
                answer = {"error": f"expected space, tell, ask or close, got {verb}"}
        except Exception as error:
            traceback.print_exc()
            answer = {"error": f"{type(error).__name__}: {error}"}
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


def refuse(space: Mapping[str, Any], *features: str) -> None:
    """Refuse a space with "conditions" or "forbidden" clauses."""
    for feature in features:
        if space[feature]:
            raise ValueError(f"expected a space without {feature}, got {space[feature][0]}")


class Cube:
    """A space without conditions as a unit cube: unordered choices are a column each, the largest of them counts."""

    def __init__(self, space: Mapping[str, Any]) -> None:
        self._hyperparameters, self._constants = space["hyperparameters"], space["constants"]
        self.dimension = sum(_width(hp) for hp in self._hyperparameters)

    def encode(self, configuration: Configuration) -> list[float]:
        """The point of a configuration."""
        point: list[float] = []
        for hp in self._hyperparameters:
            value = configuration[hp["name"]]
            if hp["type"] == "categorical":
                point += [float(value == choice) for choice in hp["choices"]]
            else:
                low, high, log = _range(hp)
                number = hp["choices"].index(value) if hp["type"] == "ordinal" else value
                point.append(((math.log(number) if log else number) - low) / (high - low))
        return point

    def decode(self, point: list[float]) -> Configuration:
        """The configuration nearest to a point."""
        configuration, j = dict(self._constants), 0
        for hp in self._hyperparameters:
            part = point[j : j + _width(hp)]
            j += _width(hp)
            if hp["type"] == "categorical":
                configuration[hp["name"]] = hp["choices"][part.index(max(part))]
                continue
            low, high, log = _range(hp)
            number = low + min(max(part[0], 0.0), 1.0) * (high - low)
            configuration[hp["name"]] = _value(hp, math.exp(number) if log else number)
        return configuration


def _width(hp: Mapping[str, Any]) -> int:
    return len(hp["choices"]) if hp["type"] == "categorical" else 1


def _range(hp: Mapping[str, Any]) -> tuple[float, float, bool]:
    if hp["type"] == "ordinal":
        return 0.0, len(hp["choices"]) - 1.0, False
    low, high = hp["lower"], hp["upper"]
    return (math.log(low), math.log(high), True) if hp["log"] else (low, high, False)


def _value(hp: Mapping[str, Any], number: float) -> Any:
    if hp["type"] == "ordinal":
        return hp["choices"][round(number)]
    number = min(max(number, hp["lower"]), hp["upper"])
    return round(number) if hp["type"] == "integer" else number
