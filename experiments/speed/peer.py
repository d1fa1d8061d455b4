"""BoTorch in a process of its own, spoken to by the protocol of `experiments/peers`."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import Any, Self

from bayeshpo.experiment.peers.external import PROTOCOL, Process, described
from bayeshpo.history import History

_SCRIPT = Path(__file__).parents[1] / "peers" / "botorch_peer.py"
_TIMEOUT = 7200.0


class Peer:
    """Fits and maximises with BoTorch on given histories; started when first asked.

    Parameters
    ----------
    python
        The Python of an environment made by experiments/peers/environment; None if there is none.
    """

    def __init__(self, python: str | None) -> None:
        self._python = python
        self._process: Process | None = None
        self.versions = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._process is not None:
            self._process.close()

    def ask(self, model: str, history: History, seed: int, *, maximise: bool = True) -> dict[str, Any]:
        """Seconds of fit and maximisation, and the draws where the model has any.

        ``model`` is "map" or "fully_bayesian".
        """
        process = self._started()
        wanted = {"model": model, "acquisition": "log_ei", "n_initial": 0, "report": True, "maximise": maximise}
        space = described(history.space)
        answer = process.call("space", protocol=PROTOCOL, space=space, seed=seed, arguments=wanted)
        self.versions = answer["versions"]
        for i, (trial, loss) in enumerate(zip(history.trials, history.losses.tolist(), strict=True)):
            process.call("tell", trial=i, configuration=trial.configuration, loss=loss)
        return process.call("ask", trial=len(history))["report"]

    def _started(self) -> Process:
        if self._python is None:
            raise RuntimeError("expected --botorch PYTHON for a cell with BoTorch, got none")
        if self._process is None:
            self._process = Process([self._python, str(_SCRIPT)], _TIMEOUT)
        return self._process
