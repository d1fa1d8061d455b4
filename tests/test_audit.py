"""Audits: what they flag, what they pass, and that a study with them is the study without."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from posterior_checks import Y
from toy_surrogates import LevelAndSpread, NoGradient, outcomes, toy_density

import bayeshpo
from bayeshpo.errors import SpecificationError
from bayeshpo.inference.audit import audit
from bayeshpo.inference.map import MAP
from bayeshpo.inference.report import numerics_row
from bayeshpo.inference.sequential import Sequential

DATA = outcomes(Y)


@cache
def right():
    return Sequential().fit(toy_density(LevelAndSpread()), DATA, rng=np.random.default_rng(0))


def audited(Q, log_weights=None, seed=1):
    posterior = replace(right(), unconstrained=Q, log_weights=log_weights)
    return audit(posterior, np.random.default_rng(seed))


def test_a_right_posterior_agrees():
    found = audit(right(), np.random.default_rng(1))
    assert found.audit_status == "agrees"
    assert found.audit_z < 4.5
    # At least 400 effective draws on either side: the ratio of two such standard deviations.
    assert abs(np.log(found.audit_sd_ratio)) < 4.5 * np.sqrt(2.0 / 800.0)
    assert found.audit_quantile < 4.5 * np.sqrt(2.0 * 0.05 * 0.95 / 400.0) / 0.1
    assert found.audit_seconds > 0.0
    json.dumps(found.to_row(), allow_nan=False)


def test_a_shifted_posterior_differs():
    # By half of the standard deviation of the first hyperparameter.
    sd = right().draws.std(axis=0)
    found = audited(right().unconstrained + np.array([0.5, 0.0]) * sd)
    assert found.audit_status == "differs"
    assert found.audit_z_of.startswith("mean: ")
    assert found.audit_quantile_of.startswith("mean: ")
    assert found.audit_quantile > 0.25


def test_a_posterior_too_narrow_differs():
    centre = right().draws.mean(axis=0)
    found = audited(centre + np.array([1.0, 0.6]) * (right().unconstrained - centre))
    assert found.audit_status == "differs"
    assert (found.audit_z_of.split(":")[0], found.audit_sd_ratio_of) == ("sd", "sd")
    assert 0.5 < found.audit_sd_ratio < 0.7


def test_weights_are_part_of_the_posterior():
    # Draws above the median a second time, put right by weights of nothing.
    Q, rng = right().unconstrained, np.random.default_rng(2)
    order = np.argsort(Q[..., 0] < np.median(Q[..., 0]), axis=1, kind="stable")
    above = Q.shape[1] // 2 - 24
    copies = np.take_along_axis(Q, order[..., None], axis=1)[:, :above]
    shuffled = rng.permutation(Q.shape[1] + above)
    doubled = np.concatenate([copies, Q], axis=1)[:, shuffled]
    log_weights = np.full(doubled.shape[:2], -np.log(Q.shape[0] * Q.shape[1]))
    log_weights[:, shuffled < above] = -np.inf
    assert audited(doubled, log_weights).audit_status == "agrees"
    assert audited(doubled).audit_status == "differs"


def test_a_point_estimate_differs():
    posterior = MAP().fit(toy_density(LevelAndSpread()), DATA, rng=np.random.default_rng(0))
    found = audit(posterior, np.random.default_rng(1))
    assert found.audit_status == "differs"
    assert found.audit_sd_ratio < 1e-6


def test_without_a_reference_nothing_is_claimed():
    posterior = Sequential().fit(toy_density(NoGradient()), outcomes(Y[:4]), rng=np.random.default_rng(0))
    assert posterior.report.status == "ok"
    found = audit(posterior, np.random.default_rng(1))
    assert found.audit_status == "no reference"
    json.dumps(found.to_row(), allow_nan=False)


def study(**arguments):
    searcher = bayeshpo.BayesianSearcher(n_initial=4, **arguments)
    study = bayeshpo.Study({"x": (0.0, 1.0), "z": (0.0, 1.0)}, searcher, seed=3)
    study.optimize(lambda c: np.sin(5.0 * c["x"]) + c["z"], budget=8, progress=False)
    return study


def test_audits_change_no_suggestion_and_are_rows_of_inference():
    plain, audited = study(), study(audit_every=3)
    np.testing.assert_array_equal(plain.history.X, audited.history.X)
    rows = audited.inference.set_index("trial")
    assert list(rows.index[rows["audit_status"].notna()]) == [6]
    assert rows.loc[6, "audit_status"] in ("agrees", "differs", "no reference")
    assert rows.loc[6, "audit_z"] > 0.0
    assert rows.loc[6, "audit_seconds"] > 0.0
    assert "audit_status" not in plain.inference
    # A Gaussian process with noise needs no jitter.
    assert (plain.inference["jitter_max"] == 0.0).all()
    assert (plain.inference["jitter_share"] == 0.0).all()


def test_jitter_is_the_most_and_the_share_that_needed_it():
    of_parts = [{"jitter": np.array([0.0, 1e-8])}, {}, {"jitter": np.array([0.0, 1e-6])}]
    assert numerics_row(of_parts) == {"jitter_max": 1e-6, "jitter_share": 0.5}
    assert numerics_row([{"jitter": np.array([0.0, np.inf])}]) == {"jitter_max": None, "jitter_share": 0.5}
    assert numerics_row([{}]) == {}


def test_an_impossible_interval_is_refused():
    with pytest.raises(SpecificationError, match="expected audit_every >= 1, got 0"):
        bayeshpo.BayesianSearcher(audit_every=0)
