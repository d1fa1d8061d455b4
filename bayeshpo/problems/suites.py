"""Suites: problems by their labels, as entries of an experiment's file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from bayeshpo.problem import Problem
from bayeshpo.problems.build import build
from bayeshpo.problems.curves import LCBENCH, TASKSET
from bayeshpo.problems.tables import TABLES

# Keys of an entry that are not arguments of the problem.
_OWN = ("name", "wrappers")


class Suite(Mapping[str, Problem]):
    """Problems by their labels; each is built when it is asked for.

    Parameters
    ----------
    entries
        By label: the problem's ``name``, its ``wrappers`` from the innermost on, and its arguments.
    """

    def __init__(self, entries: Mapping[str, Mapping[str, Any]]) -> None:
        self.entries = entries

    def __getitem__(self, label: str) -> Problem:
        return build(*self.parts(label))

    def __contains__(self, label: object) -> bool:
        # A mapping's own would build the problem.
        return label in self.entries

    def __iter__(self) -> Iterator[str]:
        return iter(self.entries)

    def __len__(self) -> int:
        return len(self.entries)

    def parts(self, label: str) -> tuple[str, dict[str, Any], list[dict[str, Any]]]:
        """Name, arguments and wrappers of a problem."""
        entry = self.entries[label]
        return entry["name"], {k: v for k, v in entry.items() if k not in _OWN}, entry.get("wrappers", [])


def _wrapped(name: str, *wrappers: dict[str, Any], **arguments: Any) -> dict[str, Any]:
    return {"name": name, **arguments, "wrappers": list(wrappers)}


def _on_data(*pairs: tuple[str, str]) -> dict[str, dict[str, Any]]:
    return {f"{name}_{data}": {"name": name, "data": data} for name, data in pairs}


def _shortened(data: str) -> str:
    """A name of TaskSet's without what all, or nearly all, of the tasks have in common."""
    for part in ("imdb_", "patch32_", "_avg", "_bs128", "_bs64"):
        data = data.replace(part, "")
    return data


_SPARSE = {
    f"{name}_4_of_25": _wrapped(name, {"name": "idle", "dimension": 25}, dimension=4)
    for name in ("levy", "ackley", "rosenbrock")
}

SYNTHETIC = Suite(
    {name: {"name": name} for name in ("branin", "hartmann3", "hartmann6", "levy", "ackley", "rosenbrock")}
    | _SPARSE
    | {f"bbob_f{k:02d}": {"name": "bbob", "function": k} for k in range(1, 25)}
)

SKLEARN = Suite(
    {name: {"name": name} for name in ("svc_digits", "mlp_iris", "logistic_breast_cancer")}
    | _on_data(
        ("random_forest", "breast_cancer"), ("random_forest", "diabetes"), ("gradient_boosting", "wine"),
        ("gradient_boosting", "diabetes"), ("neighbours", "wine"), ("neighbours", "diabetes"),
        ("decision_tree", "breast_cancer"), ("decision_tree", "diabetes"), ("support_vectors", "diabetes"),
        ("linear", "breast_cancer"), ("linear", "diabetes"),
    )
)  # fmt: skip

# With exact derivatives of their value.
PENALTIES = Suite({name: {"name": name} for name in ("logistic_breast_cancer", "softmax_digits")})

TABULAR = Suite({data: {"name": "table", "data": data} for data in TABLES})

CURVES = Suite(
    {f"taskset_{_shortened(data)}": {"name": "taskset", "data": data} for data in TASKSET}
    | {f"lcbench_{data}": {"name": "lcbench", "data": data} for data in LCBENCH}
)

# Noise of about a tenth, a third and all of the standard deviation of a function over its space.
NOISY = Suite(
    {
        "branin_noise": _wrapped("branin", {"name": "noise", "scale": 5.0}),
        "hartmann6_noise": _wrapped("hartmann6", {"name": "noise", "scale": 0.12}),
        "branin_much_noise": _wrapped("branin", {"name": "noise", "scale": 50.0}),
        "rosenbrock_outliers": _wrapped("rosenbrock", {"name": "outliers", "share": 0.1, "scale": 1000.0}),
        "hartmann6_outliers": _wrapped(
            "hartmann6", {"name": "noise", "scale": 0.04}, {"name": "outliers", "share": 0.1, "scale": 1.0}
        ),
        "levy_noise_shifted": _wrapped("levy", {"name": "shift", "by": 0.2}, {"name": "noise", "scale": 8.0}),
        "mlp_iris": {"name": "mlp_iris"},
    }
)

FAILING = Suite(
    {
        "branin_region": _wrapped("branin", {"name": "failures", "region": 0.3}),
        "hartmann6_region": _wrapped("hartmann6", {"name": "failures", "region": 0.3}),
        "rosenbrock_region": _wrapped("rosenbrock", {"name": "failures", "region": 0.5, "seed": 2}),
        "ackley_share": _wrapped("ackley", {"name": "failures", "share": 0.2}),
        "levy_region_and_share": _wrapped("levy", {"name": "failures", "region": 0.3, "share": 0.1}),
        "tree_share": _wrapped("tree", {"name": "failures", "share": 0.2}),
        "hartmann6_noise_region": _wrapped(
            "hartmann6", {"name": "noise", "scale": 0.12}, {"name": "failures", "region": 0.3}
        ),
    }
)

MULTI_OBJECTIVE = Suite({name: {"name": name} for name in ("branin_currin", "dtlz2", "forest_digits")})

CONSTRAINED = Suite(
    {
        "gramacy": {"name": "gramacy"},
        "gramacy_noise": _wrapped("gramacy", {"name": "noise", "scale": 0.05}),
    }
)

CONDITIONAL = Suite(
    {
        "tree": {"name": "tree"},
        "tree_noise": _wrapped("tree", {"name": "noise", "scale": 0.1}),
        "svc_digits": {"name": "svc_digits"},
    }
    | _on_data(
        ("support_vectors", "diabetes"), ("random_forest", "wine"), ("neighbours", "iris"), ("linear", "wine"),
        ("pipeline", "wine"), ("pipeline", "breast_cancer"),
    )
)  # fmt: skip
