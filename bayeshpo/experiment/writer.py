"""Writing the folder of one run."""

from __future__ import annotations

import json
import os
import platform
import shutil
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import IO, Any, BinaryIO, Self

from bayeshpo.errors import RecordError, SpecificationError
from bayeshpo.experiment.lines import read_lines
from bayeshpo.experiment.store import LOCK, RunRecord, plain, write_json

_PATIENCE = 10.0
# Seconds between two times that trials without fits are forced to the disk.
_SYNCED_EVERY = 1.0


class RunWriter:
    """The folder of one run, open for appending; no other process can hold it at the same time.

    Opening it cuts the files back to the last whole line, and drops inference rows and kept posteriors without a trial.

    Parameters
    ----------
    path
        The run's folder.
    spec
        The run's own specification (JSON values); it replaces the one on disk, as the budget may have grown.

    Raises
    ------
    RecordError
        If a line other than the last is damaged, or another process holds the run.
    """

    def __init__(self, path: Path, spec: Mapping[str, Any]) -> None:
        self.path, self._synced = path, 0.0
        path.mkdir(parents=True, exist_ok=True)
        self._trials = (path / "trials.jsonl").open("ab")
        try:
            _lock(self._trials, path)
            write_json(path / "spec.json", spec)
            self.record = self._repaired()
            self._suggestions: BinaryIO | None = None
            self._inference = (path / "inference.jsonl").open("ab") if self.record.inference else None
        except BaseException:
            self._trials.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for stream in (self._trials, self._suggestions, self._inference):
            if stream is not None:
                stream.close()

    def append(self, trial: Mapping[str, Any], inference: Iterable[Mapping[str, Any]] = ()) -> None:
        """Record a trial after the fits that led to it; a kill at any moment later loses nothing.

        Fits and their trials are forced to the disk at once, other trials once a second: a power cut may cost what
        that second had found, which a resumed run finds again.
        """
        fitted = self._append_inference(inference)
        _append(self._trials, trial)
        if fitted or time.monotonic() - self._synced > _SYNCED_EVERY:
            self._sync()

    def propose(self, suggestion: Mapping[str, Any], inference: Iterable[Mapping[str, Any]] = ()) -> None:
        """Record a suggestion before it is evaluated, after the trials that it knows of and the fits that led to it.

        All is on the disk then: a run that goes on evaluates it if it has no trial.
        """
        self._sync()
        self._append_inference(inference)
        if self._suggestions is None:
            self._suggestions = (self.path / "suggestions.jsonl").open("ab")
        _append(self._suggestions, suggestion)
        os.fsync(self._suggestions.fileno())

    def _append_inference(self, inference: Iterable[Mapping[str, Any]]) -> bool:
        """Record fits; whether there were any."""
        rows = list(inference)
        for row in rows:
            if self._inference is None:
                self._inference = (self.path / "inference.jsonl").open("ab")
            _append(self._inference, row)
            os.fsync(self._inference.fileno())
        return bool(rows)

    def _sync(self) -> None:
        os.fsync(self._trials.fileno())
        self._synced = time.monotonic()

    def keep_posterior(self, tree: Any, n: int) -> Path:
        """Keep the posterior given ``n`` trials (an `xarray.DataTree`) as zarr, whole or not at all."""
        path = self.posterior_path(n)
        partial = path.with_name(path.name + ".partial")
        shutil.rmtree(partial, ignore_errors=True)
        # Version 2 of the format: version 3 specifies neither strings nor consolidated metadata yet.
        tree.to_zarr(partial, mode="w", zarr_format=2)
        os.replace(partial, path)
        return path

    def posterior_path(self, n: int) -> Path:
        """Where the posterior given ``n`` trials is kept."""
        return self.path / "posterior" / f"{n:05d}.zarr"

    def finish(self, done: Mapping[str, Any]) -> None:
        """Write how the run ended: the last thing that is written."""
        self._sync()
        (self.path / "error.txt").unlink(missing_ok=True)
        write_json(self.path / "done.json", done)

    def _repaired(self) -> RunRecord:
        record = RunRecord.read(self.path)
        (self.path / "done.json").unlink(missing_ok=True)
        for kept in set(self.path.glob("posterior/*.zarr")) - set(record.posteriors):
            shutil.rmtree(kept)
        for path in (self.path / "trials.jsonl", self.path / "suggestions.jsonl"):
            if path.exists():
                os.truncate(path, read_lines(path)[1])
        inference = self.path / "inference.jsonl"
        if inference.exists():
            partial = inference.with_name(inference.name + ".partial")
            partial.write_bytes(b"".join(_line(row) for row in record.inference))
            os.replace(partial, inference)
        return record


@contextmanager
def claimed(results: Path) -> Iterator[None]:
    """Hold a results folder, which is made if it is not there: one runner at a time works in it.

    Raises
    ------
    SpecificationError
        If another one does, saying which.
    """
    results.mkdir(parents=True, exist_ok=True)
    with (results / LOCK).open("a+", encoding="utf-8") as stream:
        if not _locked(stream):
            stream.seek(0)
            holder = stream.read().strip() or "another process"
            raise SpecificationError(f"{results}: {holder} is at work on this experiment; wait for it, or end it")
        stream.truncate(0)
        stream.write(f"process {os.getpid()} on {platform.node()}")
        stream.flush()
        yield


def _append(stream: BinaryIO, record: Mapping[str, Any]) -> None:
    stream.write(_line(record))
    stream.flush()


def _line(record: Mapping[str, Any]) -> bytes:
    return (json.dumps(plain(record), separators=(",", ":")) + "\n").encode()


def _lock(stream: BinaryIO, path: Path) -> None:
    """Hold a run's folder until the stream closes; a worker that is about to die is waited for."""
    deadline = time.monotonic() + _PATIENCE
    while not _locked(stream):
        if time.monotonic() > deadline:
            raise RecordError(f"{path}: another process is writing this run; wait for it or end it")
        time.sleep(0.1)


def _locked(stream: IO[Any]) -> bool:
    """Lock a file until it closes; False if another process has."""
    if sys.platform == "win32":
        return True
    import fcntl

    try:
        fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
