"""Work beside the evaluation of objectives."""

from __future__ import annotations

import subprocess
import sys
import threading

from surrogate_cases import PLANE

import bayeshpo
from bayeshpo.inference.compilation import COMPILATIONS
from bayeshpo.searchers.background import Background


def test_steps_are_taken_in_a_thread_of_their_own():
    seen = []

    def steps():
        for _ in range(3):
            seen.append(threading.current_thread())
            yield

    background = Background(steps())
    assert background.wait() >= 0.0
    assert len(seen) == 3
    assert threading.main_thread() not in seen


def test_a_step_that_raises_ends_the_work_quietly():
    seen = []

    def steps():
        seen.append("first")
        yield
        raise ValueError("no")

    Background(steps()).wait()
    assert seen == ["first"]


def test_an_interpreter_that_ends_waits_for_one_step_only():
    code = (
        "import itertools, threading\n"
        "from bayeshpo.searchers.background import Background\n"
        "begun = threading.Event()\n"
        "Background(begun.set() for _ in itertools.count())\n"
        "begun.wait()\n"
    )
    assert subprocess.run([sys.executable, "-c", code], timeout=60).returncode == 0


def test_nothing_is_left_to_compile_after_the_initial_design():
    study = bayeshpo.Study(PLANE, bayeshpo.BayesianSearcher(n_initial=4), seed=0)
    for _ in range(4):
        suggestion = study.ask()
        study.tell(suggestion, suggestion.configuration["x"])
    study.searcher._background.wait()
    before = len(COMPILATIONS.entries)
    study.ask()
    assert len(COMPILATIONS.entries) == before
    assert study.inference["status"].tolist() == ["ok"]
