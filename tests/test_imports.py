"""Imports point down the layers, and PyMC stays where it belongs."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import bayeshpo

ROOT = Path(bayeshpo.__file__).parent
# Each layer may import itself and what is below it. Layers of one rank know nothing of each other.
RANKS = {
    "errors": 0, "randomness": 0, "pareto": 0, "encoding": 0, "parallel": 0, "elapsed": 0, "ascent": 0,
    "processes": 1, "aims": 1, "registry": 1, "space": 1, "trial": 2, "history": 3, "problem": 3, "progress": 3,
    "problems": 4, "surrogates": 4, "inference": 5, "acquisitions": 6, "maximizers": 7, "searchers": 8, "stopping": 9,
    "evaluators": 9, "study": 10, "experiment": 11, "diagnostics": 12, "analysis": 12, "integrations": 13,
    "testing": 13, "cli": 14,
}  # fmt: skip
HEAVY = {"pymc", "pytensor", "nutpie", "arviz", "arviz_base", "arviz_stats", "arviz_plots"}
MAY_BE_HEAVY = (
    "surrogates",
    "inference",
    "acquisitions",
    "diagnostics",
    "analysis/comparison/",
    "analysis/hyperparameter_table.py",
)
# Above the problems there are only their protocol and their names.
BLIND_TO_PROBLEMS = ("surrogates", "inference", "acquisitions", "maximizers", "searchers", "stopping", "study")


def layer(module: str) -> str:
    """The layer of "bayeshpo.layer.rest"; "" for the package itself."""
    return [*module.split("."), ""][1]


def module_of(path: Path) -> str:
    parts = path.relative_to(ROOT.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports(path: Path) -> list[str]:
    """Every module that a file's import statements name, wherever they stand."""
    found = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path.name}, line {node.lineno}: expected an absolute import"
            assert node.module is not None
            found.append(node.module)
            if node.module == "bayeshpo":
                found += [f"bayeshpo.{alias.name}" for alias in node.names if alias.name in RANKS]
    return found


FILES = sorted(ROOT.rglob("*.py"))
OWN = [p for p in FILES if p != ROOT / "__init__.py"]


@pytest.mark.parametrize("path", OWN, ids=lambda p: str(p.relative_to(ROOT)))
def test_imports_point_down(path):
    here = layer(module_of(path))
    assert here in RANKS, f"expected one of the layers {list(RANKS)}, got '{here}'"
    for module in imports(path):
        there = layer(module)
        if module.split(".")[0] != "bayeshpo" or there in ("", here):
            continue
        assert RANKS[there] < RANKS[here], f"{here} must not import {module}: it is not below"
        if here in BLIND_TO_PROBLEMS:
            assert there != "problems", f"{here} must not import {module}: it sees the space, not the problem"


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_pymc_stays_where_it_belongs(path):
    if not str(path.relative_to(ROOT)).startswith(MAY_BE_HEAVY):
        assert not HEAVY & {module.split(".")[0] for module in imports(path)}


@pytest.mark.parametrize("path", OWN, ids=lambda p: str(p.relative_to(ROOT)))
def test_no_file_is_too_long(path):
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 400


def loaded_after(code: str) -> set[str]:
    """Top-level packages and own modules that are loaded after a piece of code, in a process of its own."""
    code += "\nimport sys; print('\\n'.join(sys.modules))"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    return {name if name.startswith("bayeshpo") else name.split(".")[0] for name in out.splitlines()}


def test_import_of_the_package_is_light():
    loaded = loaded_after("import bayeshpo")
    assert not loaded & (HEAVY | {"numpy", "scipy", "pandas", "sklearn", "ConfigSpace", "matplotlib", "xarray"})


BASELINES = """
import bayeshpo
from bayeshpo.problem import capabilities
from bayeshpo.registry import SEARCHERS, create
from bayeshpo.problems.synthetic import Branin
class Trained(Branin):
    def evaluate_to(self, configuration, fidelity, *, stopped, rng):
        return bayeshpo.Outcome.stopped([(fidelity, 1.0)])
problems = {
    "successive_halving": Trained(),
    "grid": create("problem", "mlp_iris", {"discrete": True, "epochs": 2}),
    "sklearn_grid": create("problem", "mlp_iris", {"discrete": True, "epochs": 2}),
    "hypergradient": create("problem", "logistic_breast_cancer", {}),
}
for name in SEARCHERS.keys() - {"bayesian", "external", "smac"}:
    problem = problems.get(name) or create("problem", "branin", {})
    study = bayeshpo.Study(problem.space, create("searcher", name, {}), problem.direction)
    study.check(capabilities(problem))
    assert len(list(study.run(problem, 3))) == 3
"""


def test_baselines_run_without_pymc():
    loaded = loaded_after(BASELINES)
    assert "bayeshpo.searchers.gradient.hypergradient" in loaded
    assert not loaded & HEAVY


@pytest.mark.parametrize("name", [n for n in dir(bayeshpo) if n != "__version__"])
def test_public_names_exist(name):
    assert getattr(bayeshpo, name).__name__ == name


def test_an_unknown_public_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'Nonsense'"):
        _ = bayeshpo.Nonsense
