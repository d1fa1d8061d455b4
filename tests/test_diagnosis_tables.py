"""What `bayeshpo diagnose` prints: nothing of it is cut at eighty columns."""

from __future__ import annotations

from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console
from synthetic_results import trial, write_experiment, write_run

from bayeshpo.analysis.diagnosis import diagnose, fitted
from bayeshpo.analysis.diagnosis_tables import print_diagnosis

# Of any engine, so that every check has a column.
ALL = {
    "n": 6, "status": "ok", "action": "moved", "chains": 4, "draws": 288, "rhat_max": 1.02, "rhat_nested_max": 1.02,
    "ess_bulk_min": 300.0, "ess_tail_min": 300.0, "mcse_max": 0.07, "divergences": 9, "bfmi_min": 0.2, "khat": 0.9,
    "loo_bad_share": 0.1, "prior_sensitivity": {"noise": 0.2}, "likelihood_sensitivity": {"noise": 0.2},
    "point_distance": 0.25, "halves_distance": 0.00035, "ahead_pit": 0.5, "ahead_log_score": -123.4,
}  # fmt: skip
SEARCHERS = {"default": ALL, "bayesian_neural_network": ALL | {"draws": 1000}, "[a point]": {
    "n": 6, "status": "ok", "action": "optimised", "chains": 1, "draws": 1, "loo_elpd": -3.0, "point_distance": 0.0,
}}  # fmt: skip


@pytest.fixture
def printed(tmp_path: Path) -> str:
    write_experiment(tmp_path, {"branin": {}}, tuple(SEARCHERS), 1, 15)
    for searcher, row in SEARCHERS.items():
        rows = [row | {"trial": n, "n": n} for n in range(5, 15)]
        write_run(tmp_path, "branin", searcher, 0, [trial(i, 1.0) for i in range(15)], inference=rows)
    console = Console(width=80, record=True, file=StringIO())
    print_diagnosis(diagnose(tmp_path, fitted(tmp_path)), console)
    return console.export_text()


def test_nothing_is_cut_where_every_check_has_a_column(printed: str) -> None:
    assert "\N{HORIZONTAL ELLIPSIS}" not in printed
    for name in ("[a poi", "nested", "tail", "MCSE", "diver-", "E-BFMI", "psense", "halves", "0.00035"):
        assert name in printed


def test_limits_are_of_the_fits_that_are_held_to_them(printed: str) -> None:
    said = " ".join(printed.split())
    # Of 1,152 and of 4,000 draws; a point estimate has no k-hat, and its one draw no limit.
    assert "k-hat <= 0.67 or <= 0.7." in said
    assert "LOO k-hat <= 0.67 or <= 0.7, psense <= 0.05." in said
    assert "which is no complaint about them" in said
