"""A library in a process of its own, spoken to by JSON lines (`experiments/peers/README.md` has the protocol)."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import tempfile
import threading
import weakref
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from ConfigSpace.hyperparameters import CategoricalHyperparameter

from bayeshpo.errors import SpaceExhausted, SpecificationError
from bayeshpo.experiment.peers.base import PeerError, PeerSearcher, Session
from bayeshpo.experiment.peers.spaces import refuse
from bayeshpo.problem import Capabilities
from bayeshpo.space import Configuration, SearchSpace
from bayeshpo.trial import Trial

PROTOCOL = 1
_TAIL = 1500
_PATIENCE = 5.0


class ExternalSearcher(PeerSearcher):
    """A peer that runs as a command and answers a line of JSON with a line of JSON.

    It is started anew for every run. If it ends, answers with something else, with what is no legal configuration, or
    not in time, the run ends with that and the end of its standard error; nothing takes its place.

    Parameters
    ----------
    command
        Program and arguments, as ``["/somewhere/botorch/bin/python", "experiments/peers/botorch_peer.py"]``.
    arguments
        What the peer is told beside the space, as ``{"model": "map"}``; what they mean is the peer's.
    timeout
        Seconds that one answer may take.
    """

    name = "external"

    def __init__(
        self, command: Sequence[str], arguments: Mapping[str, Any] | None = None, timeout: float = 3600.0
    ) -> None:
        super().__init__()
        if isinstance(command, str) or not command or not all(isinstance(part, str) for part in command):
            raise SpecificationError(f'command: expected a list of strings, as ["python", "peer.py"], got {command!r}')
        if timeout <= 0.0:
            raise SpecificationError(f"timeout: expected a number of seconds above 0, got {timeout}")
        self.command, self.arguments, self.timeout = tuple(command), dict(arguments or {}), timeout
        self._checking: Process | None = None

    def check(self, space: SearchSpace, capabilities: Capabilities) -> None:
        """Start the command and tell it the space: what it refuses is refused, and so is a command that does not work.

        Raises
        ------
        SpecificationError
            With the peer's own words; or if a number has a distribution of its own.
        """
        refuse(self.name, "the protocol", space, ("distributions of numbers",))
        try:
            # One process is enough for all spaces that are checked.
            self._checking = self._checking or Process(self.command, self.timeout)
            self._begin(self._checking, space, 0)
        except PeerError as error:
            self._checking = None
            raise SpecificationError(str(error)) from None

    def open(self, space: SearchSpace, seed: int) -> Session:
        """A new process that has been told the space."""
        process = Process(self.command, self.timeout)
        self._begin(process, space, seed)
        return _Remote(process)

    def _begin(self, process: Process, space: SearchSpace, seed: int) -> None:
        process.call("space", protocol=PROTOCOL, space=described(space), seed=seed, arguments=self.arguments)


class _Remote(Session):
    """A study of a peer in a process of its own."""

    def __init__(self, process: Process) -> None:
        self._process = process

    def ask(self, index: int) -> Configuration:
        answer = self._process.call("ask", trial=index)
        if answer.get("exhausted") is True:
            raise SpaceExhausted("the peer has no further configuration")
        configuration = answer.get("configuration")
        if not isinstance(configuration, dict):
            raise self._process.failed(
                "ask", f"expected an answer with a configuration, got {json.dumps(answer)[:200]}"
            )
        return configuration

    def tell(self, index: int, trial: Trial, loss: float | None, asked: bool) -> None:
        told = {"configuration": trial.configuration, "loss": loss, "status": str(trial.outcome.status)}
        self._process.call("tell", trial=index, asked=asked, seconds=trial.outcome.seconds, **told)


class Process:
    """A command that answers every line of JSON with one.

    Parameters
    ----------
    command
        Program and arguments.
    timeout
        Seconds that one answer may take; one that is late is killed.

    Raises
    ------
    PeerError
        If it cannot be started.
    """

    def __init__(self, command: Sequence[str], timeout: float) -> None:
        self._timeout, self._late = timeout, False
        self._words = tempfile.TemporaryFile()  # noqa: SIM115 - it is read as long as the process is asked
        try:
            self._process = subprocess.Popen(
                list(command), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._words,
                # A group of its own, so that what the command started ends with it.
                start_new_session=True,
            )  # fmt: skip
        except OSError as error:
            self._words.close()
            raise PeerError(f"command: expected a program that starts, got {error}") from error
        self.close = weakref.finalize(self, _end, self._process, self._words)

    def call(self, verb: str, **entries: Any) -> dict[str, Any]:
        """The answer to a verb.

        Raises
        ------
        PeerError
            If the process ends, is late, answers with an error or with no JSON mapping; it is ended.
        """
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        watchdog = threading.Timer(self._timeout, self._give_up)
        watchdog.daemon = True
        watchdog.start()
        try:
            self._process.stdin.write(json.dumps({"verb": verb, **entries}).encode() + b"\n")
            self._process.stdin.flush()
            line = self._process.stdout.readline()
        except OSError:
            line = b""
        finally:
            watchdog.cancel()
        if self._late:
            raise self.failed(verb, f"expected an answer within {self._timeout:g} s, got none")
        if not line:
            _kill(self._process)
            raise self.failed(verb, f"expected an answer, got its end with exit code {self._process.wait()}")
        try:
            answer = json.loads(line)
        except ValueError:
            answer = None
        if not isinstance(answer, dict):
            raise self.failed(verb, f"expected a line of JSON, a mapping, got {line[:200]!r}")
        if "error" in answer:
            raise self.failed(verb, str(answer["error"]))
        return answer

    def failed(self, verb: str, what: str) -> PeerError:
        """The error to raise, with the last words of the process, which is ended."""
        _kill(self._process)
        self._process.wait()
        self._words.seek(max(0, self._words.seek(0, os.SEEK_END) - _TAIL))
        words = self._words.read().decode(errors="replace").strip()
        self.close()
        error = PeerError(
            f"peer, at '{verb}': {what}" + (f"; its last words: {words.splitlines()[-1]}" if words else "")
        )
        # What is printed with the traceback, as in a run's error.txt.
        error.add_note(f"The end of the peer's standard error:\n{words}")
        return error

    def _give_up(self) -> None:
        self._late = True
        _kill(self._process)


def described(space: SearchSpace) -> dict[str, Any]:
    """A space in the words of the protocol; conditions and forbidden clauses are as ConfigSpace writes them to JSON."""
    written = space.configspace.to_serialized_dict()
    return {
        "hyperparameters": [_described(space.configspace[name]) for name in space.names],
        "constants": space.constants,
        "conditions": written["conditions"],
        "forbidden": written["forbiddens"],
    }


def _described(hp: Any) -> dict[str, Any]:
    if isinstance(hp, CategoricalHyperparameter):
        probabilities = [float(p) for p in hp.probabilities]
        return {"name": hp.name, "type": "categorical", "choices": list(hp.choices), "probabilities": probabilities}
    if hasattr(hp, "sequence"):
        return {"name": hp.name, "type": "ordinal", "choices": list(hp.sequence)}
    number = float if "Float" in type(hp).__name__ else int
    kind = "float" if number is float else "integer"
    return {"name": hp.name, "type": kind, "lower": number(hp.lower), "upper": number(hp.upper), "log": bool(hp.log)}


def _end(process: subprocess.Popen[bytes], words: Any) -> None:
    """Ask a process to end, and end it if it does not."""
    assert process.stdin is not None
    assert process.stdout is not None
    with suppress(OSError):
        process.stdin.write(b'{"verb": "close"}\n')
    with suppress(OSError):
        process.stdin.close()
    with suppress(subprocess.TimeoutExpired):
        process.wait(_PATIENCE)
    _kill(process)
    process.wait()
    process.stdout.close()
    words.close()


def _kill(process: subprocess.Popen[bytes]) -> None:
    """End a process and all that it has started."""
    with suppress(OSError):
        if hasattr(os, "killpg"):
            os.killpg(process.pid, signal.SIGKILL)
        else:
            process.kill()
