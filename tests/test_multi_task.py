"""Earlier studies as tasks: the model against plain numpy, its limits, and its calibration."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from family_oracles import gp
from scipy import stats
from surrogate_cases import OF_THE_TRIALS, TREE, left_out_by_hand, matern52, training_data

from bayeshpo.diagnostics.calibration import DRAWS, JOINT, Calibration
from bayeshpo.errors import SpecificationError
from bayeshpo.experiment import spec
from bayeshpo.experiment.recorded import recalled
from bayeshpo.experiment.worker import execute
from bayeshpo.history import History
from bayeshpo.inference.density import log_density
from bayeshpo.inference.sequential import Sequential
from bayeshpo.problems.synthetic import Branin
from bayeshpo.space import as_space
from bayeshpo.surrogates.base import NUGGET, TrainingData
from bayeshpo.surrogates.columns import Columns
from bayeshpo.surrogates.multi_task import EarlierTask, MultiTaskGaussianProcess
from bayeshpo.surrogates.sparse import SparseGaussianProcess
from bayeshpo.testing import SurrogateUnderTest
from bayeshpo.testing import surrogates as promises
from bayeshpo.testing.trials import bowl, history_of

COLUMNS = Columns.of(TREE)
SIZES = (9, 6)


def earlier(seed):
    """A history of so many trials on the tree."""
    rng = np.random.default_rng(seed)
    X = TREE.sample(SIZES[seed], rng)
    return history_of(TREE, TREE.decode(X), (bowl(X, rng) + seed).tolist())


FIRST = """
name = "first"
budget = 7
problems = [{ name = "branin" }]
searchers = [{ name = "random" }]
"""
SECOND = """
name = "second"
budget = 9
problems = [{{ name = "branin" }}]
searchers = [{{ name = "bayesian", surrogate = {{ name = "multi_task", earlier = ["{}"] }} }}]
"""
HISTORIES = [earlier(0), earlier(1)]
SURROGATE = MultiTaskGaussianProcess.after(HISTORIES)
TESTED = SurrogateUnderTest(SURROGATE, TREE)


def trials(n, seed=7):
    rng = np.random.default_rng(seed)
    X = TREE.sample(n, rng)
    return SURROGATE.prepared(COLUMNS, training_data(X, bowl(X, rng)))


def all_tasks(data, p):
    """Points, task (0 is this study), outcome less mean, and covariance of outcomes, task by task."""
    past = [TrainingData.of(h) for h in HISTORIES]
    X = np.concatenate([*(d.X for d in past), data.X])
    task = np.repeat([1, 2, 0], [*SIZES, len(data.y)])
    mean, noise = np.append(p["mean"], p["task_mean"]), np.append(p["noise"], p["task_noise"])
    residual = np.concatenate([*(d.y for d in past), data.y]) - mean[task]
    return X, task, residual, between(X, task, X, task, p) + np.diag(noise[task] ** 2 + NUGGET)


def between(X, task, X2, task2, p):
    """Covariance of f: what two tasks share, and what a task has for itself."""
    amplitude, rho = np.append(p["amplitude"], p["task_amplitude"]), np.append(1.0, p["correlation"])
    k = gp(X, X2, p | {"amplitude": 1.0})
    rho_rho = rho[task][:, None] * rho[task2][None, :]
    own = (task[:, None] == task2[None, :]) * (1.0 - rho[task] ** 2)[:, None]
    return amplitude[task][:, None] * amplitude[task2][None, :] * (rho_rho + own) * k


def dicts(density, Q):
    values = density.constrain(Q)
    return [{name: v[s] for name, v in values.items()} for s in range(len(Q))]


def log_priors(Q):
    """Log densities of the prior at points Q (n, Q)."""
    model, blocks = TESTED.density.pymc_model, TESTED.density.blocks
    prior = model.compile_fn(model.logp(vars=model.free_RVs), on_unused_input="ignore")
    return np.array([prior({b.value_name: q[b.start : b.stop].reshape(b.shape) for b in blocks}) for q in Q])


def test_density_of_no_trials_is_the_priors():
    found = TESTED.density.batch(TESTED.draws, TESTED.density.no_data)
    np.testing.assert_allclose(found, log_priors(TESTED.draws), rtol=1e-10)


@pytest.mark.parametrize("n", [0, 8])
def test_density_is_that_of_all_tasks_together(n):
    data, density, draws = trials(n), TESTED.density, TESTED.draws[:6]
    likelihood = density.batch(draws, data) - log_priors(draws)
    for p, found in zip(dicts(density, draws), likelihood, strict=True):
        _, _, residual, K = all_tasks(data, p)
        np.testing.assert_allclose(found, stats.multivariate_normal(cov=K).logpdf(residual), rtol=1e-7)


def test_predictive_is_the_textbooks():
    data, Z = trials(8), trials(5, seed=8).X
    mean, variance = TESTED.predictive(TESTED.conditioned(data), Z)
    for p, m, v in zip(dicts(TESTED.density, TESTED.draws), mean, variance, strict=True):
        X, task, residual, K = all_tasks(data, p)
        k = between(Z, np.zeros(5, int), X, task, p)
        np.testing.assert_allclose(m, p["mean"] + k @ np.linalg.solve(K, residual), rtol=1e-6, atol=1e-6)
        expected = p["amplitude"] ** 2 - np.einsum("ij,ji->i", k, np.linalg.solve(K, k.T))
        np.testing.assert_allclose(v, expected, rtol=1e-5, atol=1e-7 * p["amplitude"] ** 2)


def test_left_out_are_trials_of_this_study_alone():
    data, draws = trials(8), TESTED.draws[:6]
    found = TESTED.predictive.left_out(draws, data)
    for p, values in zip(dicts(TESTED.density, draws), found, strict=True):
        _, _, residual, K = all_tasks(data, p)
        np.testing.assert_allclose(values, left_out_by_hand(residual, K, 8), rtol=1e-5, atol=1e-6)


def test_tasks_without_a_correlation_say_nothing_and_with_one_of_1_are_this_study():
    data, Z = trials(8), trials(5, seed=8).X
    values = {name: v[:2].copy() for name, v in TESTED.density.constrain(TESTED.draws).items()}
    values["correlation"] = np.array([[1e-9, 1e-9], [1.0 - 1e-12, 1e-9]])
    values["task_mean"][:, 0], values["task_noise"][:, 0] = values["mean"], values["noise"]
    values["task_amplitude"][:, 0] = values["amplitude"]
    Q = TESTED.density.unconstrain(values)
    mean, _ = TESTED.predictive(TESTED.predictive.condition(Q, data), Z)
    first = TrainingData.of(HISTORIES[0])
    for s, (X, y) in enumerate(
        [(data.X, data.y), (np.concatenate([first.X, data.X]), np.concatenate([first.y, data.y]))]
    ):
        p = {name: v[s] for name, v in values.items()}
        K = gp(X, X, p) + (p["noise"] ** 2 + NUGGET) * np.eye(len(y))
        np.testing.assert_allclose(
            mean[s], p["mean"] + gp(Z, X, p) @ np.linalg.solve(K, y - p["mean"]), rtol=1e-5, atol=1e-5
        )


@pytest.mark.parametrize(
    "promise",
    [promises.model_of_any_number_of_trials, *OF_THE_TRIALS],
    ids=lambda promise: promise.__name__,
)
def test_promises_are_kept_with_earlier_tasks_too(promise):
    promise(TESTED)


def test_an_earlier_study_of_another_space_is_refused():
    other = as_space({"x": (0.0, 2.0)})
    surrogate = MultiTaskGaussianProcess.after([history_of(other, [{"x": 0.3}], [1.0])])
    with pytest.raises(SpecificationError, match=r"expected earlier studies of the same space, \['x'\], got one of"):
        surrogate.check(Columns.of(as_space({"x": (0.0, 1.0)})))


def test_it_is_no_model_for_inducing_points():
    with pytest.raises(SpecificationError, match=r"inherits its conditional .*, got 'multi_task'"):
        SparseGaussianProcess(exact=SURROGATE)


@pytest.mark.slow
def test_ranks_of_simulated_tasks_are_uniform():
    # Two studies on a line, both simulated: the trials of the earlier one enter by the arrays of the data.
    line, rng = as_space({"x": (0.0, 1.0)}), np.random.default_rng(0)
    columns, sizes = Columns.of(line), (8, 8)
    blank = EarlierTask(columns, tuple((float(x),) for x in rng.random(sizes[0])), (0.0,) * sizes[0])
    surrogate = MultiTaskGaussianProcess(earlier=(blank,))
    density, X = log_density(surrogate, columns), rng.random((sizes[1], 1))
    past, ranks, statuses = np.array(blank.X), [], []
    everywhere, task = np.concatenate([past, X]), np.repeat([1, 0], sizes)
    for truth in density.prior_draws(150, rng):
        p = {name: v[0] for name, v in density.constrain(truth[None]).items()}
        amplitude, rho = np.append(p["amplitude"], p["task_amplitude"])[task], np.append(1.0, p["correlation"])[task]
        K = matern52(everywhere, everywhere, p["lengthscale"], 1.0) * np.outer(amplitude, amplitude)
        own = np.outer(task, task) * (1.0 - rho[0] ** 2)
        noise, mean = (np.append(p[name], p[f"task_{name}"])[task] for name in ("noise", "mean"))
        y = rng.multivariate_normal(mean, K * (np.outer(rho, rho) + own) + np.diag(noise**2 + NUGGET))
        data = surrogate.prepared(columns, TrainingData(X, y[sizes[0] :], 0.0, 1.0, X[:0]))
        data = replace(data, arrays={**data.arrays, "earlier_y": y[: sizes[0]]})
        posterior = Sequential().fit(density, data, rng=rng)
        draws = posterior.thinned(DRAWS)
        joint = density.batch(np.concatenate([truth[None], draws]), data)
        ranks.append(np.append((draws < truth).sum(axis=0), (joint[1:] < joint[0]).sum()))
        statuses.append(posterior.report.status)
    found = Calibration((*density.coordinates, JOINT), np.array(ranks), tuple(statuses))
    assert found.calibrated, found.verdict


def test_earlier_runs_by_their_folders(tmp_path):
    """In an experiment's file: what is on record is what the study's own history says."""
    (tmp_path / "first.toml").write_text(FIRST)
    (run,) = spec.read(tmp_path / "first.toml").runs
    folder = tmp_path / "runs" / run.id
    execute(run, folder, lambda progress: None)
    (tmp_path / "second.toml").write_text(SECOND.format(folder))
    (later,) = spec.read(tmp_path / "second.toml").runs
    space = Branin().space
    trials = [json.loads(line) for line in (folder / "trials.jsonl").read_text().splitlines()]
    expected = EarlierTask.of(history_of(space, [t["configuration"] for t in trials], [t["value"] for t in trials]))
    assert len(expected.y) == 7
    assert later.searcher.build()._parts.surrogate(History(space)) == MultiTaskGaussianProcess(earlier=(expected,))
    with pytest.raises(SpecificationError, match="expected the folder of a run, as results/NAME/runs/ID, got none"):
        recalled({"surrogate": {"name": "multi_task", "earlier": [str(tmp_path)]}})
