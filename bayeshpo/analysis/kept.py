"""What figures need of a kept posterior."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from bayeshpo.errors import RecordError
from bayeshpo.experiment.store import RunRecord

if TYPE_CHECKING:
    import xarray as xr

# Posteriors in memory by path and time of change, those opened last at the end.
_held: dict[tuple[Path, int], xr.DataTree] = {}
_MOST_BYTES = 2**28
# Attribute that names the slice's most relevant hyperparameter where the posterior beside it was thinned.
RELEVANT = "relevant"


@dataclass(frozen=True)
class Lengthscales:
    """Draws of the kernel's lengthscales, before and after the data.

    Attributes
    ----------
    hyperparameters
        Names (D).
    prior, posterior
        Draws (n_draws, D), in units of the unit cube.
    n
        Number of trials that the posterior saw.
    """

    hyperparameters: tuple[str, ...]
    prior: np.ndarray
    posterior: np.ndarray
    n: int


@dataclass(frozen=True)
class Slice:
    """The surrogate along one hyperparameter, the others held where the recommendation is.

    Attributes
    ----------
    hyperparameter
        Name of the one that varies.
    position
        Its positions in the unit cube (m,).
    f
        Mean of the latent function under single posterior draws (n_draws, m), in the problem's units.
    mean, sd
        Moments of the latent function over all posterior draws (m,), in the problem's units.
    acquisition
        Acquisition function (m,).
    at
        Position of the recommendation.
    trials
        Positions of the finished trials along this hyperparameter (n,).
    records
        The record of each of these trials.
    closeness
        How near each trial is to the slice (n,), in (0, 1]: exp(-d^2 / 2), with d the distance over the other
        hyperparameters in units of their posterior median lengthscales; of half the unit cube without these.
    """

    hyperparameter: str
    position: np.ndarray
    f: np.ndarray
    mean: np.ndarray
    sd: np.ndarray
    acquisition: np.ndarray
    at: float
    trials: np.ndarray
    records: list[dict[str, Any]]
    closeness: np.ndarray


def open_kept(path: Path) -> xr.DataTree:
    """Open a kept posterior: a zarr folder, or the single zip file that `bayeshpo.analysis.export` makes of one.

    Those opened last are held in memory, up to 256 MiB of them, since figures open the same ones one after another: a
    tree is not to be changed.
    """
    key = path, path.stat().st_mtime_ns
    tree = _held.pop(key, None)
    _held[key] = tree = _opened(path) if tree is None else tree
    excess = sum(other.nbytes for other in _held.values()) - _MOST_BYTES
    for other in list(_held)[:-1]:
        if excess <= 0:
            break
        excess -= _held.pop(other).nbytes
    return tree


def _opened(path: Path) -> xr.DataTree:
    import xarray as xr
    from zarr.storage import ZipStore

    if path.is_dir():
        return xr.open_datatree(path, engine="zarr", consolidated=False).load()
    with ZipStore(path, mode="r") as store:
        return xr.open_datatree(cast(Any, store), engine="zarr", consolidated=False).load()


def last_kept(runs: Sequence[RunRecord]) -> list[tuple[RunRecord, xr.DataTree]]:
    """The runs that kept a posterior, each with its last one."""
    return [(run, open_kept(run.posteriors[-1])) for run in runs if run.posteriors]


def lengthscales(tree: xr.DataTree) -> Lengthscales | None:
    """The lengthscales of a kept posterior; None if its surrogate has none, or if the prior was not kept."""
    if "prior" not in tree.children or any("lengthscale" not in tree[g].data_vars for g in ("prior", "posterior")):
        return None
    prior, posterior = _draws(tree, "prior"), _draws(tree, "posterior")
    names = tuple(str(name) for name in posterior["hyperparameter"].values)
    n = len(tree["constant_data"].to_dataset()["X"])
    return Lengthscales(names, prior.sel(hyperparameter=list(names)).values, posterior.values, n)


def relevant_slice(run: RunRecord, tree: xr.DataTree) -> Slice | None:
    """The slice along the most relevant hyperparameter: that of the smallest posterior median lengthscale.

    Of a surrogate without lengthscales that along which the mean changes most. None if no slice was kept.
    """
    if "slice" not in tree.children:
        return None
    kept, scales = tree["slice"].to_dataset(), lengthscales(tree)
    if scales is None:
        names = [str(name) for name in kept["hyperparameter"].values]
        changes = np.ptp(kept["mean"].transpose("hyperparameter", "position").values, axis=1)
        j, length = int(np.argmax(changes)), np.full(len(names), 0.5)
    else:
        names, length = list(scales.hyperparameters), np.median(scales.posterior, axis=0)
        j = int(np.argmin(length))
    name = tree["slice"].attrs.get(RELEVANT, names[j])
    kept = kept.sel(hyperparameter=names)
    at, one = kept["at"].values, kept.sel(hyperparameter=name)
    X = tree["constant_data"].to_dataset()["X"].values
    others = np.array(names) != name
    squared = np.sum(((X[:, others] - at[others]) / length[others]) ** 2, axis=1)
    return Slice(
        hyperparameter=name,
        position=one["position"].values,
        f=one["f"].transpose("slice_draw", "position").values,
        mean=one["mean"].values,
        sd=one["sd"].values,
        acquisition=one["acquisition"].values,
        at=float(at[j]),
        trials=X[:, names.index(name)],
        records=_records(run, len(X)),
        closeness=np.exp(-squared / 2),
    )


def _records(run: RunRecord, n: int) -> list[dict[str, Any]]:
    """The finished trials that the posterior saw, in the order of its ``n`` data points."""
    path = run.posteriors[-1]
    finished = [trial for trial in run.trials[: int(path.stem)] if trial["value"] is not None]
    if len(finished) != n:
        raise RecordError(f"{path}: expected a data point for each of {len(finished)} finished trials, got {n}")
    return finished


def _draws(tree: xr.DataTree, group: str) -> xr.DataArray:
    draws = tree[group].to_dataset()["lengthscale"]
    return draws.stack(sample=("chain", "draw")).transpose("sample", "hyperparameter")
