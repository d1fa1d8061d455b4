"""How much each hyperparameter matters to a surrogate: Sobol indices, with their posterior uncertainty."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import xarray as xr
from scipy.stats import qmc

from bayeshpo.analysis.kept import open_kept
from bayeshpo.analysis.spaces import space_of
from bayeshpo.errors import SpecificationError
from bayeshpo.experiment.store import RunRecord
from bayeshpo.history import History
from bayeshpo.space import SearchSpace
from bayeshpo.trial import Trial

# Posterior draws whose functions are taken apart, and the fewest of each run where there are several; base points of
# each, a power of two; points predicted at a time.
DRAWS, _FEWEST, POINTS, _AT_ONCE = 64, 16, 512, 2048
# A function that varies less than this, in standardised losses, has no shares of its variance.
_FLAT = 1e-8


@dataclass(frozen=True)
class Importance:
    """Sobol indices of a surrogate's mean function under each posterior draw.

    Hyperparameters are independent and as the space samples them: uniform on the unit cube. The first-order index of
    one is the share of the function's variance that it explains by itself; its total index is the share that is left
    when all others are known, interactions included (Sobol' 1993; Homma and Saltelli 1996). First-order indices add up
    to 1 where there is no interaction.

    They are of the whole space, not of where it is good: what matters near the optimum may matter little here. Where a
    hyperparameter is inactive the function takes the encoding's value for that: it has an effect where it is active,
    and the one that decides about it has the effect of switching it. Forbidden clauses are ignored. The uncertainty is
    that of the surrogate's parameters: the mean function of each draw is taken as known, so that intervals are too
    narrow while there are few trials.

    Attributes
    ----------
    hyperparameters
        Names (D).
    first, total
        Indices (n_draws, D) of the draws whose function is not flat, with an error of their own of about
        1 / sqrt(`POINTS`); first-order ones may be slightly negative for it.
    flat
        Share of draws whose function is flat.
    seed
        Of the run that each draw is of (n_draws,).
    trials
        Number of trials that the posterior of each run saw.
    """

    hyperparameters: tuple[str, ...]
    first: np.ndarray
    total: np.ndarray
    flat: float
    seed: np.ndarray
    trials: tuple[int, ...]

    @property
    def seeds(self) -> np.ndarray:
        """The seeds, each once, in rising order."""
        return np.unique(self.seed)

    def by_seed(self, indices: np.ndarray) -> np.ndarray:
        """Medians (seeds, D) of indices (n_draws, D) over the draws of each run: how much seeds differ."""
        return np.array([np.median(indices[self.seed == seed], axis=0) for seed in self.seeds])


def pooled(parts: Sequence[Importance]) -> Importance:
    """Of runs with other seeds together, as many draws of each: what differs is the posteriors and the seeds."""
    return Importance(
        parts[0].hyperparameters,
        np.concatenate([part.first for part in parts]),
        np.concatenate([part.total for part in parts]),
        float(np.mean([part.flat for part in parts])),
        np.concatenate([part.seed for part in parts]),
        tuple(n for part in parts for n in part.trials),
    )


def of_seeds(runs: Sequence[RunRecord]) -> Importance:
    """Of the last kept posteriors of runs that differ in their seeds, of about 64 draws, and 16 of each at least.

    Raises
    ------
    SpecificationError
        As `importance` does for one of them.
    """
    draws = max(_FEWEST, DRAWS // len(runs))
    return pooled([importance(run, draws=draws) for run in runs])


def importance(run: RunRecord, path: Path | None = None, draws: int = DRAWS) -> Importance:
    """Of a run's last kept posterior, or of one of its kept ones; takes some seconds to compile the surrogate.

    Parameters
    ----------
    run, path
        The run, and one of its kept posteriors if not the last.
    draws
        How many of the posterior's.

    Raises
    ------
    SpecificationError
        If its problem cannot be built here, or its posterior cannot be carried back to its surrogate.
    """
    from bayeshpo.parallel import one_blas_thread

    path = run.posteriors[-1] if path is None else path
    space = space_of(run)
    with one_blas_thread():
        mean = mean_functions(run, space, open_kept(path), int(path.stem), draws)
        first, total = sobol_indices(lambda U: mean(space.snap(U)), space.dimension)
    varied = np.isfinite(first).all(axis=1)
    seed = np.full(int(varied.sum()), run.seed)
    return Importance(space.names, first[varied], total[varied], 1.0 - float(varied.mean()), seed, (int(path.stem),))


def mean_functions(
    run: RunRecord, space: SearchSpace, tree: xr.DataTree, n: int, draws: int = DRAWS
) -> Callable[[np.ndarray], np.ndarray]:
    """The posterior mean (S, m) of the latent function at points (m, D), under each of S kept draws.

    Parameters
    ----------
    run
        Whose surrogate it is.
    space
        Of its problem.
    tree
        The kept posterior.
    n, draws
        Trials that it saw, and how many of its draws, S.

    Raises
    ------
    SpecificationError
        If the posterior is of a mixture of surrogates or of another surrogate than the run's.
    """
    from bayeshpo.analysis.losses import aims_of
    from bayeshpo.inference.density import LogDensity, log_density
    from bayeshpo.inference.predictive import ModelPredictive, predictive
    from bayeshpo.searchers.parts import Parts
    from bayeshpo.surrogates.base import Columns, TrainingData

    history = History(space, run.spec["direction"], _trials(run, n), aims=aims_of(run))
    searcher = run.spec["searcher"]
    part = searcher.get("surrogate", tree.attrs.get("surrogate", "gp"))
    surrogate = Parts(part, None, "sequential", searcher.get("beyond")).surrogate(history)
    density = log_density(surrogate, Columns.of(space))
    kept = tree["posterior"].to_dataset() if "posterior" in tree.children else xr.Dataset()
    if not isinstance(density, LogDensity) or {b.name for b in density.blocks} - set(kept.data_vars):
        raise SpecificationError(f"the kept posterior is not one of surrogate '{surrogate.name}' by itself")
    chosen = np.linspace(0, kept.sizes["chain"] * kept.sizes["draw"], draws, endpoint=False).astype(int)
    flat = kept.stack(sample=("chain", "draw")).transpose("sample", ...)
    Q = density.unconstrain({b.name: flat[b.name].values[chosen] for b in density.blocks})
    data = TrainingData.of(history, surrogate)
    data = surrogate.prepared(density.columns, data, density.constrain(Q), None)
    known = predictive(density)
    assert isinstance(known, ModelPredictive)
    conditioned = known.condition(Q, data)

    def mean(Z: np.ndarray) -> np.ndarray:
        parts = [known(conditioned, Z[i : i + _AT_ONCE])[0] for i in range(0, len(Z), _AT_ONCE)]
        return np.concatenate(parts, axis=1)

    return mean


def _trials(run: RunRecord, n: int) -> tuple[Trial, ...]:
    """The first n trials of a run."""
    try:
        return tuple(Trial.from_record(record) for record in run.trials[:n])
    except KeyError as error:
        raise SpecificationError(
            f"the records are in small form, without {error}; give the results folder that they were exported from"
        ) from None


def sobol_indices(
    f: Callable[[np.ndarray], np.ndarray], dimension: int, points: int = POINTS
) -> tuple[np.ndarray, np.ndarray]:
    """First-order and total Sobol indices, each (S, D), of S functions on the unit cube at once.

    Of two independent samples A and B, and A with its j-th column from B: Saltelli et al. (2010), table 2, (b) for
    first-order and (f) for total indices. The samples are a scrambled Sobol sequence with a fixed seed.

    Parameters
    ----------
    f
        Values (S, m) at points (m, D).
    dimension
        D.
    points
        Of each sample, a power of two; (D + 2) times as many values are asked for.

    Returns
    -------
    first, total
        NaN for a function that does not vary.
    """
    sample = qmc.Sobol(2 * dimension, rng=np.random.default_rng(0)).random(points)
    A, B = sample[:, :dimension], sample[:, dimension:]
    mixed = np.repeat(A[None], dimension, axis=0)
    for j in range(dimension):
        mixed[j, :, j] = B[:, j]
    values = f(np.concatenate([A, B, *mixed]))
    parts = values.reshape(len(values), dimension + 2, points)
    centre = parts[:, :2].mean(axis=(1, 2))
    parts = parts - centre[:, None, None]
    at_A, at_B, at_mixed = parts[:, :1], parts[:, 1:2], parts[:, 2:]
    variance = parts[:, :2].var(axis=(1, 2))[:, None]
    with np.errstate(divide="ignore", invalid="ignore"):
        first = (at_B * (at_mixed - at_A)).mean(axis=2) / variance
        total = ((at_A - at_mixed) ** 2).mean(axis=2) / (2.0 * variance)
    varies = variance > _FLAT**2
    return np.where(varies, first, np.nan), np.where(varies, total, np.nan)
