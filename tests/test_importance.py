"""Sobol indices against closed forms, and a surrogate carried back from a kept posterior."""

from __future__ import annotations

import numpy as np
import pytest
from ConfigSpace import Categorical, ConfigurationSpace, EqualsCondition, Float

from bayeshpo.analysis.figures import importance as figure
from bayeshpo.analysis.figures import style
from bayeshpo.analysis.importance import Importance, importance, mean_functions, of_seeds, pooled, sobol_indices
from bayeshpo.analysis.kept import open_kept
from bayeshpo.analysis.spaces import space_of
from bayeshpo.errors import SpecificationError
from bayeshpo.experiment import spec
from bayeshpo.experiment.store import Results, RunRecord, open_results
from bayeshpo.experiment.worker import execute
from bayeshpo.space import as_space

# Points of a sample in these tests, and four standard errors of an index with so many independent ones; of quasi-random
# ones it is less.
POINTS = 4096
TOLERANCE = 4 / POINTS**0.5


def test_an_additive_function_has_the_shares_of_its_terms():
    slopes = np.array([3.0, 2.0, 0.0])
    first, total = sobol_indices(lambda U: (U @ slopes)[None], 3, POINTS)
    shares = slopes**2 / (slopes**2).sum()
    np.testing.assert_allclose(first[0], shares, atol=TOLERANCE)
    np.testing.assert_allclose(total[0], shares, atol=TOLERANCE)
    assert total[0, 2] == 0.0


def test_ishigami_in_closed_form():
    """Ishigami and Homma (1990): sin x1 + a sin^2 x2 + b x3^4 sin x1 on [-pi, pi]^3."""
    a, b = 7.0, 0.1

    def f(U: np.ndarray) -> np.ndarray:
        x = np.pi * (2 * U - 1)
        return (np.sin(x[:, 0]) + a * np.sin(x[:, 1]) ** 2 + b * x[:, 2] ** 4 * np.sin(x[:, 0]))[None]

    alone = np.array([0.5 * (1 + b * np.pi**4 / 5) ** 2, a**2 / 8, 0.0])
    together = b**2 * np.pi**8 * (1 / 18 - 1 / 50)
    variance = alone.sum() + together
    first, total = sobol_indices(f, 3, POINTS)
    np.testing.assert_allclose(first[0], alone / variance, atol=TOLERANCE)
    np.testing.assert_allclose(total[0], (alone + together * np.array([1, 0, 1])) / variance, atol=TOLERANCE)


def test_functions_are_taken_apart_one_by_one_and_flat_ones_have_no_shares():
    first, total = sobol_indices(lambda U: np.stack([U[:, 0], U[:, 1], np.ones(len(U))]), 2, 256)
    np.testing.assert_allclose(first[:2], np.eye(2), atol=0.02)
    assert np.isnan(first[2]).all()
    assert np.isnan(total[2]).all()


def test_an_inactive_hyperparameter_has_an_effect_where_it_is_active():
    """1 + x where the kind is a, of two; 0 where it is b, and x is inactive."""
    configspace = ConfigurationSpace()
    kind, x = Categorical("kind", ["a", "b"]), Float("x", (0.0, 1.0))
    configspace.add(kind, x, EqualsCondition(x, kind, "a"))
    space = as_space(configspace)
    j, k = space.names.index("x"), space.names.index("kind")

    def f(U: np.ndarray) -> np.ndarray:
        X = space.snap(U)
        return np.where(space.active(X)[:, j], 1.0 + X[:, j], 0.0)[None]

    first, total = sobol_indices(f, 2, POINTS)
    by_kind, by_x, within = 0.75**2, 0.5**2 / 12, 0.5 / 12
    variance = by_kind + within
    np.testing.assert_allclose(first[0, [k, j]], np.array([by_kind, by_x]) / variance, atol=TOLERANCE)
    np.testing.assert_allclose(total[0, [k, j]], np.array([variance - by_x, within]) / variance, atol=TOLERANCE)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> RunRecord:
    """A short run of Bayesian search with its last posterior."""
    folder = tmp_path_factory.mktemp("importance")
    text = 'name = "x"\nbudget = 6\n[[problems]]\nname = "branin"\n[[searchers]]\nname = "bayesian"\nn_initial = 5\n'
    (folder / "x.toml").write_text(text)
    plan = spec.read(folder / "x.toml")
    open_results(folder / "results", plan.experiment.to_record())
    execute(plan.runs[0], folder / "results" / "runs" / plan.runs[0].id, lambda _: None)
    return Results(folder / "results").runs()[0]


