"""The search space as the unit cube: nothing is lost on the way there and back."""

from __future__ import annotations

import math

import numpy as np
import pytest
import scipy.stats
from ConfigSpace import Configuration, ConfigurationSpace
from ConfigSpace.conditions import AndConjunction, EqualsCondition, GreaterThanCondition, InCondition, OrConjunction
from ConfigSpace.exceptions import ForbiddenValueError
from ConfigSpace.forbidden import ForbiddenAndConjunction, ForbiddenEqualsClause, ForbiddenInClause
from ConfigSpace.hyperparameters import (
    BetaFloatHyperparameter,
    CategoricalHyperparameter,
    Constant,
    OrdinalHyperparameter,
    UniformFloatHyperparameter,
    UniformIntegerHyperparameter,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from bayeshpo.errors import SpecificationError
from bayeshpo.space import INACTIVE, SearchSpace, as_space

KINDS = ("float", "log float", "integer", "log integer", "ordinal", "categorical", "weighted", "constant")
CHOICES = ["red", "green", "blue"]
rapid = settings(max_examples=25, deadline=None, derandomize=True)


def hyperparameter(name, kind, low, width):
    match kind:
        case "float":
            return UniformFloatHyperparameter(name, low - 3.0, low + width)
        case "log float":
            return UniformFloatHyperparameter(name, 10.0**-low, 10.0**width, log=True)
        case "integer":
            return UniformIntegerHyperparameter(name, low - 3, low + width)
        case "log integer":
            return UniformIntegerHyperparameter(name, low, low + 20 * width, log=True)
        case "ordinal":
            return OrdinalHyperparameter(name, [low * 2**k for k in range(width + 1)])
        case "categorical":
            return CategoricalHyperparameter(name, CHOICES)
        case "weighted":
            return CategoricalHyperparameter(name, CHOICES, weights=[1, low, width])
        case _:
            return Constant(name, low)


@st.composite
def spaces(draw, kinds=KINDS):
    """A space of up to seven hyperparameters under two categorical roots, with conditions and forbidden clauses."""
    space = ConfigurationSpace()
    roots = [CategoricalHyperparameter("root", CHOICES), OrdinalHyperparameter("level", [1, 2, 4])]
    space.add(*roots)
    root, level = roots
    drawn = draw(st.lists(st.tuples(st.sampled_from(kinds), st.integers(1, 4), st.integers(1, 3)), max_size=5))
    # One kind a space: ConfigSpace 1.2 takes an "and" and an "or" of equal parts for the same condition.
    conjunction = draw(st.sampled_from((AndConjunction, OrConjunction)))
    previous = root
    for i, (kind, low, width) in enumerate(drawn):
        hp = hyperparameter(f"h{i}", kind, low, width)
        space.add(hp)
        condition = draw(st.sampled_from(("none", "equals", "in", "both", "chain")))
        if condition == "equals":
            space.add(EqualsCondition(hp, root, "blue"))
        elif condition == "in":
            space.add(InCondition(hp, root, ["red", "blue"]))
        elif condition == "both":
            space.add(conjunction(EqualsCondition(hp, root, "green"), GreaterThanCondition(hp, level, 1)))
        elif condition == "chain" and isinstance(previous, CategoricalHyperparameter):
            space.add(InCondition(hp, previous, ["green", "blue"]))
        if kind in ("categorical", "weighted"):
            previous = hp
    for clause in draw(st.sets(st.sampled_from(("equals", "in", "and")), max_size=2)):
        if clause == "equals":
            space.add(ForbiddenEqualsClause(root, "green"))
        elif clause == "in":
            space.add(ForbiddenInClause(level, [2, 4]))
        else:
            parts = (ForbiddenEqualsClause(root, "blue"), ForbiddenEqualsClause(level, 1))
            space.add(ForbiddenAndConjunction(*parts))
    return space


def same(a, b):
    """Equal names, equal values; floats to the rounding of the logarithm and back."""
    return a.keys() == b.keys() and all(
        math.isclose(a[k], b[k], rel_tol=1e-9, abs_tol=1e-9) if isinstance(a[k], float) else a[k] == b[k] for k in a
    )


def is_legal(space, values):
    """ConfigSpace's own verdict; it also refuses inactive values and missing active ones."""
    try:
        Configuration(space, values=values).check_valid_configuration()
    except ForbiddenValueError:
        return False
    return True


@rapid
@given(spaces(), st.integers(0, 2**31 - 1))
def test_every_configuration_survives_the_round_trip(configspace, seed):
    configspace.seed(seed)
    space = SearchSpace(configspace)
    configurations = [dict(c) for c in configspace.sample_configuration(20)]
    X = space.encode(configurations)
    assert X.shape == (20, space.dimension)
    assert np.where(space.active(X), (X >= 0) & (X <= 1), X == INACTIVE).all()
    assert space.legal(X).all()
    np.testing.assert_allclose(space.snap(X), X, atol=1e-12)
    for before, after in zip(configurations, space.decode(X), strict=True):
        assert same(before, after)


@rapid
@given(spaces(), st.integers(0, 2**31 - 1))
def test_points_decode_to_what_configspace_accepts(configspace, seed):
    space = SearchSpace(configspace)
    X = np.random.default_rng(seed).random((30, space.dimension))
    snapped = space.snap(X)
    np.testing.assert_allclose(space.snap(snapped), snapped, atol=1e-12)
    assert (snapped[~space.active(snapped)] == INACTIVE).all()
    configurations = space.decode(X)
    assert all(map(same, configurations, space.decode(snapped)))
    np.testing.assert_allclose(space.encode(configurations), snapped, atol=1e-9)
    np.testing.assert_array_equal(space.legal(snapped), [is_legal(configspace, c) for c in configurations])


@rapid
@given(spaces(), st.integers(0, 2**31 - 1))
def test_samples_are_legal_and_snapped(configspace, seed):
    space = SearchSpace(configspace)
    X = space.sample(25, np.random.default_rng(seed))
    assert X.shape == (25, space.dimension)
    assert all(is_legal(configspace, c) for c in space.decode(X))
    np.testing.assert_allclose(space.snap(X), X, atol=1e-12)
    np.testing.assert_array_equal(X, space.sample(25, np.random.default_rng(seed)))


@rapid
@given(spaces(kinds=("integer", "ordinal", "categorical", "constant")), st.integers(0, 2**31 - 1))
def test_grid_has_each_legal_configuration_once(configspace, seed):
    space = SearchSpace(configspace)
    grid = [tuple(sorted(c.items(), key=str)) for c in space.decode(space.grid())]
    assert len(set(grid)) == len(grid) <= space.size
    assert all(is_legal(configspace, dict(c)) for c in grid)
    configspace.seed(seed)
    drawn = {tuple(sorted(dict(c).items(), key=str)) for c in configspace.sample_configuration(50)}
    assert drawn <= set(grid)


def test_uniform_points_follow_the_space_own_distribution():
    space = as_space({"w": CategoricalHyperparameter("w", CHOICES, weights=[1, 2, 5]), "x": scipy.stats.expon(scale=2)})
    configurations = space.decode(space.sample(4000, np.random.default_rng(0)))
    blue = np.mean([c["w"] == "blue" for c in configurations])
    assert abs(blue - 5 / 8) < 4 * math.sqrt(5 / 8 * 3 / 8 / 4000)
    x = np.array([c["x"] for c in configurations])
    assert scipy.stats.kstest(x, scipy.stats.expon(scale=2).cdf).statistic < 1.95 / math.sqrt(4000) + 0.0005


def test_dict_entries_become_the_kinds_that_scikit_learn_users_expect():
    space = as_space(
        {
            "share": (0.0, 1.0),
            "depth": (1, 8),
            "C": scipy.stats.loguniform(1e-3, 1e3),
            "momentum": scipy.stats.uniform(0.5, 0.4),
            "units": scipy.stats.randint(4, 65),
            "calls": scipy.stats.poisson(3),
            "width": scipy.stats.norm(0, 2),
            "batch": [16, 32, 64],
            "kernel": ["rbf", "linear"],
            "flag": [True, False],
            "one": [5],
            "fixed": "auto",
        }
    )
    kinds = dict(zip(space.names, (e.kind for e in space.encodings), strict=True))
    assert kinds == {
        "share": "continuous", "depth": "integer", "C": "continuous", "momentum": "continuous", "units": "integer",
        "calls": "ordinal", "width": "continuous", "batch": "ordinal", "kernel": "categorical", "flag": "categorical",
    }  # fmt: skip
    assert space.constants == {"one": 5, "fixed": "auto"}
    low, middle, high = space.decode(np.array([[0.0] * 10, [0.5] * 10, [1.0] * 10]))
    assert (low["depth"], high["depth"]) == (1, 8)
    assert (low["units"], high["units"]) == (4, 64)
    assert middle["C"] == pytest.approx(1.0)
    assert middle["width"] == pytest.approx(0.0, abs=1e-12)
    assert low["momentum"] == pytest.approx(0.5)
    assert type(middle["flag"]) is bool
    X = space.sample(50, np.random.default_rng(1))
    np.testing.assert_allclose(space.encode(space.decode(X)), X, atol=1e-9)


def test_as_space_leaves_a_space_alone():
    space = as_space({"x": (0.0, 1.0)})
    assert as_space(space) is space
    assert as_space(space.configspace).names == ("x",)


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ((1.0, 0.0), "low < high"),
        ((0, 1, 2), "choices are a list"),
        ([], "at least one choice"),
        (None, "a scipy distribution"),
    ],
)
def test_a_wrong_entry_is_refused_by_name(entry, message):
    with pytest.raises(SpecificationError, match=rf"'x'.*{message}"):
        as_space({"x": entry})


