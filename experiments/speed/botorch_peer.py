"""Time BoTorch on given histories. Runs in an environment of its own (requirements-botorch.txt), started by `run.py`.

Reads JSON lines {"model": "map" | "fully_bayesian", "X": [[...]], "y": [...]} (minimised) and answers each with a line
{"fit": seconds, "maximise": seconds}.
"""

import json
import sys
import time
import warnings

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


def timed(model: str, X: list[list[float]], y: list[float]) -> dict[str, float]:
    """Seconds of one fit and of one maximisation with 10 restarts of 512 raw samples."""
    train_X, train_Y = torch.tensor(X), -torch.tensor(y).unsqueeze(-1)
    start = time.perf_counter()
    if model == "map":
        gp = SingleTaskGP(train_X, train_Y, outcome_transform=Standardize(1))
        fit_gpytorch_mll(ExactMarginalLogLikelihood(gp.likelihood, gp))
        acquisition = LogExpectedImprovement(gp, best_f=train_Y.max())
    else:
        gp = FullyBayesianSingleTaskGP(train_X, train_Y, outcome_transform=Standardize(1))
        fit_fully_bayesian_model_nuts(gp, disable_progbar=True)
        acquisition = qLogExpectedImprovement(gp, best_f=train_Y.max())
    fitted = time.perf_counter()
    bounds = torch.stack([torch.zeros(train_X.shape[1]), torch.ones(train_X.shape[1])])
    optimize_acqf(acquisition, bounds=bounds, q=1, num_restarts=10, raw_samples=512)
    return {"fit": fitted - start, "maximise": time.perf_counter() - fitted}


for line in sys.stdin:
    print(json.dumps(timed(**json.loads(line))), flush=True)
