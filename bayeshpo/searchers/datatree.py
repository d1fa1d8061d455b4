"""Everything that a searcher knows of its posterior, as a tree of ArviZ's groups and a few more."""

from __future__ import annotations

from typing import Any

from bayeshpo.history import History
from bayeshpo.inference.predicted import predicted
from bayeshpo.randomness import Streams
from bayeshpo.searchers.beliefs import Beliefs
from bayeshpo.searchers.front import front
from bayeshpo.searchers.slices import slices
from bayeshpo.trial import Trial


def datatree(known: Beliefs, history: History, best: list[Trial], rng: Streams) -> Any:
    """The posterior given all finished trials, an `xarray.DataTree`.

    Parameters
    ----------
    known, history, rng
        The beliefs, the trials and the study's streams.
    best
        What is recommended; slices of the surrogate go through the first.
    """
    posterior, n = known.posterior(history, rng), len(history)
    tree = posterior.to_datatree()
    if posterior.report.status != "failed" and len(posterior.parts) == 1:
        for group, dataset in predicted(posterior, rng.generator("predicted", n)).items():
            tree[group] = dataset
    for metric in history.aims.metrics:
        tree[f"metrics/{metric}"] = known.posterior(history, rng, metric).to_datatree()
    if known.objectives(history, rng).report.status != "failed" and best:
        objective = known.objective(history, rng)
        tree["slice"] = slices(objective, history, history.space.encode([best[0].configuration])[0])
        if history.aims.objectives:
            tree["pareto"] = front(objective, history, rng.generator("pareto", n))
    return tree
