"""Names of LaTeX macros: letters alone, and one name a value, whatever the labels."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from synthetic_results import trial, write_experiment, write_run

from bayeshpo.analysis.macros import commands, macro_names
from bayeshpo.analysis.tables import write_tables
from bayeshpo.errors import SpecificationError

SEARCHERS = ("lr 1.0", "lr 10", "GP, log EI", "GP log-EI", "ε", "δ", "Adam", "adam", "random", "gp", "noisy gp")
PROBLEMS = ("branin", "branin noisy", "ε")


def test_names_are_in_camel_case_with_digits_spelled():
    assert macro_names([("my-run 2", "hartmann6", "rhat_max")]) == ["MyRunTwoHartmannSixRhatMax"]
    assert commands([(("q", "best"), "1.0")]) == [r"\newcommand{\QBest}{1.0}"]
    assert commands([]) == []


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("lr 1.0", "lr 10"), ("GP, log EI", "GP log-EI"), ("ε", "δ"), ("ε", ""), ("Adam", "adam"), ("a_b", "a b"),
        ("lr 1", "lr one"), ("²", "2"), ("é", "e"),
    ],
)  # fmt: skip
def test_labels_that_would_have_one_name_are_told_apart(first: str, second: str):
    names = macro_names([("q", first, "best"), ("q", second, "best"), ("q", "other", "best")])
    assert len(set(names)) == 3
    assert names[2] == "QOtherBest"
    assert all(re.fullmatch("[A-Za-z]+", name) for name in names)


def test_what_is_lost_is_spelled_in_every_name():
    names = macro_names([("q", "lr 1.0", "best"), ("q", "lr 10", "best"), ("q", "lr 1.0", "seeds")])
    assert names == ["QlrSpaceOneFullStopZeroBest", "QlrSpaceOneZeroBest", "QlrSpaceOneFullStopZeroSeeds"]


def test_where_one_label_ends_and_the_next_begins_is_told_apart():
    names = macro_names([("q", "branin", "noisy gp", "best"), ("q", "branin noisy", "gp", "best")])
    assert len(set(names)) == 2


def test_what_no_spelling_tells_apart_is_refused():
    with pytest.raises(SpecificationError, match=r"q / all / fits and q / all / fits, got .QAllFits; change a label"):
        commands([(("q", "all", "fits"), "1"), (("q", "all", "fits"), "2")])


def test_macros_of_an_experiment_with_such_labels(tmp_path: Path):
    path = tmp_path / "q"
    write_experiment(path, {p: {} for p in PROBLEMS}, SEARCHERS, 1, 2)
    for i, problem in enumerate(PROBLEMS):
        for j, searcher in enumerate(SEARCHERS):
            write_run(path, problem, searcher, 0, [trial(0, 1.0 + i), trial(1, 1.0 / (1 + j))], optimum=0.0)
    lines = write_tables(path)[-1].read_text().splitlines()
    names = [re.fullmatch(r"\\newcommand\{\\([A-Za-z]+)\}\{.*\}", line) for line in lines]
    assert all(names)
    assert len({name[1] for name in names if name}) == len(lines) > len(PROBLEMS) * len(SEARCHERS)
