"""Surrogates that a user writes: by a function, by a latent function, by a covariance; and what is refused."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pymc as pm
import pytensor.tensor as pt
import pytest
from scipy import stats
from surrogate_cases import training_data

import bayeshpo
from bayeshpo.errors import SpecificationError
from bayeshpo.inference.density import log_density
from bayeshpo.inference.predictive import predictive
from bayeshpo.space import as_space
from bayeshpo.surrogates.base import NUGGET
from bayeshpo.surrogates.columns import Columns
from bayeshpo.surrogates.gp import GaussianProcess
from bayeshpo.surrogates.parametric import ParametricSurrogate
from bayeshpo.surrogates.priors import register
from bayeshpo.surrogates.student_t import StudentTProcess

SPACE = as_space({"rate": stats.loguniform(1e-5, 1e-1), "depth": (1, 9), "kind": ["a", "b", "c"]})
COLUMNS = Columns.of(SPACE)
README = (Path(__file__).resolve().parents[1] / "README.md").read_text()


def valley(X, y, columns):
    with pm.Model() as model:
        X, y = pm.Data("X", X), pm.Data("y", y)
        rate = pt.log10(columns.natural(X, "rate"))
        best, level = pm.Normal("best", -3.0, 1.0), pm.Normal("level", 0.0, 1.0)
        f = pm.Deterministic("f", level + (rate - best) ** 2)
        pm.Normal("outcome", f, pm.HalfNormal("noise", 0.5), observed=y)
    return model


@dataclass(frozen=True)
class Valley(ParametricSurrogate):
    """The same with a class."""

    name = "valley"

    def priors(self, columns):
        return {
            "best": register("best", pm.Normal.dist(-3.0, 1.0)),
            "level": register("level", pm.Normal.dist(0.0, 1.0)),
            "noise": register("noise", pm.HalfNormal.dist(0.5)),
        }

    def latent(self, columns, p, X):
        return p["level"] + (pt.log10(columns.natural(X, "rate")) - p["best"]) ** 2


@pytest.fixture(scope="module", params=["function", "class"])
def density(request):
    surrogate = bayeshpo.Surrogate.from_model(valley) if request.param == "function" else Valley()
    assert surrogate.name == "valley"
    return log_density(surrogate, COLUMNS)


def trials(n):
    X = SPACE.sample(n, np.random.default_rng(n))
    rate = np.log10([c["rate"] for c in SPACE.decode(X)])
    return X, rate, training_data(X, (rate + 2.5) ** 2)


def test_density_is_the_model_written_out(density):
    Q = np.array([[-2.0, 0.3, -1.0], [-3.5, -0.2, 0.4]])
    for n in (1, 6):
        _, rate, data = trials(n)
        for q, found in zip(Q, density.batch(Q, data), strict=True):
            best, level, noise = q[0], q[1], np.exp(q[2])
            expected = stats.norm(-3.0, 1.0).logpdf(best) + stats.norm.logpdf(level)
            expected += stats.halfnorm(scale=0.5).logpdf(noise) + q[2]
            # The class has the nugget that the function leaves out.
            noise = np.sqrt(noise**2 + NUGGET) if isinstance(density.surrogate, Valley) else noise
            expected += stats.norm(level + (rate - best) ** 2, noise).logpdf(data.y).sum()
            np.testing.assert_allclose(found, expected, rtol=1e-9)


def test_predictive_is_the_latent_function_at_other_points(density):
    Q = np.array([[-2.0, 0.3, -1.0], [-3.5, -0.2, 0.4]])
    X, rate, _ = trials(5)
    p = predictive(density)
    conditioned = p.condition(Q, trials(8)[2])
    mean, variance = p(conditioned, X)
    expected = Q[:, 1, None] + (rate[None, :] - Q[:, 0, None]) ** 2
    np.testing.assert_allclose(mean, expected, rtol=1e-10)
    np.testing.assert_array_equal(variance, NUGGET)
    np.testing.assert_allclose(conditioned.fitted[:, :3], p(conditioned, trials(8)[2].X[:3])[0], rtol=1e-12)


def test_values_in_their_own_units():
    X = pt.dmatrix("X")
    points = SPACE.sample(40, np.random.default_rng(0))
    configurations = SPACE.decode(points)
    for name in ("rate", "depth"):
        found = COLUMNS.natural(X, name).eval({X: points})
        np.testing.assert_allclose(found, [c[name] for c in configurations], rtol=1e-12)
    found = COLUMNS.index(X, "kind").eval({X: points})
    assert [["a", "b", "c"][i] for i in found] == [c["kind"] for c in configurations]


@pytest.mark.parametrize(
    ("ask", "message"),
    [
        (lambda X: COLUMNS.natural(X, "kind"), "'kind': expected a number"),
        (lambda X: COLUMNS.index(X, "rate"), "'rate': expected choices, got a number"),
        (lambda X: COLUMNS.natural(X, "rat"), "unknown hyperparameter 'rat'; did you mean 'rate'?"),
    ],
)
def test_values_that_there_are_not(ask, message):
    with pytest.raises(SpecificationError, match=re.escape(message)):
        ask(pt.dmatrix("X"))


def built(latent, f="f", data=("X", "y"), returned=True):
    """A model with this latent function, or with something missing."""

    def broken(X, y, columns):
        with pm.Model() as model:
            X = pm.Data(data[0], X)
            y = pm.Data(data[1], y)
            pm.Normal("level", 0.0, 1.0)
            pm.Deterministic(f, latent(X, model))
            pm.Normal("outcome", model[f], 1.0, observed=y)
        return model if returned else None

    return broken


def no_outcome(X, y, columns):
    with pm.Model() as model:
        X, y = pm.Data("X", X), pm.Data("y", y)
        pm.Deterministic("f", pm.Normal("level", 0.0, 1.0) + X[:, 0])
    return model


def process(X, y, columns):
    with pm.Model() as model:
        X, y = pm.Data("X", X), pm.Data("y", y)
        f = pm.MvNormal("f", 0.0 * X[:, 0], pt.eye(X.shape[0]))
        pm.Normal("outcome", f, 1.0, observed=y)
    return model


def line(X, model):
    return model["level"] + X[:, 0]


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (built(line, returned=False), "expected a pymc.Model, got NoneType; does the function return it?"),
        (built(line, f="g"), "expected a variable 'f', pm.Deterministic('f', ...), got"),
        (built(line, data=("inputs", "y")), "expected a variable 'X', pm.Data('X', X), got"),
        (built(line, data=("X", "outcomes")), "expected a variable 'y', pm.Data('y', y), got"),
        (built(lambda X, m: m["level"] + X[:1, 0]), "expected 'f' of shape (2,) for 2 trials, got (1,)"),
        (built(lambda X, m: m["level"] + X), "building the model raised ValueError: Size length"),
        (built(lambda X, m: m["level"] + pt.zeros(m["y"].shape)), "expected 'f' to depend on X"),
        (
            built(lambda X, m: line(X, m) + pm.Poisson("steps", 3.0)),
            "expected continuous hyperparameters, got discrete ones: steps",
        ),
        (
            built(lambda X, m: line(X, m) + pm.Normal("effect", 0.0, 1.0, shape=X.shape[0])),
            "expected as many hyperparameters for any number of trials, got more of effect",
        ),
        (no_outcome, "expected an observed variable"),
        (process, "expected 'f' to follow from hyperparameters and X"),
    ],
)  # fmt: skip
def test_mistakes_are_named_before_anything_runs(build, message):
    study = bayeshpo.Study(SPACE, bayeshpo.BayesianSearcher(surrogate=bayeshpo.Surrogate.from_model(build)))
    with pytest.raises(SpecificationError, match=re.escape(message)):
        study.optimize(lambda c: 0.0, budget=1, progress=False)
    assert len(study.history) == 0


def examples():
    """The README's examples of own surrogates."""
    section = README.split("## Your own surrogate")[1].split("\n## ")[0]
    return re.findall(r"```python\n(.*?)```", section, flags=re.DOTALL)


