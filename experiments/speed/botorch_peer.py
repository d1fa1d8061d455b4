"""Time BoTorch on given histories. Runs in an environment of its own (requirements-botorch.txt), started by `peer.py`.

Writes a line with versions, then reads JSON lines {"model": "map" | "fully_bayesian", "X": [[...]], "y": [...],
"seed": 0, "maximise": true} (minimised) and answers each with a line {"fit": seconds, "maximise": seconds,
"draws": {name: [...]}}.
"""

import json
import sys
import time
import warnings
from importlib.metadata import version

import torch
from botorch.acquisition import LogExpectedImprovement, qLogExpectedImprovement
from botorch.fit import fit_fully_bayesian_model_nuts, fit_gpytorch_mll
from botorch.models import SingleTaskGP
from botorch.models.fully_bayesian import FullyBayesianSingleTaskGP
from botorch.models.transforms import Standardize
from botorch.optim import optimize_acqf
from gpytorch.mlls import ExactMarginalLogLikelihood

warnings.filterwarnings("ignore")
torch.set_num_threads(1)
torch.set_default_dtype(torch.double)


def answer(model: str, X: list[list[float]], y: list[float], seed: int, maximise: bool) -> dict:
    """Seconds of one fit and of one maximisation with 10 restarts of 512 raw samples; draws by name, each (S, ...)."""
    torch.manual_seed(seed)
    train_X, train_Y = torch.tensor(X), -torch.tensor(y).unsqueeze(-1)
    start, draws = time.perf_counter(), {}
    if model == "map":
        gp = SingleTaskGP(train_X, train_Y, outcome_transform=Standardize(1))
        fit_gpytorch_mll(ExactMarginalLogLikelihood(gp.likelihood, gp))
        acquisition = LogExpectedImprovement(gp, best_f=train_Y.max())
    else:
        gp = FullyBayesianSingleTaskGP(train_X, train_Y, outcome_transform=Standardize(1))
        fit_fully_bayesian_model_nuts(gp, disable_progbar=True, seed=seed)
        acquisition = qLogExpectedImprovement(gp, best_f=train_Y.max())
        draws = kept(gp)
    fitted = time.perf_counter()
    if maximise:
        bounds = torch.stack([torch.zeros(train_X.shape[1]), torch.ones(train_X.shape[1])])
        optimize_acqf(acquisition, bounds=bounds, q=1, num_restarts=10, raw_samples=512)
    return {"fit": fitted - start, "maximise": time.perf_counter() - fitted, "draws": draws}


def kept(gp: FullyBayesianSingleTaskGP) -> dict[str, list]:
    """The draws that the fitted model keeps."""
    lengthscale = gp.covar_module.lengthscale.detach().squeeze(1)
    noise = gp.likelihood.noise.detach().squeeze(-1)
    mean = gp.mean_module.constant.detach().reshape(len(noise))
    return {"mean": mean.tolist(), "lengthscale": lengthscale.tolist(), "noise": noise.tolist()}


if __name__ == "__main__":
    names = ("botorch", "gpytorch", "torch", "numpyro", "jax")
    print(json.dumps({"versions": ", ".join(f"{name} {version(name)}" for name in names)}), flush=True)
    for line in sys.stdin:
        print(json.dumps(answer(**json.loads(line))), flush=True)
