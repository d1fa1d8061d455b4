"""Each diagnostic on a case that is made to trigger it: all that is flagged is compared, so that it is it alone."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pymc as pm
import pytest
from scipy import stats
from toy_surrogates import LINE, Funnel, outcomes, toy_density

from bayeshpo.analysis.ahead import Ahead
from bayeshpo.analysis.checks import CHECKS
from bayeshpo.inference.density import log_density
from bayeshpo.inference.foresight import foresee
from bayeshpo.inference.limits import khat_limit
from bayeshpo.inference.nuts import NUTS
from bayeshpo.inference.report import checked, described
from bayeshpo.inference.sensitivity import log_components, sensitivity
from bayeshpo.inference.sequential import Sequential
from bayeshpo.inference.stacked import left_out
from bayeshpo.surrogates.base import TrainingData
from bayeshpo.surrogates.parametric import ParametricSurrogate
from bayeshpo.surrogates.priors import register
from bayeshpo.surrogates.symbolic import pt

NOISE = 0.3


@dataclass(frozen=True)
class Line(ParametricSurrogate):
    """f = level + slope x with a noise that is known: nothing that could give way to what is wrong."""

    level: float = 0.0
    noise: float = NOISE
    name = "line"

    def priors(self, columns):
        return {
            "level": register("level", pm.Normal.dist(self.level, 1.0)),
            "slope": register("slope", pm.Normal.dist(0.0, 1.0), dims="hyperparameter"),
            "noise": pt.constant(self.noise),
        }

    def latent(self, columns, p, X):
        return p["level"] + (X * p["slope"]).sum(axis=1)

    def noise_at(self, columns, p, state, data, Z):
        return pt.full_like(Z[:, 0], self.noise**2)


class EitherSign(Line):
    """The same whichever sign the level has: two modes, of which each says all."""

    name = "either_sign"

    def latent(self, columns, p, X):
        return pt.abs(p["level"]) + (X * p["slope"]).sum(axis=1)


def line(n, seed):
    """n outcomes of 1 + x with noise: its quantiles in random order, so that nothing is flagged by chance."""
    rng = np.random.default_rng(seed)
    x = rng.random((n, 1))
    noise = NOISE * stats.norm.ppf((rng.permutation(n) + 0.5) / n)
    return TrainingData(x, 1.0 + x[:, 0] + noise, 0.0, 1.0, x[:0])


def fitted(surrogate, data=None, engine=None, seed=0):
    data = line(40, 1) if data is None else data
    return (engine or Sequential()).fit(log_density(surrogate, LINE), data, rng=np.random.default_rng(seed))


def of_draws(posterior, Q):
    """The posterior with other draws, looked at anew."""
    return replace(posterior, unconstrained=Q, report=described(checked(posterior.report, Q, {}), Q))


def sound():
    return fitted(Line())


def too_few_draws():
    posterior = sound()
    return of_draws(posterior, posterior.unconstrained[:, ::4])


def stuck_in_two_modes():
    return fitted(EitherSign(), engine=NUTS(rounds=1), seed=3)


def islands_of_two_modes():
    """Shares of a mode of 43 % in two islands and of 57 % in the others."""
    posterior = fitted(EitherSign())
    Q, rng = posterior.unconstrained.copy(), np.random.default_rng(3)
    for island, share in zip(Q, (0.43, 0.57, 0.43, 0.57), strict=True):
        island[:, 0] = np.abs(island[:, 0]) * np.where(rng.permutation(len(island)) < share * len(island), 1.0, -1.0)
    return of_draws(posterior, Q)


def outliers():
    """Two of 40 outcomes, one on either side: the noise is known, so that it cannot grow, and the mean hardly moves."""
    data = line(40, 1)
    y = data.y.copy()
    y[7] += 20.0 * NOISE
    y[8] -= 20.0 * NOISE
    return fitted(Line(), replace(data, y=y))


def too_sure_of_its_noise():
    return fitted(Line(noise=NOISE / 2.0))


def a_prior_against_the_data():
    return fitted(Line(level=-8.0))


CASES = {
    sound: set(),
    too_few_draws: {"bulk ESS", "tail ESS", "MCSE"},
    islands_of_two_modes: {"nested R-hat"},
    stuck_in_two_modes: {"R-hat", "nested R-hat", "bulk ESS", "tail ESS", "MCSE"},
    outliers: {"LOO k-hat"},
    too_sure_of_its_noise: {"PIT", "coverage"},
    a_prior_against_the_data: {"psense"},
}


def closely(posterior):
    """What a fit's row has of itself where it is looked at closely."""
    Q = posterior.thinned(1200)
    bad = np.mean(left_out(posterior).khat > khat_limit(posterior.size))
    return {"loo_bad_share": float(bad)} | sensitivity(posterior, Q, log_components(posterior, Q))


def flags(posterior, further):
    """Names of the checks that are not passed, and what the predictions of further trials speak against."""
    row = posterior.report.to_row() | closely(posterior)
    found = {check.name for check in CHECKS if check.passed(row) is False}
    said = [foresee(posterior, further.X[[i]], further.y[[i]]) for i in range(len(further.y))]
    ahead = Ahead.of([(None, [one.to_row() for of in said for one in of or ()])])
    assert len(ahead) == len(further.y)
    if ahead.leaves_band:
        found.add("PIT")
    if any(not c.low <= c.nominal <= c.high for c in ahead.coverage):
        found.add("coverage")
    return found


@pytest.mark.parametrize(("case", "expected"), CASES.items(), ids=lambda v: getattr(v, "__name__", ""))
def test_each_case_raises_what_it_is_made_for_and_nothing_else(case, expected):
    """Alone where a fact has one diagnostic.

    Too few draws have two, effective sizes and the Monte Carlo error that follows from them. Chains that are stuck in
    different modes are worth few draws as well, and differ by R-hat as by nested R-hat. Nested R-hat alone is raised
    where islands disagree a little on the modes' shares.
    """
    assert flags(case(), line(120, 2)) == expected


def sampled(surrogate, draws):
    """The checks that draws of NUTS do not pass; there are no data to be predicted."""
    engine = NUTS(rounds=1, draws=draws)
    row = engine.fit(toy_density(surrogate), outcomes([]), rng=np.random.default_rng(0)).report.to_row()
    return {check.name for check in CHECKS if check.passed(row) is False}


def test_a_mild_funnel_raises_divergences_alone():
    """Deep enough for steps to be too long in it, and no deeper."""
    assert sampled(Funnel(depth=1.6, width=1), 800) == {"divergences"}


def test_a_deep_funnel_raises_all_that_is_said_of_a_sampler():
    """Chains that do not get down its neck diverge above it, change their energies little, and never mix.

    Divergences cannot be had alone there.
    """
    assert sampled(Funnel(), 200) >= {"divergences", "E-BFMI", "R-hat", "bulk ESS", "tail ESS", "MCSE"}
