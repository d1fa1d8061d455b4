"""Bayesian hyperparameter optimisation with full posterior inference."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bayeshpo.history import History as History
    from bayeshpo.inference.stacked import StackedSurrogate as StackedSurrogate
    from bayeshpo.searchers.bayesian import BayesianSearcher as BayesianSearcher
    from bayeshpo.searchers.gradient.finite_difference import FiniteDifferenceSearcher as FiniteDifferenceSearcher
    from bayeshpo.searchers.gradient.hypergradient import HypergradientSearcher as HypergradientSearcher
    from bayeshpo.searchers.grid import GridSearcher as GridSearcher
    from bayeshpo.searchers.random import RandomSearcher as RandomSearcher
    from bayeshpo.searchers.sobol import SobolSearcher as SobolSearcher
    from bayeshpo.searchers.successive_halving import SuccessiveHalvingSearcher as SuccessiveHalvingSearcher
    from bayeshpo.space import SearchSpace as SearchSpace
    from bayeshpo.stopping import Budget as Budget
    from bayeshpo.stopping import RegretBelow as RegretBelow
    from bayeshpo.stopping import Seconds as Seconds
    from bayeshpo.stopping import StoppingRule as StoppingRule
    from bayeshpo.stopping import Unchanged as Unchanged
    from bayeshpo.stopping import Work as Work
    from bayeshpo.study import Study as Study
    from bayeshpo.surrogates.base import Surrogate as Surrogate
    from bayeshpo.trial import Outcome as Outcome
    from bayeshpo.trial import Suggestion as Suggestion
    from bayeshpo.trial import Trial as Trial

__version__ = "0.1.0"

# Loaded on first use: importing the package, and random search, must not wait for PyMC.
_PUBLIC = {
    "Study": "bayeshpo.study",
    "SearchSpace": "bayeshpo.space",
    "BayesianSearcher": "bayeshpo.searchers.bayesian",
    "RandomSearcher": "bayeshpo.searchers.random",
    "SobolSearcher": "bayeshpo.searchers.sobol",
    "SuccessiveHalvingSearcher": "bayeshpo.searchers.successive_halving",
    "GridSearcher": "bayeshpo.searchers.grid",
    "FiniteDifferenceSearcher": "bayeshpo.searchers.gradient.finite_difference",
    "HypergradientSearcher": "bayeshpo.searchers.gradient.hypergradient",
    "StoppingRule": "bayeshpo.stopping",
    "Budget": "bayeshpo.stopping",
    "Seconds": "bayeshpo.stopping",
    "RegretBelow": "bayeshpo.stopping",
    "Unchanged": "bayeshpo.stopping",
    "Work": "bayeshpo.stopping",
    "StackedSurrogate": "bayeshpo.inference.stacked",
    "Surrogate": "bayeshpo.surrogates.base",
    "History": "bayeshpo.history",
    "Outcome": "bayeshpo.trial",
    "Suggestion": "bayeshpo.trial",
    "Trial": "bayeshpo.trial",
}


def __getattr__(name: str) -> Any:
    if name in _PUBLIC:
        return getattr(importlib.import_module(_PUBLIC[name]), name)
    raise AttributeError(f"module 'bayeshpo' has no attribute '{name}'")


def __dir__() -> list[str]:
    return sorted([*_PUBLIC, "__version__"])
