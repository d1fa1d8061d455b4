"""How much of what a study does not know of some configurations is its hyperparameters', and what that is worth."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np

from bayeshpo.errors import SpecificationError
from bayeshpo.searchers.bayesian import BayesianSearcher
from bayeshpo.searchers.objectives import CHOICE_DRAWS
from bayeshpo.space import Configuration
from bayeshpo.study import Study

if TYPE_CHECKING:
    import pandas as pd


def decompose(study: Study, configurations: Iterable[Configuration]) -> pd.DataFrame:
    """A row a configuration: what the surrogate expects, how uncertain it is by which part, and what it is worth.

    Of the posterior given all finished trials, over up to 1,280 draws of the hyperparameters. The formulas are in
    `bayeshpo.acquisitions.decomposition`.

    Parameters
    ----------
    study
        With a Bayesian searcher and at least one finished trial.
    configurations
        Tried or not.

    Returns
    -------
    DataFrame
        The hyperparameters, and

        - ``mean``, ``sd``: of the objective without noise, in its own units and direction;
        - ``sd_function``, ``sd_hyperparameters``: the parts of ``sd``, whose squares add up to its square; ``share``,
          the hyperparameters' share of the variance, and its Monte Carlo error ``share_mcse``;
        - ``information_function``, ``information_hyperparameters``: of one more trial, in nats; NaN where the surrogate
          does not know its noise;
        - ``acquisition``, ``acquisition_mcse``: of the next proposal, pending and failed trials being as they are;
        - ``acquisition_function``, ``acquisition_hyperparameters``: the same with either part of the variance alone;
          NaN of acquisitions that draw functions, as with ``log_ei`` while trials are pending.

    Raises
    ------
    SpecificationError
        If there is no such posterior, or there are several objectives.
    """
    import pandas as pd

    from bayeshpo.acquisitions.decomposition import moments, worth
    from bayeshpo.inference.predictive import predictive

    searcher, history = study.searcher, study.history
    if not isinstance(searcher, BayesianSearcher):
        raise SpecificationError(f"expected a study with a Bayesian searcher, got '{searcher.name}'")
    posterior = searcher.believed("decomposition", history, study.streams)
    objective = searcher.beliefs.objective(history, study.streams)
    configurations = list(configurations)
    Z, Q = history.space.encode(configurations), posterior.thinned(CHOICE_DRAWS)
    said = moments(predictive(posterior.density), Q, posterior.data, Z)
    most = min(CHOICE_DRAWS, objective.compiled.acquisition.most_draws)
    value = worth(objective.compiled, objective.draws(most), objective.evidence, Z)
    location, scale = posterior.data.location, posterior.data.scale
    of_hyperparameters, of_function = said.information
    columns = {
        "mean": history.sign * (location + scale * said.mean.mean(axis=0)),
        "sd": scale * np.sqrt(said.of_function + said.of_hyperparameters),
        "sd_function": scale * np.sqrt(said.of_function),
        "sd_hyperparameters": scale * np.sqrt(said.of_hyperparameters),
        "share": said.share,
        "share_mcse": said.share_error,
        "information_function": of_function,
        "information_hyperparameters": of_hyperparameters,
        "acquisition": value.value,
        "acquisition_mcse": value.error,
        "acquisition_function": value.of_function,
        "acquisition_hyperparameters": value.of_hyperparameters,
    }
    return pd.DataFrame(configurations).assign(**columns)
