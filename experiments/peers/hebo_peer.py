"""HEBO (Cowen-Rivers et al., 2022) behind the protocol of README.md, in the environment of requirements-hebo.txt.

Arguments are those of `hebo.optimizers.hebo.HEBO`, as `rand_sample = 8`; its initial design is its own. Trials that
failed are left out: HEBO has no word for them. It knows nothing of pending ones.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from importlib.metadata import version
from typing import Any

import numpy as np
import pandas as pd
import torch
from hebo.design_space.design_space import DesignSpace
from hebo.optimizers.hebo import HEBO
from protocol import Configuration, refuse, serve

warnings.filterwarnings("ignore")
torch.set_num_threads(1)


class HEBOStudy:
    """One study of HEBO."""

    def __init__(self, space: Mapping[str, Any], seed: int, arguments: Mapping[str, Any]) -> None:
        refuse(space, "conditions", "forbidden")
        # HEBO draws from the global generators.
        np.random.seed(seed)  # noqa: NPY002
        torch.manual_seed(seed)
        self._hyperparameters, self._constants = space["hyperparameters"], space["constants"]
        parameters = DesignSpace().parse([_parameter(hp) for hp in self._hyperparameters])
        self._hebo = HEBO(parameters, scramble_seed=seed, **arguments)

    def ask(self, trial: int) -> Mapping[str, Any]:
        row = self._hebo.suggest(n_suggestions=1).iloc[0]
        values = {hp["name"]: _value(hp, row[hp["name"]]) for hp in self._hyperparameters}
        return {"configuration": {**self._constants, **values}}

    def tell(self, trial: int, configuration: Configuration, loss: float | None) -> None:
        if loss is not None:
            row = {hp["name"]: _told(hp, configuration[hp["name"]]) for hp in self._hyperparameters}
            self._hebo.observe(pd.DataFrame([row]), np.array([[loss]]))


def _parameter(hp: Mapping[str, Any]) -> dict[str, Any]:
    """A hyperparameter in HEBO's words; an ordinal is the whole number of its position."""
    name = {"name": hp["name"]}
    match hp["type"], hp.get("log"):
        case "categorical", _:
            return name | {"type": "cat", "categories": hp["choices"]}
        case "ordinal", _:
            return name | {"type": "int", "lb": 0, "ub": len(hp["choices"]) - 1}
        case kind, log:
            types = {("float", False): "num", ("float", True): "pow", ("integer", False): "int"}
            types["integer", True] = "pow_int"
            return name | {"type": types[kind, log], "lb": hp["lower"], "ub": hp["upper"]}


def _value(hp: Mapping[str, Any], value: Any) -> Any:
    if hp["type"] == "categorical":
        return next(choice for choice in hp["choices"] if choice == value)
    if hp["type"] == "ordinal":
        return hp["choices"][round(value)]
    value = min(max(float(value), hp["lower"]), hp["upper"])
    return round(value) if hp["type"] == "integer" else value


def _told(hp: Mapping[str, Any], value: Any) -> Any:
    return hp["choices"].index(value) if hp["type"] == "ordinal" else value


if __name__ == "__main__":
    serve(HEBOStudy, ", ".join(f"{name} {version(name)}" for name in ("HEBO", "torch", "GPy")))
