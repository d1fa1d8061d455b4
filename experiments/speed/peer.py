"""BoTorch in a process of its own, so that nothing of it enters this package."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from bayeshpo.trial import History

_SCRIPT = Path(__file__).parent / "botorch_peer.py"


class Peer:
    """Fits and maximises with BoTorch on given histories; started when first asked.

    Parameters
    ----------
    python
        The Python of an environment made from requirements-botorch.txt; None if there is none.
    """

    def __init__(self, python: str | None) -> None:
        self._python = python
        self._process: subprocess.Popen[str] | None = None
        self.versions = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._process is not None and self._process.stdin is not None:
            self._process.stdin.close()
            self._process.wait()

    def ask(self, model: str, history: History, seed: int, *, maximise: bool = True) -> dict[str, Any]:
        """Seconds of fit and maximisation, and the draws where the model has any.

        ``model`` is "map" or "fully_bayesian".
        """
        request = {"model": model, "X": history.X.tolist(), "y": history.losses.tolist(), "seed": seed}
        return self._answer(request | {"maximise": maximise})

    def _answer(self, request: dict[str, Any]) -> dict[str, Any]:
        if self._process is None:
            self._start()
        process = self._process
        assert process is not None
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(json.dumps(request) + "\n")
        process.stdin.flush()
        line = process.stdout.readline()
        if not line:
            raise RuntimeError("expected an answer from BoTorch's process, but it ended; its own message is above")
        return json.loads(line)

    def _start(self) -> None:
        if self._python is None:
            raise RuntimeError("expected --botorch PYTHON for a cell with BoTorch, got none")
        self._process = subprocess.Popen(
            [self._python, str(_SCRIPT)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert self._process.stdout is not None
        self.versions = json.loads(self._process.stdout.readline())["versions"]