def test_a_kept_posterior_gives_the_functions_back_that_its_slices_were_made_of(run: RunRecord):
    tree = open_kept(run.posteriors[-1])
    kept, data = tree["slice"].to_dataset(), tree["constant_data"].to_dataset()
    centre = kept["at"].values
    Z = np.tile(centre, (len(kept["position"]), 1))
    Z[:, 0] = kept["position"].values
    mean = mean_functions(run, space_of(run), tree, 6)(Z)
    values = float(data["location"]) + float(data["scale"]) * mean
    expected = kept["mean"].values[0]
    # The slice is the mean of 256 draws of the same posterior, and these are 64 of them.
    error = values.std(axis=0) * (1 / len(values) + 1 / 256) ** 0.5
    assert np.abs(values.mean(axis=0) - expected).max() < 5 * error.max()
    assert np.ptp(expected) > 10 * error.max()


def test_importance_of_a_run(run: RunRecord):
    found = importance(run)
    assert found.hyperparameters == ("x1", "x2")
    assert found.trials == (6,)
    assert set(found.seed) == {run.seed}
    assert found.first.shape == found.total.shape == (round(64 * (1 - found.flat)), 2)
    assert (found.total >= 0).all()
    # A function of two variables: what neither explains by itself is their interaction.
    np.testing.assert_allclose(found.first.sum(axis=1) + found.total.sum(axis=1), 2.0, atol=0.25)


def test_the_figure_has_the_most_important_on_top(run: RunRecord):
    rng = np.random.default_rng(0)
    total, seed = np.array([0.2, 0.9]) + 0.01 * rng.normal(size=(64, 2)), np.zeros(64)
    with style.settings():
        (drawing,) = figure.draw(run, Importance(("x1", "x2"), total - 0.1, total, 0.25, seed, (6,)), 5.5)
        nothing = figure.draw(run, Importance(("x1", "x2"), total[:0], total[:0], 1.0, seed[:0], (6,)), 5.5)
    axes = drawing.figure.axes[0]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["x1", "x2"]
    medians = np.asarray(axes.lines[0].get_xdata(), dtype=float)
    np.testing.assert_allclose(medians, np.median(total, axis=0))
    assert "given 6 trials" in drawing.caption
    assert "25 % of the draws, whose function is flat" in drawing.caption
    assert nothing == []


def test_all_seeds_are_in_it_and_their_differences_are_seen(run: RunRecord):
    rng = np.random.default_rng(1)
    levels = np.array([[0.2, 0.7], [0.3, 0.6], [0.4, 0.2]])
    totals = [level + 0.001 * rng.normal(size=(20, 2)) for level in levels]
    parts = [Importance(("x1", "x2"), t - 0.1, t, k / 10, np.full(20, k), (6 + k,)) for k, t in enumerate(totals)]
    found = pooled(parts)
    assert (found.flat, found.trials, list(found.seeds)) == (pytest.approx(0.1), (6, 7, 8), [0, 1, 2])
    np.testing.assert_allclose(found.by_seed(found.total), levels, atol=0.002)
    with style.settings():
        (drawing,) = figure.draw(run, found, 5.5)
    # The middle of the seeds, an interval from the lowest to the highest, and a stroke for each seed.
    medians, strokes = (np.asarray(drawing.figure.axes[0].lines[i].get_xdata(), dtype=float) for i in (0, 1))
    np.testing.assert_allclose(medians, [0.3, 0.6], atol=0.002)
    np.testing.assert_allclose(np.sort(strokes), np.sort(levels.ravel()), atol=0.002)
    assert "(3 seeds) given 6 to 8 trials" in drawing.caption
    assert "over 60 posterior draws" in drawing.caption


def test_runs_of_one_seed_are_that_run(run: RunRecord):
    alone, twice = importance(run, draws=32), of_seeds([run, run])
    np.testing.assert_array_equal(twice.total, np.concatenate([alone.total] * 2))


def test_another_space_than_the_run_had_is_refused(run: RunRecord):
    other = RunRecord(run.path, {**run.spec, "space": ["x1", "y"]}, None, run.posteriors)
    with pytest.raises(SpecificationError, match="expected the problem's hyperparameters x1, x2, got x1, y on record"):
        importance(other)
    gone = RunRecord(run.path, {**run.spec, "problem": {"name": "gone", "label": "mine"}}, None, run.posteriors)
    with pytest.raises(SpecificationError, match="the problem cannot be built here: unknown problem 'gone'"):
        importance(gone)


def test_a_posterior_of_another_surrogate_is_refused(run: RunRecord):
    other = RunRecord(
        run.path, {**run.spec, "searcher": {"name": "bayesian", "surrogate": "warped"}}, None, run.posteriors
    )
    with pytest.raises(SpecificationError, match="not one of surrogate 'warped'"):
        importance(other)
