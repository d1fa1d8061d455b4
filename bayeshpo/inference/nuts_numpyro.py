"""NumPyro's no-U-turn sampler on a compiled log density, which JAX calls as a function of its own host.

The sampler is compiled anew in every fit (seconds), and a gradient costs a call from JAX: for comparisons of samplers.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import jax
import numpy as np
from numpyro.infer import MCMC, NUTS

from bayeshpo.inference.nuts_chains import Chains, Settings
from bayeshpo.inference.optimization import Target

_MOST_DOUBLINGS = 10
_FIELDS = ("diverging", "energy", "num_steps", "accept_prob", "adapt_state.step_size", "potential_energy")


def sample(target: Target, starts: np.ndarray, settings: Settings, rng: np.random.Generator) -> Chains:
    """Chains from their starts; see `nuts_chains.Sampler`."""
    with _double_precision():
        kernel = NUTS(
            potential_fn=_potential(target, starts.shape[1]),
            target_accept_prob=settings.target_accept,
            max_tree_depth=_MOST_DOUBLINGS,
        )
        mcmc = MCMC(
            kernel, num_warmup=settings.tune, num_samples=settings.draws, num_chains=len(starts),
            chain_method="sequential", progress_bar=False,
        )  # fmt: skip
        mcmc.run(jax.random.key(int(rng.integers(2**31))), init_params=jax.numpy.asarray(starts), extra_fields=_FIELDS)
        draws = np.asarray(mcmc.get_samples(group_by_chain=True))
        found = {name: np.asarray(v) for name, v in mcmc.get_extra_fields(group_by_chain=True).items()}
    return Chains(draws, _statistics(found))


@contextmanager
def _double_precision() -> Iterator[None]:
    """JAX in float64 everywhere: its own context would not reach the threads that call back."""
    before = jax.config.read("jax_enable_x64")
    jax.config.update("jax_enable_x64", True)
    try:
        yield
    finally:
        jax.config.update("jax_enable_x64", before)


def _potential(target: Target, size: int) -> Any:
    """The negative log density as a function of z (Q,) that JAX can differentiate once."""

    def evaluate(z: Any) -> tuple[np.ndarray, np.ndarray]:
        value, gradient = target(np.array(z, dtype=np.float64))
        return np.asarray(-value), -gradient

    kinds = jax.ShapeDtypeStruct((), np.float64), jax.ShapeDtypeStruct((size,), np.float64)

    def forward(z: Any) -> tuple[Any, Any]:
        return jax.pure_callback(evaluate, kinds, z, vmap_method="sequential")

    @jax.custom_vjp
    def potential(z: Any) -> Any:
        return forward(z)[0]

    potential.defvjp(forward, lambda gradient, g: (g * gradient,))
    return potential


def _statistics(found: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    steps = found["num_steps"]
    depth = np.ceil(np.log2(steps + 1)).astype(int)
    return {
        "diverging": found["diverging"],
        "energy": found["energy"],
        "n_steps": steps,
        "tree_depth": depth,
        "reached_max_treedepth": steps >= 2**_MOST_DOUBLINGS - 1,
        "step_size": found["adapt_state.step_size"],
        "acceptance_rate": found["accept_prob"],
        "lp": -found["potential_energy"],
    }