def test_the_readme_has_three_examples():
    assert len(examples()) == 3


@pytest.mark.parametrize("i", range(3))
def test_the_readmes_examples_run(i):
    names = {}
    # Later examples go on from the first one's imports.
    first = examples()[0]
    before = [first.split("\n\n")[0], next(line for line in first.splitlines() if line.startswith("noise ="))]
    for code in [*before, examples()[i]]:
        exec(code, names)
    study = names["study"]
    assert len(study.history) == 20
    assert (study.inference["status"] == "ok").all()
    # The bottom of each example's valley is at a rate of 10^-2.5, and at 0; noise of 0.1 hides which trial is nearest.
    assert abs(np.log10(study.best.configuration["rate"]) + 2.5) < 0.5
    assert study.best.value < 0.3


def test_priors_are_described():
    table = bayeshpo.Surrogate.from_model(valley).describe(SPACE)
    assert list(table.index) == ["best", "level", "noise"]
    assert table.loc["best", "prior"] == "Normal(-3, 1)"
    # Quantiles of 4000 draws: standard error sqrt(0.05 0.95 / 4000) over the density 0.103.
    assert abs(table.loc["best", "5 %"] - stats.norm(-3.0, 1.0).ppf(0.05)) < 4.5 * 0.0034 / 0.103
    assert StudentTProcess().describe(SPACE).loc["nu", "prior"] == "Truncated(Gamma(2, 0.1), lower=1)"
    table = StudentTProcess(nu_prior=pm.Truncated.dist(pm.Exponential.dist(0.2), lower=1.0, upper=30.0)).describe(SPACE)
    assert table.loc["nu", "prior"] == "Truncated(Exponential(0.2), lower=1, upper=30)"
    table = GaussianProcess().describe(SPACE)
    assert table.loc["lengthscale", "size"] == 3
    assert (table["unit"] != "").all()
