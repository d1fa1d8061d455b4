"""The sequential engine, carried through recorded studies, against references, within Monte Carlo error."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from replay import FOLDER, Recording, assert_agrees

from bayeshpo.inference.sequential import Sequential

QUICK = ("branin_25", "rough_valley")
NAMES = sorted(path.stem for path in FOLDER.glob("*.json"))
RECORDINGS = [name if name in QUICK else pytest.param(name, marks=pytest.mark.slow) for name in NAMES]


def test_there_are_ten_recordings():
    assert len(NAMES) == 10
    assert all(Recording.load(name).references for name in QUICK)


@pytest.mark.slow
def test_every_recording_has_references():
    assert [name for name in NAMES if not Recording.load(name).references] == []


@pytest.mark.parametrize("name", RECORDINGS)
def test_references_are_of_this_model(name):
    recording = Recording.load(name)
    for n, reference in recording.references.items():
        at = reference.mean[None, : len(reference.quantiles)]
        np.testing.assert_allclose(recording.density.batch(at, recording.data(n)), reference.log_density, rtol=1e-8)


@cache
def carried(name):
    """The default engine's posteriors along a recording, by number of trials."""
    return Recording.load(name).carried(Sequential(), seed=0)


@pytest.mark.parametrize("name", RECORDINGS)
def test_the_population_carried_through_a_study_agrees_with_the_reference(name):
    recording = Recording.load(name)
    for n, reference in recording.references.items():
        posterior = carried(name)[n]
        assert posterior.report.status == "ok", posterior.report.reason
        assert_agrees(recording, reference, posterior)


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_a_population_that_enters_a_finished_study_agrees_with_the_reference(name):
    recording = Recording.load(name)
    n = max(recording.references)
    posterior = Sequential().fit(recording.density, recording.data(n), rng=np.random.default_rng(1))
    assert posterior.report.status == "ok", posterior.report.reason
    assert_agrees(recording, recording.references[n], posterior)


@pytest.mark.parametrize("name", RECORDINGS)
def test_evidence_of_a_study_is_the_sum_of_what_its_trials_added(name):
    for n, reference in Recording.load(name).references.items():
        reports = [posterior.report for fitted, posterior in carried(name).items() if fitted <= n]
        since = next(k for k, report in enumerate(reversed(reports)) if report.action != "reweighted")
        # The last move says all of the evidence anew, and each trial since multiplies it by a mean of weights, of at
        # least 400 effective draws all of them.
        error = np.hypot(reference.log_evidence_error, np.sqrt((since + 1) / 400.0))
        assert abs(sum(report.evidence_increment for report in reports) - reference.log_evidence) < 4.5 * error
