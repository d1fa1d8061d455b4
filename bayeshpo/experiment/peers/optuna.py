"""Optuna's samplers (Akiba et al., 2019) in this process."""

from __future__ import annotations

import importlib.util
import inspect
import warnings
from collections.abc import Mapping
from typing import Any, Literal

import optuna
from ConfigSpace.hyperparameters import (
    CategoricalHyperparameter,
    OrdinalHyperparameter,
    UniformFloatHyperparameter,
    UniformIntegerHyperparameter,
)
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)

from bayeshpo.errors import SpecificationError, unknown_name
from bayeshpo.experiment.peers.base import PeerSearcher, Session
from bayeshpo.experiment.peers.spaces import completed, refuse
from bayeshpo.problem import Capabilities
from bayeshpo.space import Configuration, SearchSpace
from bayeshpo.trial import Trial

Sampler = Literal["tpe", "gp", "cmaes"]
_SAMPLERS = {"tpe": "TPESampler", "gp": "GPSampler", "cmaes": "CmaEsSampler"}
_NEEDS = {"gp": ("torch", "optuna-gp"), "cmaes": ("cmaes", "optuna")}


class OptunaSearcher(PeerSearcher):
    """One of Optuna's samplers, as it comes: with its own initial design and defaults.

    Hyperparameters are suggested one after another, those that are inactive not at all; ordinals as the whole number
    of their position. A trial without a value is told as failed (`TrialState.FAIL`), one that is pending is running.
    TPE begins with ten random draws, GP with ten, CMA-ES with one. Under conditions the Gaussian process and CMA-ES
    leave what is conditional to Optuna's random sampler.

    Parameters
    ----------
    sampler
        "tpe": tree-structured Parzen estimators; "gp": a Gaussian process (needs PyTorch); "cmaes": CMA-ES, which
        leaves unordered choices to Optuna's random sampler.
    options
        Arguments of the sampler, as ``{"n_startup_trials": 5}``.
    """

    name = "optuna"

    def __init__(self, sampler: Sampler = "tpe", options: Mapping[str, Any] | None = None) -> None:
        super().__init__()
        if sampler not in _SAMPLERS:
            raise SpecificationError(unknown_name("sampler of Optuna", str(sampler), _SAMPLERS))
        package, extra = _NEEDS.get(sampler, ("optuna", "optuna"))
        if importlib.util.find_spec(package) is None:
            raise SpecificationError(
                f"searcher 'optuna': its sampler '{sampler}' needs the package {package}; install it with: "
                f"pip install 'bayeshpo[{extra}]'"
            )
        self._class = getattr(optuna.samplers, _SAMPLERS[sampler])
        self._options = dict(options or {})
        valid = [name for name in inspect.signature(self._class).parameters if name != "seed"]
        for name in self._options:
            if name not in valid:
                raise SpecificationError(unknown_name(f"option of Optuna's {_SAMPLERS[sampler]}", name, valid))

    def check(self, space: SearchSpace, capabilities: Capabilities) -> None:
        """Refuse forbidden clauses, weights and distributions.

        Raises
        ------
        SpecificationError
            If the space has one.
        """
        refuse(self.name, "Optuna", space, ("forbidden clauses", "distributions of numbers", "weights of choices"))

    def open(self, space: SearchSpace, seed: int) -> Session:
        """A new study of Optuna."""
        return _Study(space, _quietly(self._class, seed=seed, **self._options))


class _Study(Session):
    """An `optuna.Study` in memory."""

    def __init__(self, space: SearchSpace, sampler: Any) -> None:
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        self._space = space
        self._study = optuna.create_study(sampler=sampler)
        self._running: dict[int, optuna.Trial] = {}

    def ask(self, index: int) -> Configuration:
        trial = self._running[index] = _quietly(self._study.ask)
        values: Configuration = {}
        for name in self._space.in_order:
            if self._space.is_active(name, values):
                values[name] = _quietly(_suggested, trial, self._space, name)
        return completed(self._space, values)

    def tell(self, index: int, trial: Trial, loss: float | None, asked: bool) -> None:
        state = optuna.trial.TrialState.FAIL if loss is None else optuna.trial.TrialState.COMPLETE
        if asked:
            _quietly(self._study.tell, self._running.pop(index), loss, state=state)
            return
        names = [name for name in self._space.names if name in trial.configuration]
        given = optuna.trial.create_trial(
            state=state, value=loss,
            params={n: _told(self._space.configspace[n], trial.configuration[n]) for n in names},
            distributions={n: _distribution(self._space.configspace[n]) for n in names},
        )  # fmt: skip
        self._study.add_trial(given)


def _distribution(hp: Any) -> BaseDistribution:
    match hp:
        case CategoricalHyperparameter():
            return CategoricalDistribution(tuple(hp.choices))
        case OrdinalHyperparameter():
            return IntDistribution(0, len(hp.sequence) - 1)
        case UniformIntegerHyperparameter():
            return IntDistribution(int(hp.lower), int(hp.upper), log=hp.log)
        case UniformFloatHyperparameter():
            return FloatDistribution(float(hp.lower), float(hp.upper), log=hp.log)
    raise AssertionError(f"expected a hyperparameter of a SearchSpace, got {hp!r}")


def _suggested(trial: optuna.Trial, space: SearchSpace, name: str) -> Any:
    hp = space.configspace[name]
    match _distribution(hp):
        case CategoricalDistribution(choices=choices):
            return trial.suggest_categorical(name, choices)
        case IntDistribution(low=low, high=high, log=log):
            value: Any = trial.suggest_int(name, low, high, log=log)
        case FloatDistribution(low=low, high=high, log=log):
            value = trial.suggest_float(name, low, high, log=log)
        case other:
            raise AssertionError(f"expected a distribution of `_distribution`, got {other}")
    return hp.sequence[value] if isinstance(hp, OrdinalHyperparameter) else value


def _told(hp: Any, value: Any) -> Any:
    """The inverse of `_suggested`."""
    return list(hp.sequence).index(value) if isinstance(hp, OrdinalHyperparameter) else value


def _quietly(call: Any, *arguments: Any, **named: Any) -> Any:
    """Call without the warnings that a part of Optuna is experimental, or leaves something to its random sampler."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module="optuna")
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        return call(*arguments, **named)
