"""Wrappers: what each does to values, and what remains known of the problem."""

from __future__ import annotations

import numpy as np
import pytest

from bayeshpo.errors import SpecificationError
from bayeshpo.problem import Differentiable, TrueValue, capabilities, is_noisy, optimisers
from bayeshpo.problems import suite
from bayeshpo.problems.build import build
from bayeshpo.registry import create
from bayeshpo.space import as_space
from bayeshpo.testing import check_problem
from bayeshpo.trial import Outcome

BASES = {
    "branin": ("branin", {}),
    "tree": ("tree", {}),
    "logistic": ("logistic_breast_cancer", {}),
    "within_limits": ("gramacy", {}),
    "categorical": ("table", {"data": "cifar100"}),
}
KINDS = {
    "noise": {"scale": 0.3},
    "outliers": {"share": 0.3, "scale": 2.0},
    "failures": {"share": 0.2, "region": 0.3},
    "delay": {"seconds": 10.0, "fold": 100.0},
    "shift": {"by": 0.2},
    "permutation": {},
    "idle": {"dimension": 12},
    "normalisation": {},
}
# Nothing in the tree is outside of its conditions; logistic regression does not look its true values up.
REFUSED = {("tree", "shift"), ("tree", "permutation"), ("categorical", "shift"), ("logistic", "normalisation")}


def wrapped(base, *wrappers, **arguments):
    name, given = BASES.get(base, (base, arguments))
    return build(name, given, wrappers)


def values(problem, n, seed=0, at=None):
    rng = np.random.default_rng(seed)
    configuration = at or problem.space.decode(problem.space.sample(1, rng))[0]
    return configuration, np.array([problem.evaluate(configuration, rng=rng).value for _ in range(n)], dtype=float)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("base", BASES)
def test_every_wrapper_around_every_kind_of_problem(base, kind):
    wrapper = {"name": kind, **KINDS[kind]}
    if (base, kind) in REFUSED:
        with pytest.raises(SpecificationError, match=f"^{kind}: "):
            wrapped(base, wrapper)
        return
    problem = wrapped(base, wrapper)
    check_problem(problem)
    assert isinstance(problem, TrueValue) == (base != "logistic")
    assert isinstance(problem, Differentiable) == capabilities(problem).gradient == (base == "logistic")


def test_wrappers_compose_and_the_first_is_the_innermost():
    scaled = [{"name": "normalisation"}, {"name": "noise", "scale": 0.5}]
    inside, outside = wrapped("branin", *scaled), wrapped("branin", *scaled[::-1])
    at, got = values(inside, 2000)
    true = inside.true_value(at)
    # Standard errors of a mean and of a standard deviation of 2,000 normal draws; four of each.
    assert got.mean() == pytest.approx(true, abs=4 * 0.5 / np.sqrt(2000))
    assert got.std() == pytest.approx(0.5, rel=4 / np.sqrt(4000))
    _, other = values(outside, 2000, at=at)
    assert other.std() < 0.1
    everything = wrapped(
        "branin", {"name": "shift", "by": 0.1}, {"name": "permutation"}, {"name": "idle", "dimension": 5},
        {"name": "normalisation"}, {"name": "noise", "scale": 0.1}, {"name": "outliers", "share": 0.1, "scale": 1.0},
        {"name": "failures", "share": 0.1}, {"name": "delay", "seconds": 3.0},
    )  # fmt: skip
    check_problem(everything)
    assert (everything.optimum, everything.space.dimension) == (0.0, 5)


def test_noise_adds_to_a_known_standard_error_and_moves_a_curve_as_a_whole():
    noise = wrapped("branin", {"name": "noise", "scale": 3.0})
    inner = Outcome(1.0, standard_error=4.0, curve=((0.5, 2.0), (1.0, 1.0)))
    outcome = noise.outward(inner, {}, np.random.default_rng(0))
    assert outcome.standard_error == 5.0
    assert [v - outcome.value for _, v in outcome.curve] == pytest.approx([1.0, 0.0])


@pytest.mark.parametrize(("base", "sign"), [("branin", 1.0), ("phoneme", -1.0)])
def test_outliers_are_worse_in_either_direction(base, sign):
    problem = wrapped("table", data="phoneme") if base == "phoneme" else wrapped("branin")
    outliers = create("wrapper", "outliers", {"problem": problem, "share": 0.3, "scale": 2.0})
    rng = np.random.default_rng(1)
    worse = sign * np.array([outliers.outward(Outcome(0.0), {}, rng).value for _ in range(4000)])
    assert (worse >= 0.0).all()
    # Of the outliers, half are worse by more than the scale.
    for share, expected in ((worse > 0.0, 0.3), (worse > 2.0, 0.15)):
        assert share.mean() == pytest.approx(expected, abs=4 * np.sqrt(expected * (1 - expected) / 4000))


def test_failures_have_their_share_and_their_region():
    chance = wrapped("branin", {"name": "failures", "share": 0.3})
    _, got = values(chance, 1000)
    assert np.isnan(got).mean() == pytest.approx(0.3, abs=4 * np.sqrt(0.21 / 1000))
    region = wrapped("branin", {"name": "failures", "region": 0.4})
    points = region.space.decode(region.space.sample(2000, np.random.default_rng(5)))
    fails = [region.true_value(c) is None for c in points]
    assert np.mean(fails) == pytest.approx(0.4, abs=4 * np.sqrt(0.24 / 2000))
    assert [region.evaluate(c, rng=np.random.default_rng(0)).value is None for c in points] == fails
    outcome = region.evaluate(points[fails.index(True)], rng=np.random.default_rng(0))
    assert outcome.reason == "the wrapper 'failures': failed, as all do in this region"


