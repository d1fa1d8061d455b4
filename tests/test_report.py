"""Reports of convergence against draws that are known to be good or bad."""

from __future__ import annotations

import numpy as np
import pytest

from bayeshpo.inference.report import InferenceReport, checked, described


def test_report_of_independent_draws_is_ok():
    Q = np.random.default_rng(0).standard_normal((4, 500, 3))
    report = described(checked(InferenceReport("x", "sampled", 5, seconds_sample=2.0), Q, {}), Q)
    assert report.status == "ok"
    assert report.reason is None
    assert (report.chains, report.draws) == (4, 500)
    assert report.rhat_max is not None
    assert report.ess_bulk_min is not None
    assert report.rhat_max < 1.01
    # Independent draws are worth their number, within its standard error of a few per cent.
    assert 1500 < report.ess_bulk_min < 2600
    assert report.ess_per_second == report.to_row()["ess_per_second"] == report.ess_bulk_min / 2.0
    # So is their mean, and its Monte Carlo error.
    assert report.mcse_max == pytest.approx(2000**-0.5, rel=0.15)
    assert all(v is None or isinstance(v, (str, int, float)) for v in report.to_row().values())


def disagreeing(Q):
    Q[0, :, 1] += 0.5


def few(Q):
    Q[:] = np.repeat(Q[:, ::10], 10, axis=1)


@pytest.mark.parametrize(("spoil", "words"), [(disagreeing, "R-hat 1.0"), (few, "bulk ESS")])
def test_report_of_bad_draws_is_not_ok(spoil, words):
    Q = np.random.default_rng(1).standard_normal((4, 500, 3))
    spoil(Q)
    report = checked(InferenceReport("x", "sampled", 5), Q, {})
    assert report.status == "not_converged"
    assert report.reason is not None
    assert words in report.reason
