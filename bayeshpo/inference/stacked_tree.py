"""The groups of a mixture's tree that are of all members, so that ArviZ works on its root.

The posterior is that of the members' hyperparameters side by side, each independent of the others': the posterior over
models of Carlin and Chib (1995) with each member's own posterior in place of its pseudo-prior. Which member is the true
one, or the one that predicts, is in no hyperparameter but in ``sample_stats``, drawn by the weights: a predictive draw
is that of this member.

The members' log likelihoods make one of the mixture only where weights are posterior probabilities. Stacked weights are
of the predictive densities themselves, of which the mixture's is the weighted sum and no draw's density: there is then
no such group at the root, and ArviZ's leave-one-out and power scaling are for the members one by one.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr

_PREDICTIVE = ("posterior_predictive", "log_likelihood")
_SAMPLE = ("chain", "draw")


def side_by_side(members: Mapping[str, xr.DataTree]) -> dict[str, xr.Dataset]:
    """Groups "posterior" and "prior" of all members' hyperparameters, "member.hyperparameter".

    Of members with different numbers of draws, as many of each as of the one that has fewest, evenly spaced.
    """
    trees = members.items()
    return {g: _joined({name: tree[g].to_dataset() for name, tree in trees}) for g in ("posterior", "prior")}


def by_weights(
    members: Mapping[str, xr.DataTree], weights: np.ndarray, probable: bool, rng: np.random.Generator
) -> dict[str, xr.Dataset]:
    """Groups of which each draw is one member's: predictive draws, and where weights are probabilities log likelihoods.

    Parameters
    ----------
    members, weights
        The members' trees, with what they predict, and their weights (K,).
    probable
        Whether weights are posterior probabilities.
    rng
        Draws the members.

    Returns
    -------
    groups
        Those that all members have, and "sample_stats" with the number of each draw's member; empty if there are none.
    """
    groups = _PREDICTIVE if probable else _PREDICTIVE[:1]
    told = [group for group in groups if all(group in tree.children for tree in members.values())]
    if not told:
        return {}
    datasets = {group: _alike({n: tree[group].to_dataset() for n, tree in members.items()}) for group in told}
    sizes = next(iter(datasets[told[0]].values())).sizes
    coords = {dim: np.arange(sizes[dim]) for dim in _SAMPLE}
    shape = sizes["chain"], sizes["draw"]
    member = xr.DataArray(rng.choice(len(weights), shape, p=weights / weights.sum()), coords, _SAMPLE)
    found = {"sample_stats": xr.Dataset({"member": member}, attrs={"members": list(members)})}
    for group, of_members in datasets.items():
        stacked = xr.concat(list(of_members.values()), dim="member", coords="minimal", compat="override")
        found[group] = stacked.isel(member=member).drop_vars("member", errors="ignore")
        found[group].attrs = next(iter(of_members.values())).attrs
    return found


def _joined(datasets: Mapping[str, xr.Dataset]) -> xr.Dataset:
    """Variables and their own dimensions by "member.name"."""
    joined = xr.Dataset()
    for name, dataset in _alike(datasets).items():
        own = {key: f"{name}.{key}" for key in (*dataset.data_vars, *dataset.dims) if key not in _SAMPLE}
        joined = joined.merge(dataset.rename(own))
    return joined


def _alike(datasets: Mapping[str, xr.Dataset]) -> dict[str, xr.Dataset]:
    """With as many chains, and draws of each, as the smallest has, numbered anew."""
    sizes = {dim: min(dataset.sizes[dim] for dataset in datasets.values()) for dim in _SAMPLE}

    def few(dataset: xr.Dataset) -> xr.Dataset:
        at: dict[Any, np.ndarray] = {
            dim: np.linspace(0, dataset.sizes[dim], size, endpoint=False).astype(int) for dim, size in sizes.items()
        }
        return dataset.isel(at).assign_coords({dim: np.arange(size) for dim, size in sizes.items()})

    return {name: few(dataset) for name, dataset in datasets.items()}