def test_the_optimum_is_unknown_where_it_may_fail_or_be_out_of_reach():
    # Of Hartmann's one minimiser, and seeds that were looked up.
    kept, lost = (wrapped("hartmann6", {"name": "failures", "region": 0.3, "seed": s}) for s in (0, 2))
    assert kept.optimum == -3.32236801141551
    assert (lost.optimum, optimisers(lost)) == (None, ())
    assert wrapped("logistic", {"name": "failures", "region": 0.3}).optimum is None
    assert wrapped("logistic", {"name": "failures", "share": 0.3}).optimum is not None
    shifts = [wrapped("hartmann6", {"name": "shift", "by": 0.5, "seed": s}) for s in range(20)]
    known = [p for p in shifts if p.optimum is not None]
    assert 0 < len(known) < 20
    assert all((p.optimum is None) == (not optimisers(p)) for p in shifts)
    assert wrapped("logistic", {"name": "shift"}).optimum is None
    # A one-to-one map loses nothing.
    assert wrapped("logistic", {"name": "permutation"}).optimum is not None


def test_delay_is_on_record_and_nobody_waits():
    problem = wrapped("branin", {"name": "delay", "seconds": 100.0, "fold": 50.0})
    points = problem.space.decode(problem.space.sample(2000, np.random.default_rng(0)))
    seconds = np.array([problem.evaluate(c, rng=np.random.default_rng(0)).seconds for c in points])
    assert np.exp(np.log(seconds).mean()) == pytest.approx(100.0, rel=0.1)
    assert seconds.max() / seconds.min() == pytest.approx(50.0, rel=0.05)
    once = wrapped("categorical", {"name": "delay", "seconds": 5.0})
    c = once.space.decode(once.space.sample(1, np.random.default_rng(0)))[0]
    assert once.evaluate(c, rng=np.random.default_rng(0)).seconds == pytest.approx(
        5.0 + once.problem.evaluate(c, rng=np.random.default_rng(0)).seconds
    )


def test_permutation_is_one_to_one_and_moves_something():
    for base in ("hartmann6", "categorical"):
        problem = wrapped(base, {"name": "permutation", "seed": 1})
        points = problem.space.decode(problem.space.sample(50, np.random.default_rng(0)))
        inner = [problem.inward(c) for c in points]
        assert inner != points
        back = [problem._outside(c) for c in inner]
        np.testing.assert_allclose(problem.space.encode(back), problem.space.encode(points), atol=1e-12)


def test_permutation_leaves_what_is_not_equally_likely():
    from ConfigSpace import CategoricalHyperparameter, ConfigurationSpace

    branin = wrapped("branin")
    branin.space = as_space(ConfigurationSpace(space=[CategoricalHyperparameter("a", ["x", "y"], weights=[1, 3])]))
    with pytest.raises(SpecificationError, match=r"^permutation: expected two floats or a categorical"):
        create("wrapper", "permutation", {"problem": branin})


def test_idle_hyperparameters_do_nothing():
    problem = suite("synthetic")["levy_4_of_25"]
    assert problem.space.dimension == 25
    c = problem.space.decode(problem.space.sample(1, np.random.default_rng(0)))[0]
    assert problem.true_value(c | {"idle25": 0.123}) == problem.true_value(c)
    assert problem.true_value(c | {"x3": 0.123}) != problem.true_value(c)
    more = create("wrapper", "idle", {"problem": problem, "dimension": 27})
    assert {"idle05", "idle25", "idle26", "idle27", "x4"} < set(more.space.names)


@pytest.mark.parametrize("base", ["branin", "phoneme"])
def test_normalisation_by_random_search(base):
    inner = wrapped("table", data="phoneme") if base == "phoneme" else wrapped("branin")
    problem = create("wrapper", "normalisation", {"problem": inner})
    assert (problem.direction, problem.optimum) == ("minimize", 0.0)
    points = problem.space.decode(problem.space.sample(2000, np.random.default_rng(9)))
    losses = np.array([problem.true_value(c) for c in points])
    # The share below the median of 1,000 other draws: 4 standard errors of both.
    assert (losses < 1.0).mean() == pytest.approx(0.5, abs=4 * np.sqrt(0.25 / 1000 + 0.25 / 2000))
    order = np.argsort(losses)
    own = np.array([inner.true_value(c) for c in points])[order]
    assert (np.diff(own) * (1 if inner.direction == "minimize" else -1) >= 0).all()


@pytest.mark.parametrize(
    ("wrapper", "message"),
    [
        ({"name": "noise", "scale": 0.0}, "noise: expected a positive scale, got 0.0"),
        ({"name": "noise"}, "wrapper 'noise': expected the argument 'scale', got none"),
        ({"name": "nois", "scale": 1.0}, "unknown wrapper 'nois'; did you mean 'noise'?"),
        ({"name": "outliers", "share": 1.0, "scale": 1.0}, "outliers: expected a share between 0 and 1"),
        ({"name": "failures"}, "failures: expected share and region in [0, 1), not both 0"),
        ({"name": "delay", "seconds": 1.0, "fold": 0.5}, "delay: expected positive seconds and a fold"),
        ({"name": "shift", "by": 1.0}, "shift: expected by between 0 and 1, got 1.0"),
        ({"name": "idle", "dimension": 2}, "idle: expected a dimension above the problem's own of 2, got 2"),
    ],
)
def test_impossible_wrappers_are_refused(wrapper, message):
    with pytest.raises(SpecificationError) as refused:
        wrapped("branin", wrapper)
    assert str(refused.value).startswith(message)


def test_noise_of_the_problem_is_known():
    assert not is_noisy(wrapped("branin", {"name": "shift"}))
    assert is_noisy(wrapped("branin", {"name": "noise", "scale": 1.0}, {"name": "shift"}))
