"""BoTorch (Balandat et al., 2020) behind the protocol of README.md, in the environment of requirements-botorch.txt.

Arguments, with their defaults:

- `model = "map"`: `SingleTaskGP` at its posterior mode; "fully_bayesian": `FullyBayesianSingleTaskGP`, 512 steps of
  warm-up, 256 draws of which 16 are kept.
- `acquisition = "log_noisy_ei"`, as Ax has it; "log_ei": improvement over the best observed value.
- `n_initial = 5`: scrambled Sobol points before the first model, as many as Ax begins with (BoTorch has no design).
- `report = false`: whether an answer carries the seconds of fit and maximisation, and the draws where there are any.
- `maximise = true`: otherwise the best trial is proposed again, for those who are after the fit alone.

The acquisition is maximised over the unit cube, by 10 restarts of 512 raw samples; whole numbers, ordinals and
unordered choices are rounded afterwards. Trials that failed are left out, as in Ax; pending ones are `X_pending`.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Mapping
from importlib.metadata import version
from typing import Any

import torch
from botorch.acquisition import LogExpectedImprovement, qLogExpectedImprovement
from botorch.acquisition.logei import qLogNoisyExpectedImprovement
from botorch.fit import fit_fully_bayesian_model_nuts, fit_gpytorch_mll
from botorch.models import SingleTaskGP
from botorch.models.fully_bayesian import FullyBayesianSingleTaskGP
from botorch.models.transforms import Standardize
from botorch.optim import optimize_acqf
from gpytorch.mlls import ExactMarginalLogLikelihood
from protocol import Configuration, Cube, refuse, serve

warnings.filterwarnings("ignore")
torch.set_num_threads(1)
torch.set_default_dtype(torch.double)


class BoTorchStudy:
    """One study; its state is its trials alone."""

    def __init__(self, space: Mapping[str, Any], seed: int, arguments: Mapping[str, Any]) -> None:
        refuse(space, "conditions", "forbidden")
        known = {"model": "map", "acquisition": "log_noisy_ei", "n_initial": 5, "report": False, "maximise": True}
        unknown = sorted(set(arguments) - set(known))
        if unknown:
            raise ValueError(f"expected arguments {sorted(known)}, got {unknown}")
        self._options, self._cube, self._seed = known | dict(arguments), Cube(space), seed
        design = torch.quasirandom.SobolEngine(self._cube.dimension, scramble=True, seed=seed)
        self._initial = design.draw(max(self._options["n_initial"], 1), dtype=torch.double)
        self._told: list[tuple[list[float], float]] = []
        self._pending: dict[int, list[float]] = {}

    def tell(self, trial: int, configuration: Configuration, loss: float | None) -> None:
        self._pending.pop(trial, None)
        if loss is not None:
            self._told.append((self._cube.encode(configuration), -loss))

    def ask(self, trial: int) -> Mapping[str, Any]:
        torch.manual_seed(self._seed + trial)
        report: dict[str, Any] = {}
        if trial < self._options["n_initial"]:
            point = self._initial[trial]
        elif len(self._told) < 2:
            point = torch.rand(self._cube.dimension)
        else:
            point, report = self._proposed(trial)
        configuration = self._cube.decode(point.tolist())
        self._pending[trial] = self._cube.encode(configuration)
        return {"configuration": configuration} | ({"report": report} if self._options["report"] else {})

    def _proposed(self, trial: int) -> tuple[torch.Tensor, dict[str, Any]]:
        """The point of largest acquisition; seconds and draws."""
        X, Y = torch.tensor([x for x, _ in self._told]), torch.tensor([[y] for _, y in self._told])
        start = time.perf_counter()
        model = self._fitted(X, Y, self._seed + trial)
        fitted = time.perf_counter()
        point = X[Y.argmax()]
        if self._options["maximise"]:
            bounds = torch.stack([torch.zeros(X.shape[1]), torch.ones(X.shape[1])])
            acquisition = self._acquisition(model, X, Y)
            point = optimize_acqf(acquisition, bounds=bounds, q=1, num_restarts=10, raw_samples=512)[0][0]
        draws = kept(model) if self._options["report"] and isinstance(model, FullyBayesianSingleTaskGP) else {}
        return point, {"fit": fitted - start, "maximise": time.perf_counter() - fitted, "draws": draws}

    def _fitted(self, X: torch.Tensor, Y: torch.Tensor, seed: int) -> SingleTaskGP:
        if self._options["model"] == "map":
            model = SingleTaskGP(X, Y, outcome_transform=Standardize(1))
            fit_gpytorch_mll(ExactMarginalLogLikelihood(model.likelihood, model))
            return model
        model = FullyBayesianSingleTaskGP(X, Y, outcome_transform=Standardize(1))
        fit_fully_bayesian_model_nuts(model, disable_progbar=True, seed=seed)
        return model

    def _acquisition(self, model: SingleTaskGP, X: torch.Tensor, Y: torch.Tensor) -> Any:
        pending = torch.tensor(list(self._pending.values())) if self._pending else None
        if self._options["acquisition"] == "log_noisy_ei":
            return qLogNoisyExpectedImprovement(model, X, X_pending=pending, prune_baseline=True)
        if pending is None and self._options["model"] == "map":
            return LogExpectedImprovement(model, best_f=Y.max())
        return qLogExpectedImprovement(model, best_f=Y.max(), X_pending=pending)


def kept(model: FullyBayesianSingleTaskGP) -> dict[str, list[Any]]:
    """The draws that a fully Bayesian model keeps, by name, each (S, ...)."""
    lengthscale = model.covar_module.lengthscale.detach().squeeze(1)
    noise = model.likelihood.noise.detach().squeeze(-1)
    mean = model.mean_module.constant.detach().reshape(len(noise))
    return {"mean": mean.tolist(), "lengthscale": lengthscale.tolist(), "noise": noise.tolist()}


if __name__ == "__main__":
    names = ("botorch", "gpytorch", "torch", "numpyro", "jax")
    serve(BoTorchStudy, ", ".join(f"{name} {version(name)}" for name in names))
