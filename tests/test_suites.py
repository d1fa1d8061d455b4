"""Every problem of every suite: its promises and its signature; and suites themselves."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from bayeshpo.errors import SpecificationError
from bayeshpo.problem import is_noisy, optimisers
from bayeshpo.problems import signatures, suite
from bayeshpo.problems.build import build, identity
from bayeshpo.problems.synthetic import Branin
from bayeshpo.registry import PROBLEMS, SUITES, WRAPPERS
from bayeshpo.testing import check_problem

DATA = Path(os.environ.get("BAYESHPO_DATA", Path(__file__).resolve().parents[2] / "shared" / "data"))
needs_data = pytest.mark.skipif(not DATA.is_dir(), reason=f"no learning curves: expected the folder {DATA}")
MEMBERS = {identity(*suite(name).parts(label)): (name, label) for name in SUITES for label in suite(name)}


def cases():
    for name, label in MEMBERS.values():
        yield pytest.param(name, label, marks=needs_data if name == "curves" else (), id=f"{name}-{label}")


@pytest.mark.parametrize(("name", "label"), list(cases()))
def test_every_problem_keeps_its_promises_and_its_signature(name, label, monkeypatch):
    monkeypatch.setenv("BAYESHPO_DATA", str(DATA))
    problem = suite(name)[label]
    check_problem(problem)
    difference = signatures.change(identity(*suite(name).parts(label)), problem)
    assert difference is None, f"{difference}; if that is meant: uv run python -m bayeshpo.problems.signatures"


def test_every_registered_part_is_in_a_suite_and_every_problem_of_a_suite_has_a_signature():
    parts = [suite(name).parts(label) for name, label in MEMBERS.values()]
    assert {name for name, _, _ in parts} == set(PROBLEMS)
    assert set(signatures._committed()) == set(MEMBERS)
    # The others have tests of their own.
    used = {wrapper["name"] for _, _, wrappers in parts for wrapper in wrappers}
    assert used == set(WRAPPERS) - {"delay", "permutation", "normalisation"}


def test_a_changed_problem_is_noticed():
    branin = Branin()
    assert signatures.change("branin", branin) is None
    assert signatures.change("no such problem", branin) is None
    branin.function = lambda x: Branin.function(branin, x) + 1e-3
    expected, got = signatures._committed()["branin"][0], signatures.signature(branin)[0]
    assert signatures.change("branin", branin) == f"expected {expected:.9g} at probe point 1, got {got:.9g}"


def test_failures_are_part_of_a_signature():
    parts = suite("failing").parts("branin_region")
    problem = build(*parts)
    assert None in signatures.signature(problem)
    other = build(parts[0], parts[1], [{"name": "failures", "region": 0.3, "seed": 1}])
    assert "a failure" in str(signatures.change(identity(*parts), other))


def test_a_suite_is_a_mapping_whose_problems_are_built_when_asked_for(monkeypatch):
    noisy = suite("noisy")
    assert len(noisy) == len(list(noisy)) == 7
    assert noisy["branin_noise"] is not noisy["branin_noise"]
    monkeypatch.delenv("BAYESHPO_DATA", raising=False)
    assert "lcbench_7593" in suite("curves")
    assert "lcbench_7594" not in suite("curves")
    with pytest.raises(SpecificationError, match="expected the folder of the learning curves"):
        suite("curves")["lcbench_7593"]
    with pytest.raises(KeyError):
        noisy["nothing"]
    with pytest.raises(SpecificationError, match=r"unknown suite 'tabluar'; did you mean 'tabular'\?"):
        suite("tabluar")


def test_noisy_problems_are_noisy_and_failing_ones_fail():
    rng = np.random.default_rng(0)
    for problem in suite("noisy").values():
        assert is_noisy(problem)
    for problem in suite("failing").values():
        # A known optimum, though some trials fail: 200 trials of which at least a tenth do, three standard errors.
        assert problem.optimum is not None
        assert optimisers(problem)
        trials = [problem.evaluate(c, rng=rng) for c in problem.space.decode(problem.space.sample(200, rng))]
        assert sum(t.value is None for t in trials) > 200 * (0.2 - 3 * np.sqrt(0.2 * 0.8 / 200))
    assert all(problem.space.is_conditional for problem in suite("conditional").values())


def test_eight_families_of_models():
    assert {suite("sklearn").parts(label)[0] for label in suite("sklearn")} == {
        "svc_digits", "mlp_iris", "logistic_breast_cancer", "random_forest", "gradient_boosting", "neighbours",
        "decision_tree", "support_vectors", "linear",
    }  # fmt: skip


def test_identity_does_not_depend_on_the_order_of_keys():
    one = identity("table", {"a": 1, "b": 2}, [{"name": "noise", "scale": 1.0}])
    assert one == identity("table", {"b": 2, "a": 1}, [{"scale": 1.0, "name": "noise"}])
    # As it was before there were wrappers: recorded runs go on.
    assert identity("branin", {}) == "branin"
    assert identity("svc_digits", {"discrete": True}) == 'svc_digits{"discrete": true}'