def test_a_wrong_space_or_kind_is_refused():
    with pytest.raises(SpecificationError, match="expected a ConfigSpace space or a dict"):
        as_space([1, 2])
    with pytest.raises(SpecificationError, match="'b': BetaFloatHyperparameter is not supported"):
        as_space({"b": BetaFloatHyperparameter("b", alpha=2, beta=3, lower=0, upper=1)})


@pytest.mark.parametrize(
    ("configuration", "message"),
    [
        ({"x": 2.0}, r"'x': expected a value in \[0.0, 1.0\]"),
        ({"k": "z"}, "'k': expected one of"),
        ({"n": 1.5}, "'n': expected an integer"),
        ({"typo": 1}, "typo"),
    ],
)
def test_encoding_says_what_is_out_of_range(configuration, message):
    with pytest.raises(ValueError, match=message):
        as_space({"x": (0.0, 1.0), "k": ["a", "b"], "n": (1, 4)}).encode([configuration])


def test_no_grid_on_continuous_or_huge_spaces():
    with pytest.raises(SpecificationError, match="no finite grid: x continuous"):
        as_space({"x": (0.0, 1.0), "n": (1, 4)}).grid()
    with pytest.raises(SpecificationError, match="above the limit"):
        as_space({"n": (1, 2000), "m": (1, 2000)}).grid()


def test_what_becomes_active_begins_in_the_middle():
    space = as_space({"root": ["on", "off"], "child": (0.0, 2.0)})
    space.configspace.add(EqualsCondition(space.configspace["child"], space.configspace["root"], "on"))
    space = SearchSpace(space.configspace)
    [off] = space.encode([{"root": "off"}])
    child, root = space.names.index("child"), space.names.index("root")
    assert off[child] == INACTIVE
    [[on]] = [space.decode(np.where(np.arange(2) == root, 0.25, off))]
    assert on == {"root": "on", "child": 1.0}
    assert space.snap(np.where(np.arange(2) == root, 0.25, off))[0, child] == 0.5
