"""Real learning curves, from tables in a folder that the user names: TaskSet and LCBench."""

from __future__ import annotations

import os
from abc import ABC
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
from ConfigSpace.hyperparameters import UniformFloatHyperparameter, UniformIntegerHyperparameter

from bayeshpo.aims import Direction
from bayeshpo.errors import SpecificationError, unknown_name
from bayeshpo.space import Configuration, SearchSpace, as_space
from bayeshpo.trial import Outcome, Status

VARIABLE = "BAYESHPO_DATA"
# Each fiftieth of a training.
FIDELITIES = np.arange(1, 51) / 50
TASKSET = (
    "imdb_patch128_LSTM128_bs64", "imdb_patch128_LSTM128_embed128_bs64", "imdb_patch32_GRU64_avg_bs128",
    "imdb_patch32_IRNN64_relu_avg_bs128", "imdb_patch32_LSTM128_E128_bs128", "imdb_patch32_LSTM128_bs128",
    "imdb_patch32_VRNN64_relu_avg_bs128", "imdb_patch32_VRNN64_tanh_avg_bs128",
)  # fmt: skip
LCBENCH = (
    7593, 34539, 126026, 126029, 167104, 167149, 167161, 167168, 167184, 167185, 167200, 167201, 168330, 168331, 168868,
    168908, 189354, 189862, 189866, 189873, 189906, 189908,
)  # fmt: skip


@dataclass(frozen=True)
class CurveTable:
    """The trainings of a table.

    Attributes
    ----------
    X
        Their configurations in the unit cube (n, D).
    losses
        Log losses after each fiftieth of the training (n, 50); NaN from where it diverged.
    seconds
        What each training took (n,); 0 where that is not known.
    """

    X: np.ndarray
    losses: np.ndarray
    seconds: np.ndarray


class TabulatedCurves(ABC):
    """Log validation loss at the end of a training, with the curve on the way; minimised, without noise.

    A table has some hundred random configurations of a continuous space. The problem is on that whole space, and what
    it evaluates is the tabulated configuration nearest to the one asked for, in the unit cube: a step function whose
    values and curves are real, whose optimum is known, and which any searcher can work on, but not the surface between
    the table's rows. `Outcome.info` says which ``row`` it was and its ``distance``. A training that diverged is a
    failed trial, with its curve until then. Trainings can be stopped and taken up again.
    """

    name: str
    space: SearchSpace
    direction: Direction = "minimize"
    noisy = False
    work_unit: str
    _work: float

    def __init__(self, table: CurveTable) -> None:
        self.table = table
        best = int(np.nanargmin(table.losses[:, -1]))
        self.optimum: float | None = float(table.losses[best, -1])
        self.optimisers = tuple(self.space.decode(table.X[[best]]))

    def true_value(self, configuration: Configuration) -> float | None:
        """The value of the nearest row; None where it diverged."""
        row, _ = self._nearest(configuration)
        final = float(self.table.losses[row, -1])
        return final if np.isfinite(final) else None

    def evaluate(self, configuration: Configuration, *, rng: np.random.Generator) -> Outcome:
        """The end and the curve of the nearest row; ``rng`` is not used."""
        return self.evaluate_to(configuration, 1.0, stopped=None, rng=rng)

    def evaluate_to(
        self, configuration: Configuration, fidelity: float, *, stopped: Outcome | None, rng: np.random.Generator
    ) -> Outcome:
        """The curve of the nearest row up to a share of its training, of which whole fiftieths are told, one at least.

        Work and seconds are that share's of the whole training, from where it was stopped.
        """
        row, distance = self._nearest(configuration)
        losses = self.table.losses[row]
        begun = 0 if stopped is None else len(stopped.curve)
        told = min(max(round(fidelity * len(losses)), begun + 1), len(losses))
        known = int(np.isfinite(losses[:told]).sum())
        curve = tuple(zip(FIDELITIES[:known].tolist(), losses[:known].tolist(), strict=True))
        share = (told - begun) / len(losses)
        seconds, work = share * float(self.table.seconds[row]), share * self._work
        info = {"row": row, "distance": distance}
        if known < told:
            reason = f"diverged after {known} of {len(losses)} parts of its training"
            return Outcome(None, Status.INVALID, reason, seconds, work, info=info, curve=curve)
        if told < len(losses):
            return Outcome(None, Status.STOPPED, seconds=seconds, work=work, info=info, curve=curve)
        return Outcome(float(losses[-1]), seconds=seconds, work=work, info=info, curve=curve)

    def _nearest(self, configuration: Configuration) -> tuple[int, float]:
        distances = np.linalg.norm(self.table.X - self.space.encode([configuration]), axis=1)
        row = int(distances.argmin())
        return row, float(distances[row])


