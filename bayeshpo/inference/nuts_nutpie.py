"""The no-U-turn sampler of nutpie, a chain a thread."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import nutpie
from nutpie.compiled_pyfunc import from_pyfunc

from bayeshpo.inference.nuts_chains import Chains, Settings
from bayeshpo.inference.optimization import Target
from bayeshpo.parallel import available_cores

# Names of nutpie's statistics, and ArviZ's.
STATISTICS = {
    "diverging": "diverging",
    "energy": "energy",
    "n_steps": "n_steps",
    "depth": "tree_depth",
    "maxdepth_reached": "reached_max_treedepth",
    "step_size": "step_size",
    "mean_tree_accept": "acceptance_rate",
    "logp": "lp",
}


def sample(target: Target, starts: np.ndarray, settings: Settings, rng: np.random.Generator) -> Chains:
    """Chains from their starts; see `nuts_chains.Sampler`."""
    seeds = rng.integers(2**31, size=len(starts)).tolist()
    # Each chain is a call of its own: within one call, which start goes to which chain would be up to the threads.
    with ThreadPoolExecutor(min(len(starts), available_cores())) as pool:
        chains = list(pool.map(lambda start, seed: _chain(target, start, settings, seed), starts, seeds))
    statistics = {name: np.concatenate([c.statistics[name] for c in chains]) for name in STATISTICS.values()}
    return Chains(np.concatenate([c.draws for c in chains]), statistics)


def _chain(target: Target, start: np.ndarray, settings: Settings, seed: int) -> Chains:
    model = from_pyfunc(
        len(start),
        lambda: target,
        lambda seed1, seed2, chain: lambda q: {"q": q},
        [np.dtype("float64")],
        [start.shape],
        ["q"],
        make_initial_point_fn=lambda seed: start,
    )
    trace = nutpie.sample(
        model, draws=settings.draws, tune=settings.tune, chains=1, cores=1, seed=seed,
        target_accept=settings.target_accept, progress_bar=False, save_warmup=False,
    )  # fmt: skip
    statistics = {ours: np.asarray(trace["sample_stats"][theirs]) for theirs, ours in STATISTICS.items()}
    return Chains(np.asarray(trace["posterior"]["q"]), statistics)
