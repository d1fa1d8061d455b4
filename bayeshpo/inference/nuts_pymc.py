"""PyMC's own no-U-turn sampler on a compiled log density."""

from __future__ import annotations

from typing import Any

import numpy as np
from pytensor.graph.basic import Apply

from bayeshpo.inference.nuts_chains import Chains, Settings
from bayeshpo.inference.optimization import Target
from bayeshpo.surrogates.symbolic import UNCOMPILED, Op, pm, pt

# Names of PyMC's statistics, and ArviZ's where they differ.
_STATISTICS = {
    "diverging": "diverging",
    "energy": "energy",
    "n_steps": "n_steps",
    "tree_depth": "tree_depth",
    "reached_max_treedepth": "reached_max_treedepth",
    "step_size": "step_size",
    "acceptance_rate": "acceptance_rate",
    "lp": "lp",
}


class _LogDensity(Op):
    """z (Q,) -> log density and its gradient (Q,): one call of the target for both."""

    itypes = (pt.dvector,)
    otypes = (pt.dscalar, pt.dvector)

    def __init__(self, target: Target) -> None:
        self.target = target

    def perform(self, node: Apply, inputs: Any, output_storage: Any) -> None:
        value, gradient = self.target(inputs[0])
        output_storage[0][0], output_storage[1][0] = np.asarray(value), gradient

    def pullback(self, inputs: Any, outputs: Any, output_gradients: Any) -> list[Any]:
        return [output_gradients[0] * outputs[1]]


def sample(target: Target, starts: np.ndarray, settings: Settings, rng: np.random.Generator) -> Chains:
    """Chains from their starts; see `nuts_chains.Sampler`."""
    seeds = rng.integers(2**31, size=len(starts)).tolist()
    with pm.Model():
        z = pm.Flat("z", shape=starts.shape[1])
        pm.Potential("target", _LogDensity(target)(z)[0])
        # The target is compiled already: what is left of the graph is one call of it.
        options = {"mode": UNCOMPILED}
        trace = pm.sample(
            draws=settings.draws, tune=settings.tune, chains=len(starts), cores=1, random_seed=seeds,
            step=pm.NUTS(target_accept=settings.target_accept, compile_kwargs=options),
            initvals=[{"z": start} for start in starts], progressbar=False, quiet=True,
            compute_convergence_checks=False, compile_kwargs=options,
        )  # fmt: skip
    statistics = {ours: np.asarray(trace["sample_stats"][theirs]) for theirs, ours in _STATISTICS.items()}
    return Chains(np.asarray(trace["posterior"]["z"]), statistics)