class TaskSet(TabulatedCurves):
    """A text classifier's training by the eight hyperparameters of its optimiser (TaskSet: Metz et al., 2020).

    1,000 configurations of Adam with weight decays and learning rate decays on IMDB reviews; all on log scales,
    ``beta1`` and ``beta2`` by how far they are below 1. Up to a quarter of the trainings diverge. Run times are not
    known.

    Parameters
    ----------
    data
        Which task: kind of network, width, batch size.
    data_dir
        Folder of the data; by default the one that the environment variable BAYESHPO_DATA names.

    Raises
    ------
    SpecificationError
        If the task or the folder is not there.
    """

    work_unit = "training"
    _work = 1.0

    def __init__(self, data: str, data_dir: str | None = None) -> None:
        if data not in TASKSET:
            raise SpecificationError(unknown_name("task of TaskSet", data, TASKSET))
        self.name, self.space = f"taskset_{data}", _adam()
        super().__init__(_taskset(_folder(data_dir) / "taskset_text" / f"{data}.parquet"))


class LCBench(TabulatedCurves):
    """A network's training on tabular data by seven hyperparameters (LCBench: Zimmer, Lindauer and Hutter, 2021).

    200 random configurations, 51 epochs, with run times. Not measured: predictions of the YAHPO surrogate
    (Pfisterer et al., 2022). The first epoch is left out, as the untrained network.

    Parameters
    ----------
    data
        OpenML's number of the task.
    data_dir
        Folder of the data; by default the one that the environment variable BAYESHPO_DATA names.

    Raises
    ------
    SpecificationError
        If the task or the folder is not there.
    """

    work_unit = "epoch"
    _work = 51.0

    def __init__(self, data: int, data_dir: str | None = None) -> None:
        if str(data) not in map(str, LCBENCH):
            raise SpecificationError(unknown_name("task of LCBench", str(data), map(str, LCBENCH)))
        self.name, self.space = f"lcbench_{data}", _network()
        super().__init__(_lcbench(_folder(data_dir) / "lcbench_surrogate_table", int(data)))


def _folder(data_dir: str | None) -> Path:
    named = data_dir or os.environ.get(VARIABLE)
    if not named:
        raise SpecificationError(
            f"expected the folder of the learning curves in the environment variable {VARIABLE}, or as data_dir in the "
            "experiment's file, got neither"
        )
    return Path(named)


@cache
def _taskset(path: Path) -> CurveTable:
    table = _read(path)
    losses = np.log(table[[f"valid_{k:02d}" for k in range(1, 51)]].to_numpy(float))
    columns = [*table.columns[:8]]
    rows = table[columns].assign(beta1_below_1=1.0 - table["beta1"], beta2_below_1=1.0 - table["beta2"])
    return CurveTable(_encoded(rows, _adam()), losses, np.zeros(len(losses)))


@cache
def _lcbench(folder: Path, task: int) -> CurveTable:
    curves = _read(folder / "curves.parquet")
    curves = curves[curves["task"] == task]
    losses, seconds = (
        curves.pivot(index="config", columns="epoch", values=column).to_numpy(float)[:, 1:51]
        for column in ("val_cross_entropy", "time_s")
    )
    rows = pd.read_csv(folder / "configs.csv").set_index("config").sort_index()
    # Predicted times fall now and then by a little.
    return CurveTable(_encoded(rows, _network()), np.log(losses), seconds.max(axis=1))


def _read(path: Path) -> pd.DataFrame:
    try:
        return pd.read_parquet(path)
    except FileNotFoundError:
        raise SpecificationError(f"{path}: no such file; expected the learning curves there") from None


def _encoded(rows: pd.DataFrame, space: SearchSpace) -> np.ndarray:
    columns = [rows[name].tolist() for name in space.names]
    return space.encode(dict(zip(space.names, row, strict=True)) for row in zip(*columns, strict=True))


def _adam() -> SearchSpace:
    ranges = {
        "learning_rate": (1e-8, 10.0), "beta1_below_1": (1e-4, 1.0), "beta2_below_1": (1e-6, 1.0),
        "epsilon": (1e-10, 1e3), "l1": (1e-8, 10.0), "l2": (1e-8, 10.0), "linear_decay": (1e-7, 1e-4),
        "exponential_decay": (1e-6, 1e-3),
    }  # fmt: skip
    return as_space({name: UniformFloatHyperparameter(name, *ends, log=True) for name, ends in ranges.items()})


def _network() -> SearchSpace:
    return as_space(
        {
            "batch_size": UniformIntegerHyperparameter("batch_size", 16, 512, log=True),
            "learning_rate": UniformFloatHyperparameter("learning_rate", 1e-4, 0.1, log=True),
            "momentum": (0.1, 0.99),
            "weight_decay": (1e-5, 0.1),
            "num_layers": (1, 5),
            "max_units": UniformIntegerHyperparameter("max_units", 64, 1024, log=True),
            "max_dropout": (0.0, 1.0),
        }
    )
