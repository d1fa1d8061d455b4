"""What a surrogate believes before it has seen a trial: draws of its latent function from the prior."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from bayeshpo.errors import SpecificationError
from bayeshpo.surrogates.columns import Columns
from bayeshpo.surrogates.symbolic import UNCOMPILED, graph_replace, pm, pt

if TYPE_CHECKING:
    from bayeshpo.surrogates.base import Surrogate


def prior_functions(
    surrogate: Surrogate, columns: Columns, X: np.ndarray, draws: int, rng: np.random.Generator
) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """See `Surrogate.prior_functions`."""
    model: Any = surrogate.model(columns, X, np.zeros(len(X)))
    free = model.free_RVs
    drawn = pm.draw([*free, _latent(surrogate, model)], draws=draws, random_seed=rng, mode=UNCOMPILED)
    return {rv.name: np.asarray(v) for rv, v in zip(free, drawn, strict=False)}, np.asarray(drawn[-1])


def _latent(surrogate: Surrogate, model: Any) -> Any:
    """The model's f; where that is integrated out, its outcome with a noise of nothing."""
    if "f" in model.named_vars:
        return model["f"]
    if "noise" not in model.named_vars or len(model.observed_RVs) != 1:
        raise SpecificationError(
            f"surrogate '{surrogate.name}': expected a deterministic 'f', or one outcome with a hyperparameter "
            f"'noise', got {sorted(model.named_vars)}; override prior_functions"
        )
    # Not clone_replace: the draw has to be of the same hyperparameters as those that are drawn beside it.
    [outcome] = graph_replace(model.observed_RVs, {model["noise"]: pt.constant(np.array(0.0))})
    return outcome
