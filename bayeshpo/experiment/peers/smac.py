"""SMAC3 (Lindauer et al., 2022) in this process, by its own ask and tell."""

from __future__ import annotations

import copy
import logging
import math
import shutil
import tempfile
import warnings
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import joblib
from smac import BlackBoxFacade, HyperparameterOptimizationFacade, Scenario
from smac.main.exceptions import ConfigurationSpaceExhaustedException
from smac.runhistory import StatusType, TrialInfo, TrialValue
from smac.runhistory.encoder import RunHistoryLogEncoder, RunHistoryLogScaledEncoder

from bayeshpo.errors import SpaceExhausted, SpecificationError, unknown_name
from bayeshpo.experiment.peers.base import PeerSearcher, Session
from bayeshpo.experiment.peers.spaces import refuse
from bayeshpo.problem import Capabilities
from bayeshpo.space import Configuration, SearchSpace
from bayeshpo.trial import Trial

Facade = Literal["hyperparameter", "blackbox"]
Costs = Literal["log_scaled", "log"]
_FACADES = {"hyperparameter": HyperparameterOptimizationFacade, "blackbox": BlackBoxFacade}
_ENCODERS = {"log_scaled": RunHistoryLogScaledEncoder, "log": RunHistoryLogEncoder}


class SMACSearcher(PeerSearcher):
    """A facade of SMAC3, as it comes: with its own initial design and defaults.

    SMAC works on the ConfigSpace space itself. Of a trial without a value it is told `StatusType.CRASHED`, at the cost
    of the worst loss so far, since its models cannot be trained with the infinite one that is its default; before any
    trial has a value, it is told nothing of those that failed.

    Parameters
    ----------
    facade
        "hyperparameter": a random forest; "blackbox": a Gaussian process.
    n_trials
        What SMAC is told of the budget: its Sobol design takes a quarter of it at most.
    costs
        What the forest learns: "log_scaled", logarithms of losses scaled to their range, by SMAC's own encoder; or
        "log", logarithms of the losses, SMAC's default, which sees nothing in losses below zero. The Gaussian process
        learns losses as they are.
    deterministic
        Whether no configuration is worth a second trial.
    """

    name = "smac"

    def __init__(
        self,
        facade: Facade = "hyperparameter",
        n_trials: int = 100,
        costs: Costs = "log_scaled",
        deterministic: bool = True,
    ) -> None:
        super().__init__()
        if facade not in _FACADES:
            raise SpecificationError(unknown_name("facade of SMAC", str(facade), _FACADES))
        if costs not in _ENCODERS:
            raise SpecificationError(unknown_name("costs of SMAC", str(costs), _ENCODERS))
        if n_trials < 1:
            raise SpecificationError(f"expected n_trials >= 1, got {n_trials}")
        self.facade, self.n_trials, self.costs, self.deterministic = facade, n_trials, costs, deterministic

    def check(self, space: SearchSpace, capabilities: Capabilities) -> None:
        """Refuse distributions other than uniform and log-uniform.

        Raises
        ------
        SpecificationError
            If the space has one.
        """
        refuse(self.name, "SMAC", space, ("distributions of numbers",))

    def open(self, space: SearchSpace, seed: int) -> Session:
        """A new facade."""
        return _Facade(self, space, seed)


class _Facade(Session):
    """A facade of SMAC3, with a folder for what it writes."""

    def __init__(self, searcher: SMACSearcher, space: SearchSpace, seed: int) -> None:
        folder = tempfile.mkdtemp(prefix="bayeshpo-smac-")
        weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)
        scenario = Scenario(
            # SMAC seeds the space that it is given.
            copy.deepcopy(space.configspace), deterministic=searcher.deterministic, n_trials=searcher.n_trials,
            seed=seed, output_directory=Path(folder),
        )  # fmt: skip
        encoder = {"runhistory_encoder": _ENCODERS[searcher.costs](scenario)} if searcher.facade != "blackbox" else {}
        facade: Any = _FACADES[searcher.facade]
        with _contained():
            self._smac = facade(scenario, logging_level=False, overwrite=True, **encoder)
        # It says so in its log whenever its acquisition has no new maximum.
        logging.getLogger("smac").setLevel(logging.ERROR)
        self._asked: dict[int, TrialInfo] = {}
        self._worst = -math.inf
        self._waiting: list[TrialInfo] = []
        # Beyond a million configurations no study comes to an end for want of one.
        self._size = len(space.grid()) if space.size <= 1e6 else math.inf

    def ask(self, index: int) -> Configuration:
        if len(self._smac.runhistory.get_configs()) >= self._size:
            # SMAC itself would look for another one for a very long time.
            raise SpaceExhausted(f"all {self._size} configurations have been tried")
        try:
            with _contained():
                info = self._smac.ask()
        except (ConfigurationSpaceExhaustedException, StopIteration) as error:
            raise SpaceExhausted("SMAC finds no configuration that it has not tried") from error
        self._asked[index] = info
        return dict(info.config)

    def tell(self, index: int, trial: Trial, loss: float | None, asked: bool) -> None:
        info = self._asked.pop(index) if asked else self._foreign(trial)
        if loss is None:
            self._waiting.append(info)
        else:
            self._worst = max(self._worst, loss)
            self._add(info, loss, StatusType.SUCCESS)
        if self._worst > -math.inf:
            for failed in self._waiting:
                self._add(failed, self._worst, StatusType.CRASHED)
            self._waiting.clear()

    def _foreign(self, trial: Trial) -> TrialInfo:
        from ConfigSpace import Configuration as Legal

        space = self._smac.scenario.configspace
        return TrialInfo(Legal(space, values=trial.configuration), seed=self._smac.intensifier.get_seeds()[0])

    def _add(self, info: TrialInfo, cost: float, status: StatusType) -> None:
        with _contained():
            self._smac.tell(info, TrialValue(cost=cost, status=status), save=False)


@contextmanager
def _contained() -> Iterator[None]:
    """One core, as every searcher has, and no warnings of SMAC's models about their own numerics."""
    with warnings.catch_warnings(), joblib.parallel_config(backend="sequential"):
        warnings.simplefilter("ignore")
        yield
