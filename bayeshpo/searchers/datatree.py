"""Everything that a searcher knows of its posterior, as a tree of ArviZ's groups and a few more."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from bayeshpo.history import History
from bayeshpo.inference.predicted import predicted
from bayeshpo.inference.stacked_posterior import StackedPosterior
from bayeshpo.inference.stacked_tree import by_weights
from bayeshpo.randomness import Streams
from bayeshpo.searchers.beliefs import Beliefs
from bayeshpo.searchers.front import front
from bayeshpo.searchers.slices import slices
from bayeshpo.trial import Trial

if TYPE_CHECKING:
    from bayeshpo.acquisitions.remaining import Remaining


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
    if posterior.report.status != "failed":
        _predict(tree, posterior, rng.generator("predicted", n))
    for metric in history.aims.metrics:
        tree[f"metrics/{metric}"] = known.posterior(history, rng, metric).to_datatree()
    if known.objectives(history, rng).report.status != "failed" and best:
        objective = known.objective(history, rng)
        tree["slice"] = slices(objective, history, history.space.encode([best[0].configuration])[0])
        if not history.aims.objectives:
            drawn = known.remaining(history, rng)
            if drawn is not None:
                tree["optimum"] = _optimum(drawn, history)
        elif posterior.density.surrogate.is_joint:
            tree["pareto"] = front(objective, history, rng.generator("pareto", n))
    return tree


def _optimum(drawn: Remaining, history: History) -> xr.Dataset:
    """Functions drawn from the posterior: ``place`` (function, hyperparameter) in the unit cube, value and regret."""
    return xr.Dataset(
        {
            "place": (("function", "hyperparameter"), drawn.place),
            "value": ("function", drawn.value),
            "regret": ("function", drawn.regret),
        },
        {"hyperparameter": list(history.space.names)},
    )


def _predict(tree: xr.DataTree, posterior: Any, rng: np.random.Generator) -> None:
    """Put what is predicted of the trials into a tree; of a mixture into each member's, and drawn by the weights."""
    if not isinstance(posterior, StackedPosterior):
        for group, dataset in predicted(posterior, rng).items():
            tree[group] = dataset
        return
    pairs = zip(tree["members"].children.values(), posterior.parts, posterior.weights, strict=True)
    counting = [(member, part, weight) for member, part, weight in pairs if weight > 0.0]
    for member, part, _ in counting:
        _predict(member, part, rng)
    members = {str(member.name): member for member, _, _ in counting}
    weights = np.array([weight for *_, weight in counting])
    for group, dataset in by_weights(members, weights, posterior.density.surrogate.needs_evidence, rng).items():
        tree[group] = dataset
