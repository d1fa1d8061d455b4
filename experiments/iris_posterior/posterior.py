"""A model's full posterior with all its diagnostics, and what it predicts of folds that it has not seen."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import arviz as az
import numpy as np
import nutpie
import pymc as pm
import xarray as xr
from problem import Fold, everything, folds
from scipy.special import softmax
from scipy.stats import norm

from bayeshpo.analysis.comparison.fitting import compiled

# Whose power is scaled (Kallioinen et al. 2024).
POWERS = ("prior", "likelihood")
_CHAINS = 4
# Tuning steps and draws of a chain, of the posterior that is looked at and of those of which only a mean is taken.
_WHOLE, _FOLD = (1000, 1000), (400, 250)
_PRIOR_DRAWS = 500
_QUANTILES = (0.05, 0.5, 0.95)
# Small steps: the softmax posterior has long tails, along which the classes are ever further apart.
_TARGET_ACCEPT = 0.95


class Sampled:
    """A PyMC model, compiled once: `pm.sample` would compile it again for each fold.

    Parameters
    ----------
    build
        Makes the model of inputs with a first column of ones (n, 5) and classes (n,).
    """

    def __init__(self, build: Callable[[np.ndarray, np.ndarray], pm.Model]) -> None:
        data = everything()
        self.model = build(data.X, data.y)
        self._density = compiled(self.model)

    def posterior(self, seed: int) -> xr.DataTree:
        """The posterior given all data, in ArviZ's groups, with log densities and draws of both predictives."""
        tree = self._sample(self._density, _WHOLE, seed)
        with self.model:
            pm.stats.compute_log_likelihood(tree, progressbar=False)
            pm.stats.compute_log_prior(tree, progressbar=False)
            pm.sample_posterior_predictive(tree, progressbar=False, random_seed=seed, extend_inferencedata=True)
            prior = pm.sample_prior_predictive(_PRIOR_DRAWS, random_seed=seed)
        for group in ("prior", "prior_predictive"):
            tree[group] = prior[group]
        return tree

    def folds(self, seed: int, **data: Any) -> dict[str, float]:
        """Log loss (nats) and accuracy of the posterior predictive on what each fold leaves out."""
        left_out, losses = [], []
        for fold in folds():
            density = self._density.with_data(X=fold.X, y=fold.y.astype(self._dtype), **data)
            tree = self._sample(density, _FOLD, seed)
            p = probabilities(tree["posterior"].to_dataset(), fold)
            left_out.append(p.argmax(axis=1) == fold.y_left_out)
            losses.append(-np.log(p[np.arange(len(p)), fold.y_left_out]).mean())
        return {"log_loss": float(np.mean(losses)), "accuracy": float(np.mean(left_out))}

    @property
    def _dtype(self) -> Any:
        return self.model["y"].get_value().dtype

    def _sample(self, density: Any, length: tuple[int, int], seed: int) -> xr.DataTree:
        return nutpie.sample(
            density, tune=length[0], draws=length[1], chains=_CHAINS, seed=seed, target_accept=_TARGET_ACCEPT,
            progress_bar=False, save_warmup=False,
        )  # fmt: skip


def probabilities(posterior: xr.Dataset, fold: Fold) -> np.ndarray:
    """Class probabilities (m, 3) of what a fold leaves out, averaged over posterior draws.

    The linear model's outcome is cut half-way between the classes' numbers.
    """
    draws = posterior.stack(sample=("chain", "draw"))
    if "weights" in draws:
        weights = draws["weights"].transpose("sample", "weight", "species").values
        return softmax(fold.X_left_out @ weights, axis=2).mean(axis=0)
    weights = np.vstack([draws["alpha"].values, draws["beta"].transpose("feature", "sample").values])
    mean, sigma = fold.X_left_out @ weights, draws["sigma"].values
    below = [norm.cdf((cut - mean) / sigma).mean(axis=1) for cut in (0.5, 1.5)]
    return np.diff(np.column_stack([np.zeros(len(mean)), *below, np.ones(len(mean))]), axis=1)


def diagnostics(tree: xr.DataTree) -> dict[str, Any]:
    """What ArviZ says of a posterior, as JSON values: a row a quantity, and what is of the whole sample."""
    table = az.summary(tree, round_to="none", ci_kind="eti", ci_prob=0.9)
    with warnings.catch_warnings():
        # Large k-hats are what we are after: they are on record.
        warnings.simplefilter("ignore", UserWarning)
        loo = az.loo(tree, pointwise=True)
    khat = np.asarray(loo.pareto_k)
    sensitivity = az.psense_summary(tree, round_to=6)
    return {
        "quantities": list(table.index),
        "summary": {name: np.asarray(table[name], dtype=float).tolist() for name in table.columns},
        "rhat_max": float(table["r_hat"].max()),
        # Each chain is a superchain of its own, as in what bayeshpo reports of every fit.
        "rhat_nested_max": _largest(az.rhat_nested(tree, superchain_ids=list(range(_CHAINS)))),
        "ess_bulk_min": float(table["ess_bulk"].min()),
        "ess_tail_min": float(table["ess_tail"].min()),
        # Monte Carlo error of a mean in units of the posterior's standard deviation.
        "mcse_max": float((table["mcse_mean"] / table["sd"]).max()),
        "bfmi_min": float(np.min(az.bfmi(tree)["energy"])),
        "divergences": int(tree["sample_stats"]["diverging"].sum()),
        "draws": tree["posterior"].sizes["chain"] * tree["posterior"].sizes["draw"],
        "elpd_loo": float(loo.elpd), "elpd_loo_se": float(loo.se), "p_loo": float(loo.p),
        "sensitivity": {name: dict(zip(sensitivity.index, sensitivity[name].tolist(), strict=True)) for name in POWERS},
        "prior_predictive": _replicated(tree, "prior_predictive"),
        "posterior_predictive": _replicated(tree, "posterior_predictive"),
        "khat": khat.tolist(), "khat_limit": float(loo.good_k), "khat_bad": float((khat > loo.good_k).mean()),
    }  # fmt: skip


def _largest(values: xr.DataTree) -> float:
    """Of all quantities."""
    return float(max(value.max() for node in values.subtree for value in node.data_vars.values()))


def _replicated(tree: xr.DataTree, group: str) -> dict[str, Any]:
    """Mean and standard deviation of the class over flowers: in the data, and 5, 50 and 95 % over replicated data."""
    replicated = tree[group]["outcome"].stack(sample=("chain", "draw")).values
    observed = tree["observed_data"]["outcome"].values
    return {
        name: {"observed": float(of(observed)), "replicated": np.quantile(of(replicated, axis=0), _QUANTILES).tolist()}
        for name, of in (("mean", np.mean), ("sd", np.std))
    }
